//! Nobody reads secrets.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-secret-reading",
    title: "No role reads secrets that it does not name",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_secret_reading.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["secrets"],
        verbs: &["get", "list", "watch"],
        named: Named::Spared,
    }]),
};
