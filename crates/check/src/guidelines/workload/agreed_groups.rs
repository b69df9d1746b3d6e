//! Pods work in the groups that their site agreed on.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/agreed-groups",
    title: "The groups of a pod are among those that its site agreed on",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/security-context/")],
    doc: include_str!("agreed_groups.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    sheet.spare("no groups are agreed on, or it names none");
    pod.whole.objects.each_agreed(|number, agreed| {
        let ranges = agreed.entry("groups");
        match ranges.list() {
            Field::Absent => {}
            Field::Unreadable => sheet.unread_in(number, &ranges),
            Field::Is(_) => judge_pod(pod, (number, &ranges), sheet),
        }
    });
}

fn judge_pod(pod: &PodScene<'_>, agreed: (usize, &Place<'_>), sheet: &mut Sheet) {
    judge_group(&pod.security.at("fsGroup"), agreed, sheet);
    judge_group(&pod.security.at("runAsGroup"), agreed, sheet);
    let more = pod.security.at("supplementalGroups");
    if more.list() == Field::Unreadable {
        sheet.unread(&more);
    }
    more.items().for_each(|group| judge_group(&group, agreed, sheet));
    pod.each_container(|container| {
        judge_group(&container.security.at("runAsGroup"), agreed, sheet);
    });
}

fn judge_group(place: &Place<'_>, (number, agreed): (usize, &Place<'_>), sheet: &mut Sheet) {
    let group = match place.integer() {
        Field::Absent => return,
        Field::Unreadable => return sheet.unread(place),
        Field::Is(group) => group,
    };
    for range in agreed.items() {
        match (range.at("least").integer(), range.at("most").integer()) {
            (Field::Is(least), Field::Is(most)) if (least..=most).contains(&group) => {
                return sheet.pass(place);
            }
            (Field::Is(_), Field::Is(_)) => {}
            _ => return sheet.unread_in(number, &range),
        }
    }
    sheet.fail(place, Remedy::Do("name a group that was agreed on"));
}
