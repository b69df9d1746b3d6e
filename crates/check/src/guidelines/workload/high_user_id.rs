//! A process runs as a user that no machine has.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::inherited::{LEAST_ID, inherited};
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/high-user-id",
    title: "A process runs as a user that no machine has",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("high_user_id.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    if pod.is_for_windows() {
        return sheet.spare("Windows knows no such numbers");
    }
    let places = (container.security.at("runAsUser"), pod.security.at("runAsUser"));
    let (place, number) = inherited(&places, |place| place.integer());
    let is_high = |number: Option<i64>| number.is_some_and(|number| number >= LEAST_ID);
    sheet.expect(place, number, is_high, Remedy::Do("write a number from 10000 on"));
}
