//! Decides what is left to move from a node that leaves. Pure: pods come in as the API has them.

use serde_json::Value;

/// A pod that has to leave its node.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Lodger {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether it is on its way out.
    pub(super) goes: bool,
}

/// Lists the pods that have to leave before their node does, as it is now. Mirrors of static pods and
/// pods of a `DaemonSet` belong to the node and go with it; one that has ended has nothing to lose, and
/// on a node that is not ready nobody ends pods in peace.
pub(super) fn lodgers(node: Option<&Value>, pods: &[Value]) -> Vec<Lodger> {
    if !node.is_some_and(is_ready) {
        return Vec::new();
    }
    let mut lodgers: Vec<Lodger> = pods.iter().filter(|pod| must_move(pod)).map(lodger).collect();
    lodgers.sort();
    lodgers
}

/// Says whether a node's kubelet reports that it can run pods.
fn is_ready(node: &Value) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

fn must_move(pod: &Value) -> bool {
    let is_mirror = pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some();
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let is_of_node = owners.is_some_and(|all| {
        all.iter().any(|owner| owner["kind"] == "DaemonSet" && owner["controller"] == true)
    });
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
    !is_mirror && !is_of_node && !has_ended
}

fn lodger(pod: &Value) -> Lodger {
    let text =
        |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    Lodger {
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        goes: pod.pointer("/metadata/deletionTimestamp").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::lodgers;

    fn node(ready: &str) -> Value {
        json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}})
    }

    fn check(pod: &Value, expected: &[&str]) {
        let found: Vec<String> = lodgers(Some(&node("True")), std::slice::from_ref(pod))
            .iter()
            .map(|l| format!("{}/{}{}", l.namespace, l.name, if l.goes { " goes" } else { "" }))
            .collect();
        assert_eq!(found, expected, "{pod}");
    }

    fn pod(metadata: &Value, phase: &str) -> Value {
        let mut pod = json!({"metadata": metadata, "status": {"phase": phase}});
        pod["metadata"]["namespace"] = "a".into();
        pod["metadata"]["name"] = "p".into();
        pod
    }

    #[test]
    fn what_belongs_to_users_moves_and_what_belongs_to_the_node_stays() {
        let owned = |kind: &str| json!({"ownerReferences": [{"kind": kind, "controller": true}]});
        check(&pod(&json!({}), "Running"), &["a/p"]);
        check(&pod(&json!({}), "Pending"), &["a/p"]);
        check(&pod(&owned("ReplicaSet"), "Running"), &["a/p"]);
        check(
            &pod(&json!({"deletionTimestamp": "2026-11-23T20:00:00Z"}), "Running"),
            &["a/p goes"],
        );
        check(&pod(&owned("DaemonSet"), "Running"), &[]);
        check(&pod(&json!({"annotations": {"kubernetes.io/config.mirror": "x"}}), "Running"), &[]);
        check(&pod(&json!({}), "Succeeded"), &[]);
        check(&pod(&json!({}), "Failed"), &[]);
    }

    #[test]
    fn nothing_is_waited_for_on_a_node_that_is_silent_or_gone() {
        let check = |node: Option<Value>, count: usize| {
            let pods = [pod(&json!({}), "Running")];
            assert_eq!(lodgers(node.as_ref(), &pods).len(), count, "{node:?}");
        };
        check(Some(node("True")), 1);
        check(Some(node("False")), 0);
        check(Some(node("Unknown")), 0);
        check(Some(json!({})), 0);
        check(None, 0);
    }
}
