//! Pods that do not speak to the API have no token.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-token-mount",
    title: "A pod that does not ask for a token has none",
    severity: Severity::Medium,
    refs: &[Ref::Docs("tasks/configure-pod-container/configure-service-account/")],
    doc: include_str!("no_token_mount.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let flag = pod.spec.at("automountServiceAccountToken");
    match flag.boolean() {
        Field::Is(false) => sheet.pass(&flag),
        Field::Is(true) => sheet.fail(&flag, Remedy::Write(false)),
        Field::Unreadable => sheet.unread(&flag),
        Field::Absent => by_account(pod, &flag, sheet),
    }
}

/// Judges by what the account says, where the pod says nothing.
fn by_account(pod: &PodScene<'_>, flag: &Place<'_>, sheet: &mut Sheet) {
    let (name_place, name) = pod.account();
    let Field::Is(name) = name.or("default") else { return sheet.unread(&name_place) };
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    match objects.find("ServiceAccount", namespace, name) {
        Some((number, account)) => {
            let root = account.root();
            let of_account = root.at("automountServiceAccountToken");
            match of_account.boolean() {
                Field::Is(false) => sheet.pass(flag),
                Field::Unreadable => sheet.unread_in(number, &of_account),
                _ => sheet.fail(flag, Remedy::Write(false)),
            }
        }
        None => match objects.complete("ServiceAccount", namespace) {
            Ok(()) => sheet.fail(flag, Remedy::Write(false)),
            Err(gap) => sheet.missing(flag, gap),
        },
    }
}
