//! Containers of a pod do not see each other's processes.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/own-processes",
    title: "Containers of a pod do not see each other's processes",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/share-process-namespace/")],
    doc: include_str!("own_processes.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let flag = pod.spec.at("shareProcessNamespace");
    sheet.expect(&flag, flag.boolean(), |it| it != Some(true), Remedy::LeaveOut);
}
