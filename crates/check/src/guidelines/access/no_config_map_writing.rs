//! Nobody changes what DNS answers.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::grants::{Grant, Named};
use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-config-map-writing",
    title: "No role changes ConfigMaps that it does not name",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_config_map_writing.md"),
    judge: Judge::Grants(&[Grant {
        groups: &[""],
        resources: &["configmaps"],
        verbs: &["update", "patch"],
        named: Named::Spared,
    }]),
};
