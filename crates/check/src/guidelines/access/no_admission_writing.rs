//! Nobody changes what is let into the cluster.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-admission-writing",
    title: "No role changes webhooks or policies of admission",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_admission_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["admissionregistration.k8s.io"],
        resources: &[
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
        ],
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        named: Named::Counts,
    }]),
};
