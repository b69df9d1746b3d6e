//! Canaries of three kinds lie sealed in every etcd member, open with the keyring, and say what was
//! written; nothing else that a member stores lies open but what is on a closed list; and every API
//! server seals by the same configuration.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Scanned, Seen, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, gap, pass, words};

/// What no API server ever seals, by construction: what keys begin with, and one key.
pub const OPEN: [&str; 5] = [
    "/registry/events/",
    "/registry/masterleases/",
    "/registry/peerserverleases/",
    "/registry/ranges/",
    "compact_rev_key",
];

const NAME: &str = "canary-at-rest";
const GROUP: &str = "canary.ringfort.dev";
/// Looks before giving up on a new kind of object.
const LOOKS: (usize, u64) = (60, 500);
/// A member is read by itself, and may have to catch up with the others first.
const CATCH_UP: (usize, u64) = (20, 500);
/// A server reads its configuration again within a minute of its change.
const RELOAD: (usize, u64) = (70, 1_000);
/// The metric that names the digest of what a server seals by.
const FAMILY: &str = "apiserver_encryption_config_controller_last_config_info";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let first = [Ask::Create(secret(scene)), Ask::Create(settings(scene)), Ask::Create(kind())];
        // An earlier run's kind may still be there.
        course.step(vec![scene.ask(Ask::Delete(kind_key()))])?;
        course.until(
            LOOKS,
            || vec![scene.ask(Ask::Get(kind_key()))],
            |seen| seen.iter().all(|(_, seen)| matches!(seen, Seen::Absent)),
        )?;
        for (_, seen) in course.step(first.into_iter().map(|ask| scene.ask(ask)).collect())? {
            if !matches!(seen, Seen::Object(_)) {
                return Ok(gap(
                    format!("a canary could not be written: {}", words(seen)),
                    "ringfort up",
                ));
            }
        }
        let made = course.until(
            LOOKS,
            || vec![scene.ask(Ask::Create(custom(scene)))],
            |seen| matches!(seen, [(_, Seen::Object(_))]),
        )?;
        if let Some((_, other)) = made.iter().find(|(_, seen)| !matches!(seen, Seen::Object(_))) {
            let said = format!("a canary of a new kind could not be written: {}", words(other));
            return Ok(gap(said, "ringfort up"));
        }
        let sealed = course.until(
            CATCH_UP,
            || reads(scene),
            |seen| !seen.iter().any(|(_, seen)| matches!(seen, Seen::Absent)),
        )?;
        let scanned = course.step(scans(scene))?;
        let told = course.until(RELOAD, || configurations(scene), has_settled)?;
        course.step(vec![scene.ask(Ask::Delete(kind_key()))])?;
        let all: Vec<&(Act, Seen)> = sealed.iter().chain(scanned).chain(told).collect();
        judge(scene, &all, course.so_far())
    })
}

/// Reads the canaries from every member.
fn reads(scene: &Scene) -> Vec<Act> {
    let place = format!("{}/{NAME}", scene.namespace);
    let keys = [
        format!("/registry/secrets/{place}"),
        format!("/registry/configmaps/{place}"),
        format!("/registry/{GROUP}/canaries/{place}"),
    ];
    let of =
        |node: &NodeName| keys.clone().map(|key| Act::ReadSealed { member: node.clone(), key });
    scene.control_planes.iter().flat_map(of).collect()
}

/// Reads all of every member.
fn scans(scene: &Scene) -> Vec<Act> {
    let open = OPEN.map(str::to_owned);
    let of = |node: &NodeName| Act::Scan { member: node.clone(), open: open.clone().into() };
    scene.control_planes.iter().map(of).collect()
}

/// Asks every server by what configuration it seals.
fn configurations(scene: &Scene) -> Vec<Act> {
    let of = |server: &NodeName| Act::Ask {
        server: server.clone(),
        speaker: Speaker::Keeper,
        ask: Ask::Metrics { beginning: FAMILY.to_owned() },
    };
    scene.control_planes.iter().map(of).collect()
}

/// Servers that all answer and do not agree may still be reading what was changed a moment ago.
fn has_settled(told: &[(Act, Seen)]) -> bool {
    let lines = |(_, seen): &(Act, Seen)| match seen {
        Seen::Lines(lines) => Some(digest(lines)),
        _ => None,
    };
    match told.iter().map(lines).collect::<Option<BTreeSet<_>>>() {
        Some(digests) => digests.len() == 1,
        None => true,
    }
}

