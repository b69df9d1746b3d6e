//! A process runs in a group that no machine has.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::inherited::high_id;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/high-group-id",
    title: "A process runs in a group that no machine has",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("high_group_id.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    high_id(pod, container, "runAsGroup", sheet);
}
