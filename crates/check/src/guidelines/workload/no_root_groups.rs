//! Nobody is in root's group besides their own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-root-groups",
    title: "Nobody is in root's group besides their own",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("no_root_groups.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let group = pod.security.at("fsGroup");
    sheet.expect(&group, group.integer(), |it| it != Some(0), Remedy::LeaveOut);
    for group in pod.security.at("supplementalGroups").items() {
        sheet.expect(&group, group.integer(), |it| it != Some(0), Remedy::LeaveOut);
    }
}
