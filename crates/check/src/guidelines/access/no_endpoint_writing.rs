//! Nobody leads a Service's traffic elsewhere.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-endpoint-writing",
    title: "No role makes or changes the endpoints of Services",
    severity: Severity::Medium,
    refs: &[Ref::Docs("reference/access-authn-authz/rbac/")],
    doc: include_str!("no_endpoint_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &["", "discovery.k8s.io"],
        resources: &["endpoints", "endpointslices"],
        verbs: &["create", "update", "patch"],
        named: Named::Spared,
    }]),
};
