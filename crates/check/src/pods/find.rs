//! Finds the pods that a document asks for: a Pod, the template of a workload, or those of a list.

use serde_json::Value;

use super::judged::Unreadable;
use super::pod::Pod;
use super::shape;

/// A kind of object that makes pods.
pub(crate) struct Workload {
    pub(crate) kind: &'static str,
    /// What `apiVersion` may say, the one that is served today first.
    versions: &'static [&'static str],
    /// The JSON pointer to its pod, or to the template of its pods.
    pub(crate) template: &'static str,
}

/// Gives the pods of a document. A document of something else has none; one that does not say what it is
/// has one that cannot be read.
pub fn pods(document: &Value) -> Vec<Pod<'_>> {
    let mut found = Vec::new();
    if !document.is_null() {
        gather(document, String::new(), None, &mut found);
    }
    found
}

fn gather<'a>(
    object: &'a Value,
    pointer: String,
    listed: Option<&'static Workload>,
    found: &mut Vec<Pod<'a>>,
) {
    match name(object, listed) {
        Ok(Named::Other) => {}
        Ok(Named::Pods(workload, None)) => {
            found.push(Pod { object, pointer, workload: Some(workload), unreadable: None });
        }
        Ok(Named::Pods(workload, Some(unread))) => {
            let unreadable = Some(unread.under(&pointer));
            found.push(Pod { object, pointer, workload: Some(workload), unreadable });
        }
        Ok(Named::List(items, workload)) => {
            for (index, item) in items.iter().enumerate() {
                gather(item, format!("{pointer}/items/{index}"), workload, found);
            }
        }
        Err(unread) => {
            let unreadable = Some(unread.under(&pointer));
            found.push(Pod { object, pointer, workload: None, unreadable });
        }
    }
}

/// What an object says it is.
enum Named<'a> {
    /// It makes pods. Its version may be unreadable.
    Pods(&'static Workload, Option<Unread>),
    /// Objects of one kind, or of all.
    List(&'a [Value], Option<&'static Workload>),
    Other,
}

/// A field of an object that cannot be read, and why.
struct Unread(&'static str, String);

impl Unread {
    fn under(self, pointer: &str) -> Unreadable {
        Unreadable { pointer: format!("{pointer}{}", self.0), why: self.1 }
    }
}

/// Reads what an object says it is. The items of a list of one kind need not say it.
fn name<'a>(object: &'a Value, listed: Option<&'static Workload>) -> Result<Named<'a>, Unread> {
    if !object.is_object() {
        return Err(Unread("", shape::other("an object", object)));
    }
    let version = &object["apiVersion"];
    let kind = match (&object["kind"], listed) {
        (Value::Null, Some(workload)) if version.is_null() => {
            return Ok(Named::Pods(workload, None));
        }
        (Value::String(kind), _) => kind.as_str(),
        (other, _) => return Err(Unread("/kind", shape::other("the kind of object", other))),
    };
    let (stem, is_list) = kind.strip_suffix("List").map_or((kind, false), |stem| (stem, true));
    let workload = WORKLOADS.iter().find(|workload| {
        workload.kind == stem && version.as_str().is_none_or(|version| workload.is_of(version))
    });
    match workload {
        Some(workload) if !is_list => Ok(Named::Pods(workload, workload.unread(version))),
        None if !kind.eq("List") => Ok(Named::Other),
        workload => match &object["items"] {
            Value::Null => Ok(Named::List(&[], workload)),
            Value::Array(items) => Ok(Named::List(items, workload)),
            other => Err(Unread("/items", shape::other("a list", other))),
        },
    }
}

impl Workload {
    /// Whether a version is one of its groups' versions: others have kinds of the same names.
    fn is_of(&self, version: &str) -> bool {
        let group = |version: &str| version.rsplit_once('/').map(|(group, _)| group.to_owned());
        self.versions.iter().any(|known| group(known) == group(version))
    }

    /// Says why its version cannot be read, if it cannot.
    fn unread(&self, version: &Value) -> Option<Unread> {
        match version.as_str() {
            Some(known) if self.versions.contains(&known) => None,
            _ => Some(Unread("/apiVersion", shape::other(self.versions[0], version))),
        }
    }
}

const WORKLOADS: [Workload; 9] = [
    Workload { kind: "Pod", versions: &["v1"], template: "" },
    Workload { kind: "PodTemplate", versions: &["v1"], template: "/template" },
    Workload { kind: "ReplicationController", versions: &["v1"], template: "/spec/template" },
    Workload {
        kind: "Deployment",
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"],
        template: "/spec/template",
    },
    Workload {
        kind: "ReplicaSet",
        versions: &["apps/v1", "apps/v1beta2", "extensions/v1beta1"],
        template: "/spec/template",
    },
    Workload {
        kind: "DaemonSet",
        versions: &["apps/v1", "apps/v1beta2", "extensions/v1beta1"],
        template: "/spec/template",
    },
    Workload {
        kind: "StatefulSet",
        versions: &["apps/v1", "apps/v1beta2", "apps/v1beta1"],
        template: "/spec/template",
    },
    Workload { kind: "Job", versions: &["batch/v1"], template: "/spec/template" },
    Workload {
        kind: "CronJob",
        versions: &["batch/v1", "batch/v1beta1", "batch/v2alpha1"],
        template: "/spec/jobTemplate/spec/template",
    },
];

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
