//! Nobody speaks to kubelets through the API server.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-node-proxy",
    title: "No role speaks to kubelets through the API server",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_node_proxy.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["nodes/proxy"],
        verbs: &["get", "create", "update", "patch", "delete"],
        named: Named::Counts,
    }]),
};
