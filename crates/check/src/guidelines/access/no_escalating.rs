//! Nobody gives rights that they do not have.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-escalating",
    title: "No role gives rights that its holder does not have",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_escalating.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["rbac.authorization.k8s.io"],
        resources: &["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
        verbs: &["bind", "escalate"],
        named: Named::Counts,
    }]),
};
