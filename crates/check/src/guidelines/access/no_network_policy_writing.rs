//! Nobody opens the network.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-network-policy-writing",
    title: "No role changes network policies",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_network_policy_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["networking.k8s.io"],
        resources: &["networkpolicies"],
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        named: Named::Counts,
    }]),
};
