//! Nobody signs certificates for themselves.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-certificate-approval",
    title: "No role requests or approves certificates of the cluster",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_certificate_approval.md"),
    judge: Judge::Grants(&[
        Grant {
            groups: &["certificates.k8s.io"],
            resources: &[
                "certificatesigningrequests/approval",
                "certificatesigningrequests/status",
            ],
            verbs: &["update", "patch", "create", "approve"],
            named: Named::Counts,
        },
        Grant {
            groups: &["certificates.k8s.io"],
            resources: &["signers"],
            verbs: &["approve", "sign", "update", "create"],
            named: Named::Counts,
        },
        Grant {
            groups: &["certificates.k8s.io"],
            resources: &["certificatesigningrequests"],
            verbs: &["create", "update", "patch", "approve"],
            named: Named::Counts,
        },
    ]),
};
