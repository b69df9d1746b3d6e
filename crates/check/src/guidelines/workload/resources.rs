//! What of a resource a container asks for and what it is held to, whoever says it.

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene, Stage};

/// What must be set of a resource.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// What is set aside for the container.
    Request(&'static str),
    /// What it can never exceed.
    Limit(&'static str),
}

impl Wanted {
    fn resource(self) -> &'static str {
        match self {
            Self::Request(resource) | Self::Limit(resource) => resource,
        }
    }

    /// Where a container or a pod says it. That Kubernetes makes a request of a limit is not asked for:
    /// it sets aside the most that the container may ever take, and nobody said that it needs it.
    fn of_container(self) -> &'static str {
        match self {
            Self::Request(_) => "requests",
            Self::Limit(_) => "limits",
        }
    }

    /// Where a LimitRange says it: Kubernetes takes the most for a limit that is not said, the limit for a
    /// request that is not said, and then the least.
    fn of_range(self) -> &'static [&'static str] {
        match self {
            Self::Request(_) => &["defaultRequest", "default", "max", "min"],
            Self::Limit(_) => &["default", "max"],
        }
    }
}

/// Asks that something of a resource is set for a container.
pub(super) fn is_set(
    wanted: Wanted,
    pod: &PodScene<'_>,
    container: &Container<'_>,
    sheet: &mut Sheet,
) {
    if container.stage == Stage::Debugging {
        return sheet.spare("containers for debugging have no resources of their own");
    }
    for of in [container.place, pod.spec] {
        let resources = of.at("resources");
        let list = resources.at(wanted.of_container());
        let amount = list.entry(wanted.resource());
        match says_amount(&amount) {
            Some(true) => return sheet.pass(&amount),
            Some(false) => {}
            None => return sheet.unread(&amount),
        }
    }
    let resources = container.place.at("resources");
    let list = resources.at(wanted.of_container());
    by_ranges(wanted, pod, &list.at(wanted.resource()), sheet);
}

/// Judges by the LimitRanges of the namespace, where neither container nor pod says anything.
fn by_ranges(wanted: Wanted, pod: &PodScene<'_>, place: &Place<'_>, sheet: &mut Sheet) {
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    for (number, range) in objects.within("LimitRange", namespace) {
        let root = range.root();
        for item in root.at("spec").at("limits").items() {
            match item.at("type").word() {
                Field::Is("Container") => {}
                Field::Is(_) => continue,
                Field::Absent | Field::Unreadable => {
                    return sheet.unread_in(number, &item.at("type"));
                }
            }
            for part in wanted.of_range() {
                let list = item.at(part);
                let amount = list.entry(wanted.resource());
                match says_amount(&amount) {
                    Some(true) => return sheet.pass(place),
                    Some(false) => {}
                    None => return sheet.unread_in(number, &amount),
                }
            }
        }
    }
    match objects.complete("LimitRange", namespace) {
        Ok(()) => sheet.fail(place, Remedy::Do("write an amount")),
        Err(gap) => sheet.missing(place, gap),
    }
}

/// Whether an amount stands somewhere, nothing where that cannot be read. Zero is none.
fn says_amount(amount: &Place<'_>) -> Option<bool> {
    match (amount.value(), amount.word()) {
        (Field::Absent, _) => Some(false),
        (Field::Is(serde_json::Value::Number(number)), _) => Some(number.as_f64() != Some(0.0)),
        (_, Field::Is(text)) => Some(text.contains(|it| matches!(it, '1'..='9'))),
        _ => None,
    }
}
