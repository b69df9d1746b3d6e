//! Nobody opens a namespace but the identity of its waiver, and none is open without a waiver.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Scene, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if transcript.is_empty() {
        return Next::Do(acts(scene));
    }
    let mut gaps = Vec::new();
    let mut open = Vec::new();
    for (act, seen) in transcript {
        let Act::Ask { server, .. } = act else { continue };
        match seen {
            Seen::Refused { status: 403 | 422, message }
                if message.contains("ValidatingAdmissionPolicy") => {}
            Seen::Object(_) => {
                return fail(
                    format!("{server} let somebody open a namespace who has no waiver for it"),
                    "check the admission configuration: ringfort up",
                );
            }
            Seen::Objects(namespaces) => open.extend(namespaces.iter().filter(|one| is_low(one))),
            other => gaps.push(format!("{server}: {}", words(other))),
        }
    }
    let stray: Vec<&str> = open.iter().filter(|one| !is_waived(scene, one)).map(name).collect();
    if !stray.is_empty() {
        return fail(
            format!("below the restricted standard without a waiver: {}", stray.join(", ")),
            "kubectl delete namespace, once nobody needs what runs there",
        );
    }
    if !gaps.is_empty() {
        return gap(format!("not shown: {}", gaps.join("; ")), "ringfort up");
    }
    let by_waiver = match open.len() {
        0 => "none is".to_owned(),
        1 => "1 is, by a waiver".to_owned(),
        count => format!("{count} are, by a waiver"),
    };
    let tried = transcript.len() - 1;
    pass(format!("{tried} tries to open a namespace were refused; {by_waiver}"), transcript)
}

/// Asks every server for an open namespace, in a name that no waiver has: ringfort's own, or where
/// that one may, because it applies add-ons, the handed-over one.
fn acts(scene: &Scene) -> Vec<Act> {
    let may = |users: &BTreeSet<String>| users.contains(&Speaker::Keeper.user());
    let waived = scene.waived.iter().map(|(key, users)| {
        let speaker = if may(users) { Speaker::Admin } else { Speaker::Keeper };
        (key.as_str(), "canary", speaker)
    });
    let level = ("pod-security.kubernetes.io/enforce", "privileged", Speaker::Keeper);
    let mut acts = Vec::new();
    for (place, (key, value, speaker)) in [level].into_iter().chain(waived).enumerate() {
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {
                "name": format!("{}-open-{place}", scene.namespace),
                "labels": {key: value, "ringfort.dev/canary": "true"},
            },
        });
        let ask = |server: &NodeName| Act::Ask {
            server: server.clone(),
            speaker: speaker.clone(),
            ask: Ask::Create(namespace.clone()),
        };
        acts.extend(scene.control_planes.iter().map(ask));
    }
    let all = Ask::List { api_version: "v1".into(), kind: "Namespace".into(), namespace: None };
    acts.push(scene.ask(all));
    acts
}

fn label<'a>(namespace: &'a Value, key: &str) -> Option<&'a str> {
    namespace.get("metadata")?.get("labels")?.get(key)?.as_str()
}

fn is_low(namespace: &Value) -> bool {
    let differs = |key: &str, standard: &str| {
        let key = format!("pod-security.kubernetes.io/{key}");
        label(namespace, &key).is_some_and(|value| value != standard)
    };
    differs("enforce", "restricted") || differs("enforce-version", "latest")
}

fn is_waived(scene: &Scene, namespace: &Value) -> bool {
    scene.waived.keys().any(|key| label(namespace, key).is_some())
}

fn name<'a>(namespace: &&'a Value) -> &'a str {
    namespace.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}
