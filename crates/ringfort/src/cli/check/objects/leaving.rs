//! Which objects of a cluster are about to be gone. A finalizer keeps an object as long as somebody likes, and a pod may
//! run on for as long as its grace: what is kept by either is there, and is judged like any other.

use std::collections::BTreeSet;

use serde_json::Value;

/// Namespaces that are being deleted, in which nothing can be made any more.
#[derive(Default)]
pub(super) struct Leaving(BTreeSet<String>);

impl Leaving {
    /// Whether an object is being deleted, or its namespace is, and nothing keeps it. Namespaces are to come before
    /// what is in them.
    pub(super) fn takes(&mut self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let within = metadata["namespace"].as_str().is_some_and(|it| self.0.contains(it));
        let is_deleted = within || metadata["deletionTimestamp"].is_string();
        let is_taken = is_deleted && !is_finalized(metadata) && is_short(object);
        if is_taken && object["apiVersion"] == "v1" && object["kind"] == "Namespace" {
            self.0.extend(metadata["name"].as_str().map(str::to_owned));
        }
        is_taken
    }
}

/// Whether somebody has still to agree that an object goes.
fn is_finalized(metadata: &Value) -> bool {
    match &metadata["finalizers"] {
        Value::Null => false,
        Value::Array(all) => !all.is_empty(),
        _ => true,
    }
}

/// Whether a pod is given no more than the time that a program needs to end. Others are given none.
fn is_short(object: &Value) -> bool {
    if object["kind"] != "Pod" {
        return true;
    }
    let given = [
        &object["metadata"]["deletionGracePeriodSeconds"],
        &object["spec"]["terminationGracePeriodSeconds"],
    ];
    let said = given.into_iter().find(|it| !it.is_null());
    said.is_none_or(|it| it.as_i64().is_some_and(|seconds| seconds <= LONGEST_SECONDS))
}

/// Few programs need more to end, and nobody hides in it for long.
const LONGEST_SECONDS: i64 = 600;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Leaving;

    fn object(kind: &str, metadata: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {}})
    }

    fn deleted(kind: &str) -> Value {
        let at = "2026-01-01T00:00:00Z";
        object(kind, &json!({"name": "a", "namespace": "shop", "deletionTimestamp": at}))
    }

    fn is_taken(object: &Value) -> bool {
        Leaving::default().takes(object)
    }

    #[test]
    fn what_is_being_deleted_leaves_unless_a_finalizer_keeps_it() {
        let mut role = deleted("Role");
        assert!(is_taken(&role));
        role["metadata"]["finalizers"] = json!([]);
        assert!(is_taken(&role));
        role["metadata"]["finalizers"] = json!(["example.com/kept"]);
        assert!(!is_taken(&role));
        assert!(!is_taken(&object("Role", &json!({"name": "a", "namespace": "shop"}))));
    }

    #[test]
    fn a_pod_that_is_given_long_is_there() {
        let check = |deletion: Value, own: Value, expected: bool| {
            let mut pod = deleted("Pod");
            pod["metadata"]["deletionGracePeriodSeconds"] = deletion;
            pod["spec"]["terminationGracePeriodSeconds"] = own;
            assert_eq!(is_taken(&pod), expected, "{pod}");
        };
        check(Value::Null, Value::Null, true);
        check(json!(30), json!(86400), true);
        check(json!(86400), json!(30), false);
        check(Value::Null, json!(86400), false);
        check(json!("30"), Value::Null, false);
    }

    #[test]
    fn what_is_in_a_namespace_leaves_with_it() {
        let at = "2026-01-01T00:00:00Z";
        let namespace = object("Namespace", &json!({"name": "shop", "deletionTimestamp": at}));
        let within = object("Role", &json!({"name": "a", "namespace": "shop"}));
        let beside = object("Role", &json!({"name": "a", "namespace": "den"}));
        let mut kept = within.clone();
        kept["metadata"]["finalizers"] = json!(["example.com/kept"]);
        let mut leaving = Leaving::default();
        let taken = [&namespace, &within, &beside, &kept].map(|it| leaving.takes(it));
        assert_eq!(taken, [true, true, false, false]);

        // Whoever keeps a namespace may have kept what is in it as well.
        let mut held = namespace;
        held["metadata"]["finalizers"] = json!(["example.com/kept"]);
        let mut leaving = Leaving::default();
        assert_eq!([&held, &within].map(|it| leaving.takes(it)), [false, false]);
    }
}
