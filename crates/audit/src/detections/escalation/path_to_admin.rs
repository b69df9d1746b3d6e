//! A way to every right opens over several objects.

use crate::detections::prelude::*;

const ACCESS: Of = Of::Resources(&[
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
]);

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/path-to-admin",
    title: "A way to every right opens over several objects",
    severity: Severity::High,
    because: "who walks it is an administrator, and no single object shows it",
    attack: &["T1098.006"],
    needs: &[
        others(WRITES, ACCESS, Level::RequestResponse),
        others(&["delete", "deletecollection"], ACCESS, Level::Metadata),
    ],
    doc: include_str!("path_to_admin.md"),
    judge: Judge::Paths,
};
