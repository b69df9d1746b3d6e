//! Nobody acts as somebody else.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-impersonation",
    title: "No role lets anybody act as somebody else",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_impersonation.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["", "authentication.k8s.io"],
        resources: &["users", "groups", "serviceaccounts", "uids", "userextras"],
        verbs: &["impersonate"],
        named: Named::Counts,
    }]),
};
