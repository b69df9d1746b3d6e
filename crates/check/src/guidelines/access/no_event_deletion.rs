//! Nobody covers their tracks.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-event-deletion",
    title: "No role deletes events",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_event_deletion.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["", "events.k8s.io"],
        resources: &["events"],
        verbs: &["delete", "deletecollection"],
        named: Named::Counts,
    }]),
};