fn judge(scene: &Scene, seen: &[&(Act, Seen)], all: &Transcript) -> Result<Next, Next> {
    let mut gaps = Gaps::default();
    let mut digests = BTreeSet::new();
    let (mut opened, mut values) = (0, 0);
    for (act, seen) in seen {
        let Some(node) = act.node() else { continue };
        match seen {
            Seen::Opened { plain, .. } if plain.contains(&scene.nonce) => opened += 1,
            Seen::Opened { .. } => {
                return Err(fail(
                    format!("{node}: a value opens, but is not what was written"),
                    "look for a second writer to etcd",
                ));
            }
            Seen::NotSealed { how } => {
                return Err(fail(
                    format!("{node}: {} lies in etcd {how}", what(act)),
                    "check --encryption-provider-config on every server: ringfort up",
                ));
            }
            Seen::NotOpened { why } => {
                return Err(fail(
                    format!("{node}: the keyring does not open {}: {why}", what(act)),
                    "servers use another key than the keyring's: restore the keyring",
                ));
            }
            Seen::Scanned(scanned) if scanned.shut > 0 => return Err(shut(node, scanned)),
            Seen::Scanned(scanned) if scanned.strange > 0 => return Err(strangers(node, scanned)),
            Seen::Scanned(scanned) if scanned.sealed.is_empty() => {
                gaps.add(format!("{node}: nothing at all is stored"));
            }
            Seen::Scanned(scanned) => {
                values += scanned.sealed.values().sum::<u64>() + scanned.open.values().sum::<u64>();
            }
            Seen::Lines(lines) => match digest(lines) {
                Some(digest) => drop(digests.insert(digest)),
                None => {
                    gaps.add(format!("{node}: the server names no configuration that it seals by"));
                }
            },
            other => gaps.add(format!("{node}: {}", words(other))),
        }
    }
    if digests.len() > 1 {
        return Err(fail(
            "API servers seal by different configurations",
            "they would not read each other's values: ringfort up",
        ));
    }
    gaps.close()?;
    let members = scene.control_planes.len();
    Ok(pass(
        format!(
            "{opened} canaries of 3 kinds opened with the keyring from {members} etcd members; 0 of {values} values lie open outside the closed list, and the keyring opens the rest; the servers seal by one configuration"
        ),
        all,
    ))
}

fn shut(node: &NodeName, scanned: &Scanned) -> Next {
    let first = scanned.strangers.first().map_or("", String::as_str);
    fail(
        format!(
            "{node}: the keyring does not open {} values in etcd, such as {first}",
            scanned.shut
        ),
        "another key sealed them, or nobody did: restore the keyring, or write them again",
    )
}

fn strangers(node: &NodeName, scanned: &Scanned) -> Next {
    let first = scanned.strangers.first().map_or("", String::as_str);
    fail(
        format!("{node}: {} values lie open in etcd, such as {first}", scanned.strange),
        "a server wrote them without sealing, or somebody past all servers: look whether they are what they should \
         be (`ringfort explain data/encryption-at-rest` says how), then ringfort up --seal-plain",
    )
}

fn what(act: &Act) -> &str {
    match act {
        Act::ReadSealed { key, .. } => key,
        _ => "a value",
    }
}

/// Reads the digest of what is loaded; one that was replaced may still be there with the value 0.
fn digest(lines: &[String]) -> Option<String> {
    let mut current = lines.iter().filter(|line| line.trim_end().ends_with(" 1"));
    let (_, rest) = current.next()?.split_once(",hash=\"").or_else(|| {
        lines.iter().find(|line| line.trim_end().ends_with(" 1"))?.split_once("{hash=\"")
    })?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn secret(scene: &Scene) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": NAME, "namespace": scene.namespace},
        "stringData": {"canary": scene.nonce},
    })
}

fn settings(scene: &Scene) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": scene.namespace},
        "data": {"canary": scene.nonce},
    })
}

fn custom(scene: &Scene) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Canary",
        "metadata": {"name": NAME, "namespace": scene.namespace},
        "spec": {"canary": scene.nonce},
    })
}

fn kind_key() -> ObjectKey {
    ObjectKey {
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        namespace: None,
        name: format!("canaries.{GROUP}"),
    }
}

/// A kind of object that exists for this proof alone.
fn kind() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("canaries.{GROUP}"), "labels": {"ringfort.dev/canary": "true"}},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"plural": "canaries", "singular": "canary", "kind": "Canary", "listKind": "CanaryList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }},
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn the_digest_of_what_is_loaded_is_read() {
        let line = |hash: &str, value: u8| {
            format!(
                "{}{{apiserver_id_hash=\"sha256:a\",hash=\"sha256:{hash}\"}} {value}",
                super::FAMILY
            )
        };
        assert_eq!(digest(&[line("old", 0), line("new", 1)]).as_deref(), Some("sha256:new"));
        assert_eq!(digest(&[line("old", 0)]), None);
        assert_eq!(digest(&[]), None);
    }
}
