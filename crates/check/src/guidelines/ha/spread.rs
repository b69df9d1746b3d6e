//! Pods of a workload do not all stand on one node.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/spread",
    title: "Pods of a workload do not all stand on one node",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/scheduling-eviction/topology-spread-constraints/")],
    doc: include_str!("spread.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    if !pod.is_one_of_several(sheet) {
        return;
    }
    let spread = pod.spec.at("topologySpreadConstraints");
    let affinity = pod.spec.at("affinity");
    let apart = affinity.at("podAntiAffinity");
    if matches!(spread.list(), Field::Is([_, ..])) {
        sheet.pass(&spread);
    } else if matches!(apart.object(), Field::Is(it) if !it.is_empty()) {
        sheet.pass(&apart);
    } else if spread.list() == Field::Unreadable || apart.object() == Field::Unreadable {
        sheet.unread(&spread);
    } else {
        sheet.fail(&spread, Remedy::Do("spread over kubernetes.io/hostname"));
    }
}
