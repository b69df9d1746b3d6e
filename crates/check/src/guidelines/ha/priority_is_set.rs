//! Workloads say how much they matter.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/priority-is-set",
    title: "A workload says how much it matters",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/scheduling-eviction/pod-priority-preemption/")],
    doc: include_str!("priority_is_set.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let class = pod.spec.at("priorityClassName");
    let is_named = |it: Option<&str>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(&class, class.word(), is_named, Remedy::Do("name a PriorityClass"));
}
