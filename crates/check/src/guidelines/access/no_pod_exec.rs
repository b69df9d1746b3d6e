//! Nobody runs programs in pods of others.

use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-pod-exec",
    title: "No role lets anybody run programs in pods",
    severity: Severity::High,
    refs: &[],
    doc: include_str!("no_pod_exec.md"),
    judge: Judge::Grants(&[
        Grant {
            groups: &[""],
            resources: &["pods/exec"],
            verbs: &["create", "get"],
            named: Named::Counts,
        },
        Grant {
            groups: &[""],
            resources: &["pods/ephemeralcontainers"],
            verbs: &["update", "patch"],
            named: Named::Counts,
        },
    ]),
};
