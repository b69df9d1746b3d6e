//! Pods run as accounts that are there.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/accounts-exist",
    title: "The service account that a pod names is there",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/configure-service-account/")],
    doc: include_str!("accounts_exist.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, account) = pod.account();
    let name = match account {
        Field::Is("" | "default") | Field::Absent => {
            return sheet.spare("Kubernetes makes the account `default` for every namespace");
        }
        Field::Is(name) => name,
        Field::Unreadable => return sheet.unread(&place),
    };
    let (objects, namespace) = (pod.whole.objects, pod.whole.object.namespace);
    match objects.find("ServiceAccount", namespace, name) {
        Some(_) => sheet.pass(&place),
        None => match objects.complete("ServiceAccount", namespace) {
            Ok(()) => sheet.fail(&place, Remedy::Do("give the ServiceAccount along with it")),
            Err(gap) => sheet.missing(&place, gap),
        },
    }
}
