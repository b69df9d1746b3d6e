//! Containers ask for what their site agreed on.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::amount::amount;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/agreed-resources",
    title: "What a container asks for and is held to is within what its site agreed on",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/manage-resources-containers/")],
    doc: include_str!("agreed_resources.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    sheet.spare("no bounds are agreed on for what it says");
    let said = container.place.at("resources");
    pod.whole.objects.each_agreed(|number, agreed| {
        let resources = agreed.entry("resources");
        for side in ["limits", "requests"] {
            let (bounds, list) = (resources.entry(side), said.at(side));
            if matches!(bounds.object(), Field::Unreadable) {
                sheet.unread_in(number, &bounds);
            }
            for (resource, bound) in bounds.fields() {
                if bounds.texts().is_template(resource) {
                    sheet.unread_in(number, &bound);
                }
                judge_amount(&list.entry(resource), (number, &bound), sheet);
            }
        }
    });
}

/// Judges an amount that is written. That one is written is asked by others.
fn judge_amount(place: &Place<'_>, (number, bound): (usize, &Place<'_>), sheet: &mut Sheet) {
    let said = match amount(place) {
        Field::Absent => return,
        Field::Unreadable => return sheet.unread(place),
        Field::Is(said) => said,
    };
    let mut is_within = true;
    for (key, is_beyond) in [("least", f64::lt as fn(&f64, &f64) -> bool), ("most", f64::gt)] {
        let written = bound.entry(key);
        match amount(&written) {
            Field::Absent => {}
            Field::Unreadable => return sheet.unread_in(number, &written),
            Field::Is(agreed) => is_within &= !is_beyond(&said, &agreed),
        }
    }
    match is_within {
        true => sheet.pass(place),
        false => sheet.fail(place, Remedy::Do("write an amount within what the site agreed on")),
    }
}
