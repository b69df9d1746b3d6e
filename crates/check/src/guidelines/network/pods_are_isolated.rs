//! Network policies hold of every pod, both ways.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;
use crate::world::Policy;
use ringfort_model::judgement::Gap;
use ringfort_policy::Direction;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/pods-are-isolated",
    title: "A pod is reached, and reaches others, only as policies allow",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/network-policies/")],
    doc: include_str!("pods_are_isolated.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    match pod.spec.at("hostNetwork").boolean() {
        Field::Is(true) => return sheet.spare("on its node's network no policy reaches it"),
        Field::Unreadable => return sheet.unread(&pod.spec.at("hostNetwork")),
        _ => {}
    }
    let labels_place = pod.metadata.at("labels");
    let Some(labels) = pod.labels() else { return sheet.unread(&labels_place) };
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    let policies = objects.policies(namespace);
    let by_itself = objects.closed_by_itself(namespace);
    if let Ok(Some(notice)) = by_itself {
        // A policy that selects the pod closes what the cluster closes otherwise.
        sheet.pass(&pod.whole.metadata.at("namespace"));
        let root = objects.get(notice).root();
        return sheet.pass_in(notice, &root.at("data"));
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let closes =
            |policy: &&Policy| policy.read.as_ref().is_some_and(|it| it.closes(&labels, direction));
        if policies.iter().any(|policy| closes(&policy))
            || objects.is_closed_by_others(namespace, &labels, direction)
        {
            sheet.pass(&labels_place);
        } else if let Some(unread) = policies.iter().find(|policy| policy.read.is_none()) {
            let object = objects.get(unread.number);
            let root = object.root();
            sheet.unread_in(unread.number, &root.at("spec"));
        } else if let Err(gap) = &by_itself {
            sheet.missing(&pod.whole.metadata.at("namespace"), gap.clone());
        } else {
            open(pod, direction, policies, sheet);
        }
    }
}

/// Says that a way of a pod is open, if it is known that no other policy closes it.
fn open(pod: &PodScene<'_>, direction: Direction, policies: &[Policy], sheet: &mut Sheet) {
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    let place = pod.whole.metadata.at("namespace");
    if let Err(gap) = objects.complete("NetworkPolicy", namespace) {
        return sheet.missing(&place, gap);
    }
    if let Some(kind) = objects.foreign_policy() {
        let said = format!("what {kind} closes is not known");
        let closes = "write a NetworkPolicy".to_owned();
        return sheet.missing(&place, Gap { said, closes });
    }
    match policies.first() {
        None => sheet.absent("NetworkPolicy", &place, Remedy::Do(write(direction))),
        Some(policy) => {
            let object = objects.get(policy.number);
            let root = object.root();
            let spec = root.at("spec");
            let types = spec.at("policyTypes");
            let only = types.items().last();
            let place = only.as_ref().unwrap_or(&types);
            sheet.fail_in(policy.number, place, Remedy::Do("select all pods, and name both ways"));
        }
    }
}

fn write(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => {
            "write a policy that selects it and says from whom it is reached (Ingress)"
        }
        Direction::Egress => {
            "write a policy that selects it and says whom it reaches (Egress): it closes DNS unless it lists it"
        }
    }
}
