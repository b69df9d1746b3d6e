//! Every machine of the spec is a Ready node of the cluster, and no other is.

use std::collections::BTreeSet;

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Transcript};

use crate::proof::{Scene, fail, gap, pass, words};

/// Looks before giving up, half a second apart.
const LOOKS: usize = 240;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let list = Ask::List { api_version: "v1".into(), kind: "Node".into(), namespace: None };
    let again = || Next::Do(vec![Act::Wait { ms: 500 }, scene.ask(list.clone())]);
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Ask { .. })).count();
    let seen = transcript.iter().rev().find(|(act, _)| matches!(act, Act::Ask { .. }));
    let nodes = match seen {
        None => return Next::Do(vec![scene.ask(list)]),
        Some((_, Seen::Objects(nodes))) => nodes,
        Some(_) if looks < LOOKS => return again(),
        Some((_, other)) => {
            return gap(
                format!("nodes could not be listed: {}", words(other)),
                "is an API server up? ringfort up",
            );
        }
    };
    let wanted: BTreeSet<&str> =
        scene.control_planes.iter().chain(&scene.workers).map(|node| node.as_str()).collect();
    let name =
        |node: &Value| node.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    let ready: BTreeSet<String> =
        nodes.iter().filter(|node| is_ready(node)).filter_map(name).collect();
    let all: BTreeSet<String> = nodes.iter().filter_map(name).collect();
    let missing: Vec<_> = wanted.iter().filter(|node| !ready.contains(**node)).copied().collect();
    let strange: Vec<_> =
        all.iter().filter(|node| !wanted.contains(node.as_str())).cloned().collect();
    if !missing.is_empty() && looks < LOOKS {
        return again();
    }
    if !missing.is_empty() {
        return fail(
            format!("not Ready after 2 minutes: {}", missing.join(", ")),
            "look at kubelet there: journalctl -u kubelet",
        );
    }
    if !strange.is_empty() {
        return fail(
            format!("nodes that the spec does not name: {}", strange.join(", ")),
            "kubectl delete node, or add them to the spec",
        );
    }
    pass(
        format!("{} of {} nodes Ready, and no other node", ready.len(), wanted.len()),
        &transcript[transcript.len() - 1..],
    )
}

fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}
