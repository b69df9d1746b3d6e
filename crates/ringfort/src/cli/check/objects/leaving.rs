//! Which objects of a cluster are about to be gone. A finalizer keeps an object as long as somebody likes, a pod may run
//! on for as long as its grace, and where nobody ends it, as on a machine that is away, for longer: what should be gone
//! by now and is not is there, and is judged like any other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// Namespaces that are being deleted, in which nothing can be made any more.
#[derive(Default)]
pub(super) struct Leaving {
    /// When the cluster is read.
    now: Timestamp,
    /// When each of them was deleted.
    namespaces: BTreeMap<String, Timestamp>,
}

impl Leaving {
    /// Begins with none, at a time.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, namespaces: BTreeMap::new() }
    }

    /// Whether an object is being deleted, or its namespace is, nothing keeps it, and its time has not long passed.
    /// Namespaces are to come before what is in them.
    pub(super) fn takes(&mut self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let Some(end) = self.end(metadata) else { return false };
        let away = end.as_second().abs_diff(self.now.as_second());
        let is_taken = away <= longest(object) && !is_finalized(metadata) && is_short(object);
        if is_taken && object["apiVersion"] == "v1" && object["kind"] == "Namespace" {
            let name = metadata["name"].as_str();
            self.namespaces.extend(name.map(|name| (name.to_owned(), end)));
        }
        is_taken
    }

    /// Gives when the grace of an object ends, by its own time before that of its namespace. What is no time tells none.
    fn end(&self, metadata: &Value) -> Option<Timestamp> {
        match &metadata["deletionTimestamp"] {
            Value::Null => self.namespaces.get(metadata["namespace"].as_str()?).copied(),
            own => own.as_str()?.parse().ok(),
        }
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

/// Whether a pod is given no more than what pods are given where nobody says anything. Others are given none.
fn is_short(object: &Value) -> bool {
    if object["kind"] != "Pod" {
        return true;
    }
    let given = [
        &object["metadata"]["deletionGracePeriodSeconds"],
        &object["spec"]["terminationGracePeriodSeconds"],
    ];
    let said = given.into_iter().find(|it| !it.is_null());
    said.is_none_or(|it| it.as_u64().is_some_and(|seconds| seconds <= LONGEST_OF_PODS))
}

/// So far from now, in seconds, an object's time may be.
fn longest(object: &Value) -> u64 {
    if object["kind"] == "Pod" { LONGEST_OF_PODS } else { LONGEST }
}

/// What is in a large namespace is gone by then.
const LONGEST: u64 = 600;

/// A pod runs until it is ended, so nobody is to hide in that time: no more than its usual grace, and again as much.
const LONGEST_OF_PODS: u64 = 30;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{LONGEST, LONGEST_OF_PODS, Leaving};

    /// When all of it was deleted.
    const AT: &str = "2026-01-01T00:00:00Z";

    /// The machine's clock, so many seconds later.
    fn after(seconds: i64) -> Leaving {
        let at: jiff::Timestamp = AT.parse().unwrap();
        Leaving::new(jiff::Timestamp::from_second(at.as_second() + seconds).unwrap())
    }

    fn object(kind: &str, metadata: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {}})
    }

    fn deleted(kind: &str) -> Value {
        object(kind, &json!({"name": "a", "namespace": "shop", "deletionTimestamp": AT}))
    }

    fn is_taken(object: &Value) -> bool {
        after(10).takes(object)
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
        check(json!(31), json!(30), false);
        check(json!(86400), json!(30), false);
        check(Value::Null, json!(86400), false);
        check(json!("30"), Value::Null, false);
    }

    /// Where the kubelet is stopped, or a namespace hangs, what was deleted is there without limit.
    #[test]
    fn what_should_be_gone_by_now_is_there() {
        let check = |kind: &str, longest: u64| {
            let longest = i64::try_from(longest).unwrap();
            for (seconds, expected) in [
                (longest, true),
                (longest + 1, false),
                (86_400, false),
                (-longest, true),
                (-longest - 1, false),
            ] {
                let object = deleted(kind);
                assert_eq!(after(seconds).takes(&object), expected, "{kind} {seconds}");
            }
        };
        check("Pod", LONGEST_OF_PODS);
        check("Role", LONGEST);
        let mut role = deleted("Role");
        role["metadata"]["deletionTimestamp"] = json!("lately");
        assert!(!is_taken(&role), "no time");
    }

    #[test]
    fn what_is_in_a_namespace_leaves_with_it() {
        let namespace = object("Namespace", &json!({"name": "shop", "deletionTimestamp": AT}));
        let within = object("Role", &json!({"name": "a", "namespace": "shop"}));
        let beside = object("Role", &json!({"name": "a", "namespace": "den"}));
        let mut kept = within.clone();
        kept["metadata"]["finalizers"] = json!(["example.com/kept"]);
        let mut leaving = after(10);
        let taken = [&namespace, &within, &beside, &kept].map(|it| leaving.takes(it));
        assert_eq!(taken, [true, true, false, false]);

        // Whoever keeps a namespace may have kept what is in it as well.
        let mut held = namespace;
        held["metadata"]["finalizers"] = json!(["example.com/kept"]);
        let mut leaving = after(10);
        assert_eq!([&held, &within].map(|it| leaving.takes(it)), [false, false]);

        // One that hangs keeps what is in it, and what is older than it goes by its own time.
        let namespace = deleted_at(&held, AT);
        let mut leaving = after(601);
        assert_eq!([&namespace, &within].map(|it| leaving.takes(it)), [false, false]);
        let old = deleted_at(&within, "2025-12-01T00:00:00Z");
        let mut leaving = after(10);
        assert_eq!([&namespace, &old].map(|it| leaving.takes(it)), [true, false]);
    }

    /// Gives an object as it is where it was deleted and nothing keeps it.
    fn deleted_at(object: &Value, at: &str) -> Value {
        let mut object = object.clone();
        object["metadata"]["deletionTimestamp"] = json!(at);
        object["metadata"]["finalizers"] = json!([]);
        object
    }
}
