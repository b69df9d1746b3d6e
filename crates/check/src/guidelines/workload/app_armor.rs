//! AppArmor is not switched off.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::guideline::{Guideline, Judge};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/app-armor",
    title: "AppArmor is not switched off",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("app_armor.md"),
    judge: Judge::Standard("appArmorProfile"),
};
