//! A canary Secret lies sealed in every etcd member, opens with the keyring, and says what was written.

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let name = "canary-at-rest";
    let Some((_, created)) = transcript.first() else {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": scene.namespace},
            "stringData": {"canary": scene.nonce},
        });
        return Next::Do(vec![scene.ask(Ask::Create(secret))]);
    };
    if !matches!(created, Seen::Object(_)) {
        return gap(format!("the canary could not be written: {}", words(created)), "ringfort up");
    }
    let reads = &transcript[1..];
    if reads.is_empty() {
        let key = format!("/registry/secrets/{}/{name}", scene.namespace);
        let read = |member: &NodeName| Act::ReadSealed { member: member.clone(), key: key.clone() };
        return Next::Do(scene.control_planes.iter().map(read).collect());
    }
    let mut gaps = Vec::new();
    for (act, seen) in reads {
        let Act::ReadSealed { member, .. } = act else { continue };
        match seen {
            Seen::Opened { plain, .. } if plain.contains(&scene.nonce) => {}
            Seen::Opened { .. } => {
                return fail(
                    format!("{member}: the value opens, but is not what was written"),
                    "look for a second writer to etcd",
                );
            }
            Seen::NotSealed { how } => {
                return fail(
                    format!("{member}: a Secret lies in etcd {how}"),
                    "check --encryption-provider-config on every server: ringfort up",
                );
            }
            Seen::NotOpened { why } => {
                return fail(
                    format!("{member}: the keyring does not open it: {why}"),
                    "servers use another key than the keyring's: restore the keyring",
                );
            }
            other => gaps.push(format!("{member}: {}", words(other))),
        }
    }
    if !gaps.is_empty() {
        return gap(format!("not read: {}", gaps.join("; ")), "is etcd up there? ringfort up");
    }
    pass(
        format!(
            "a canary Secret opened with the keyring from {} of {} etcd members, and is plaintext in none",
            reads.len(),
            scene.control_planes.len()
        ),
        transcript,
    )
}
