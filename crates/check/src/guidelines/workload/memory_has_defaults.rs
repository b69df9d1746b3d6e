//! A namespace has defaults and bounds of memory.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::limit_range::says;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/memory-has-defaults",
    title: "A namespace has defaults and bounds of memory for its containers",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/policy/limit-range/")],
    doc: include_str!("memory_has_defaults.md"),
    judge: Judge::Object(&["Namespace"], judge),
};

fn judge(namespace: &Scene<'_>, sheet: &mut Sheet) {
    says("memory", namespace, sheet);
}
