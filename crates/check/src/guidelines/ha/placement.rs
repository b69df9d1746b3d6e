//! Workloads say where they may run.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/placement",
    title: "A workload says where it may run",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/scheduling-eviction/assign-pod-node/")],
    doc: include_str!("placement.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (selector, affinity) = (pod.spec.at("nodeSelector"), pod.spec.at("affinity"));
    let node_affinity = affinity.at("nodeAffinity");
    let places =
        |it: &serde_json::Map<_, _>| it.keys().any(|key| !ABILITIES.contains(&key.as_str()));
    let is_filled = |it: &serde_json::Map<_, _>| !it.is_empty();
    if matches!(selector.object(), Field::Is(it) if places(it)) {
        sheet.pass(&selector);
    } else if matches!(node_affinity.object(), Field::Is(it) if is_filled(it)) {
        sheet.pass(&node_affinity);
    } else if selector.object() == Field::Unreadable || node_affinity.object() == Field::Unreadable
    {
        sheet.unread(&selector);
    } else {
        sheet.fail(&selector, Remedy::Do("select nodes by their labels"));
    }
}

/// Labels that say what nodes are able to run: who selects by them parts nothing.
const ABILITIES: [&str; 2] = ["kubernetes.io/arch", "kubernetes.io/os"];
