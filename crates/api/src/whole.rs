//! Objects in which nobody but ringfort has a say. Applying keeps what others added beside ringfort's own fields, so
//! these are written as a whole as well: another container, or a condition under which a policy asks nothing,
//! does not stay.

use serde_json::Value;

/// Whether others may add to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// What was written is all that there should be, for kinds that no controller writes to.
    Whole,
    /// The fields that are named are as they say, whatever else there is.
    Named,
}

/// Kinds of which no controller of Kubernetes writes anything but metadata and status.
const KINDS: [&str; 12] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "Deployment",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];
/// What an object keeps of the server's own.
const KEPT: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

impl Extent {
    /// Gives an object as it was written and nothing more, under the server's metadata; none where others have
    /// a say in it.
    pub(crate) fn only(self, written: &Value, live: &Value, server: &Value) -> Option<Value> {
        let is_whole = self == Self::Whole && KINDS.iter().any(|kind| written["kind"] == *kind);
        let fields = written.as_object().filter(|_| is_whole)?;
        let mut only = server.clone();
        let all = only.as_object_mut()?;
        all.retain(|name, _| KEPT.contains(&name.as_str()));
        let own = fields.iter().filter(|(name, _)| !KEPT.contains(&name.as_str()));
        all.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        let metadata = all.get_mut("metadata")?.as_object_mut()?;
        // Who owns what follows from the writing.
        metadata.remove("managedFields");
        metadata.insert("resourceVersion".to_owned(), live["metadata"]["resourceVersion"].clone());
        Some(only)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Extent;

    fn written(kind: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "dns", "labels": {"a": "1"}},
               "spec": {"containers": [{"name": "dns"}]}})
    }

    fn server(kind: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "data": {"more": "x"}, "status": {"ready": 2},
               "metadata": {"name": "dns", "labels": {"a": "1", "theirs": "2"}, "resourceVersion": "8",
                            "managedFields": [{}], "uid": "u"},
               "spec": {"containers": [{"name": "dns"}, {"name": "theirs"}], "replicas": 1}})
    }

    #[test]
    fn what_others_added_is_not_in_it() {
        let live = json!({"metadata": {"resourceVersion": "7"}});
        let only =
            Extent::Whole.only(&written("Deployment"), &live, &server("Deployment")).unwrap();
        let expected = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "status": {"ready": 2},
            "metadata": {"name": "dns", "labels": {"a": "1", "theirs": "2"}, "resourceVersion": "7", "uid": "u"},
            "spec": {"containers": [{"name": "dns"}]},
        });
        assert_eq!(only, expected);
    }

    #[test]
    fn where_others_have_a_say_nothing_is_taken_away() {
        let (written, server) = (written("Deployment"), server("Deployment"));
        assert_eq!(Extent::Named.only(&written, &server, &server), None);
        let (written, server) = (self::written("Node"), self::server("Node"));
        assert_eq!(Extent::Whole.only(&written, &server, &server), None);
    }
}
