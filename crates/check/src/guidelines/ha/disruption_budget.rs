//! Workloads say how many pods may go at once.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;
use ringfort_policy::Selector;
use serde::Deserialize as _;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/disruption-budget",
    title: "A workload says how many of its pods may go at once",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/run-application/configure-pdb/")],
    doc: include_str!("disruption_budget.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    if !pod.is_one_of_several(sheet) {
        return;
    }
    let place = pod.metadata.at("labels");
    let Some(labels) = pod.labels() else { return sheet.unread(&place) };
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    for (number, budget) in objects.within("PodDisruptionBudget", namespace) {
        let root = budget.root();
        let spec = root.at("spec");
        let selector = spec.at("selector");
        match read(&selector) {
            Some(selector) if selector.selects(&labels) => return sheet.pass(&place),
            Some(_) => {}
            None => return sheet.unread_in(number, &selector),
        }
    }
    match objects.complete("PodDisruptionBudget", namespace) {
        Ok(()) => {
            let remedy = Remedy::Do("write a PodDisruptionBudget that selects its pods");
            sheet.absent("PodDisruptionBudget", &place, remedy);
        }
        Err(gap) => sheet.missing(&place, gap),
    }
}

/// Reads a selector, if nothing in it is still to be filled in.
fn read(place: &Place<'_>) -> Option<Selector> {
    match place.value() {
        Field::Is(value) if !place.texts().has_template(value) => Selector::deserialize(value).ok(),
        _ => None,
    }
}
