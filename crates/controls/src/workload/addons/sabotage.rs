//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "edited",
    about: "somebody edits an object of an add-on in the cluster and not in its file",
    on: On::ControlPlanes,
    harms: &[Harm::Object(
        r#"{"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "addon"}, "data": {"mode": "open"}}"#,
    )],
    also: &[],
}];
