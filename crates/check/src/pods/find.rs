//! Finds the pods that a document asks for: a Pod, the template of a workload, or those of a list.

use serde_json::Value;

use super::pod::Pod;
use crate::objects::{Named, objects};

/// Gives the pods of a document. A document of something else has none; one that does not say what it is
/// has one that cannot be read.
pub fn pods(document: &Value) -> Vec<Pod<'_>> {
    let found = objects(document).into_iter().filter_map(|found| {
        let kind = match found.named {
            Named::Known(kind) if kind.template.is_some() => Some(kind),
            Named::Unsaid => None,
            Named::Known(_) | Named::Plain | Named::Foreign(_) => return None,
        };
        let (object, pointer, unreadable) = (found.object, found.pointer, found.unreadable);
        Some(Pod { object, pointer, kind, unreadable })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::pods;

    /// What is found: the pointer to each pod's object, and the pointer to what cannot be read of it.
    #[track_caller]
    fn check(document: &Value, expected: &[(&str, Option<&str>)]) {
        let found = pods(document);
        let found: Vec<_> = found
            .iter()
            .map(|pod| (pod.pointer(), pod.unreadable.as_ref().map(|it| it.pointer.as_str())))
            .collect();
        assert_eq!(found, expected, "{document}");
    }

    #[test]
    fn objects_that_make_pods_are_found() {
        let object = |version: &str, kind: &str| json!({"apiVersion": version, "kind": kind});
        check(&object("v1", "Pod"), &[("", None)]);
        check(&object("batch/v1beta1", "CronJob"), &[("", None)]);
        check(&object("v1", "Service"), &[]);
        check(&object("batch.volcano.sh/v1alpha1", "Job"), &[]);
        check(&object("example.com/v1", "PodList"), &[]);
        check(&Value::Null, &[]);
    }

    #[test]
    fn pods_of_lists_are_found() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod"});
        check(
            &json!({"apiVersion": "v1", "kind": "List", "items": [pod, {"kind": "List", "items": [pod]}]}),
            &[("/items/0", None), ("/items/1/items/0", None)],
        );
        check(
            &json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"spec": {}}]}),
            &[("/items/0", None)],
        );
    }

    #[test]
    fn what_does_not_say_what_it_is_cannot_be_read() {
        check(&json!({"spec": {}}), &[("", Some("/kind"))]);
        check(&json!({"kind": 1}), &[("", Some("/kind"))]);
        check(&json!({"kind": "Pod"}), &[("", Some("/apiVersion"))]);
        check(&json!({"kind": "Pod", "apiVersion": "v2"}), &[("", Some("/apiVersion"))]);
        check(&json!({"kind": "List"}), &[]);
        check(&json!({"kind": "List", "items": {}}), &[("", Some("/items"))]);
        check(&json!({"kind": "List", "items": [null]}), &[("/items/0", Some("/items/0"))]);
        check(&json!([1]), &[("", Some(""))]);
    }
}
