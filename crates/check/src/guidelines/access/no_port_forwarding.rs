//! Nobody opens ways into pods past policies.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-port-forwarding",
    title: "No role forwards ports into pods",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_port_forwarding.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["pods/portforward"],
        verbs: &["create", "get"],
        named: Named::Counts,
    }]),
};
