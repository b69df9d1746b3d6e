//! Nobody makes tokens of accounts.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-token-requests",
    title: "No role makes tokens of service accounts",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_token_requests.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["serviceaccounts/token"],
        verbs: &["create"],
        named: Named::Counts,
    }]),
};
