//! A container says how much memory it needs.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::resources::{Wanted, is_set};
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/memory-request",
    title: "A container says how much memory it needs",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/manage-resources-containers/")],
    doc: include_str!("memory_request.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    is_set(Wanted::Request("memory"), pod, container, sheet);
}
