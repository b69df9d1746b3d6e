//! Who takes over a pod does not get the cluster with it.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::is_account;
use super::takeover::takes_over;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;
use crate::world::Namespace;
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/pods-cannot-take-over",
    title: "The account of a pod has no right by which the cluster is taken over",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("pods_cannot_take_over.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, account) = pod.account();
    let name = match account.or("default") {
        Field::Is("") => "default",
        Field::Is(name) => name,
        _ => return sheet.unread(&place),
    };
    if !may_have_token(pod, name, sheet) {
        return;
    }
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    match objects.complete("ClusterRoleBinding", Namespace::Beside) {
        Ok(()) => sheet.pass(&place),
        Err(gap) => sheet.missing(&place, gap),
    }
    for (number, binding) in objects.within("ClusterRoleBinding", Namespace::Beside) {
        let root = binding.root();
        let subjects = root.at("subjects");
        match (is_account(&subjects, namespace, name), takes_over(objects, &root.at("roleRef"))) {
            (Some(true), Some(true)) => {
                return sheet.fail(&place, Remedy::Do("bind the account to what it needs alone"));
            }
            (Some(false), _) | (_, Some(false)) => {}
            (None, _) => sheet.unread_in(number, &subjects),
            (Some(true), None) => sheet.missing(
                &place,
                Gap {
                    said: format!("what {} gives its account is not known", binding.name()),
                    closes: "give every ClusterRole".to_owned(),
                },
            ),
        }
    }
}

/// Whether a pod may have a token of its account; where it has none, or that cannot be read, the sheet says so.
fn may_have_token(pod: &PodScene<'_>, account: &str, sheet: &mut Sheet) -> bool {
    let flag = pod.spec.at("automountServiceAccountToken");
    match flag.boolean() {
        Field::Is(true) => return true,
        Field::Is(false) => sheet.pass(&flag),
        Field::Unreadable => sheet.unread(&flag),
        Field::Absent => return may_mount(pod, account, &flag, sheet),
    }
    false
}

/// The same by what the account says, where the pod says nothing.
fn may_mount(pod: &PodScene<'_>, account: &str, flag: &Place<'_>, sheet: &mut Sheet) -> bool {
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    let Some((number, account)) = objects.find("ServiceAccount", namespace, account) else {
        let complete = objects.complete("ServiceAccount", namespace);
        return complete.map_err(|gap| sheet.missing(flag, gap)).is_ok();
    };
    let root = account.root();
    let of_account = root.at("automountServiceAccountToken");
    match of_account.boolean() {
        Field::Is(true) | Field::Absent => return true,
        Field::Is(false) => sheet.pass(flag),
        Field::Unreadable => sheet.unread_in(number, &of_account),
    }
    false
}
