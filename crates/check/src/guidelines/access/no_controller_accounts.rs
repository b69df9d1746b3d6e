//! Nothing runs as a controller of Kubernetes but that controller.

use ringfort_model::judgement::Gap;
use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::PodScene;
use crate::upstream;
use crate::world::Namespace;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-controller-accounts",
    title: "No pod runs with the account of one of Kubernetes' controllers",
    severity: Severity::Critical,
    refs: &[Ref::Docs("reference/access-authn-authz/rbac/")],
    doc: include_str!("no_controller_accounts.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, account) = pod.account();
    match account {
        Field::Unreadable => return sheet.unread(&place),
        Field::Is(name) if upstream::is_controller(name) => {}
        Field::Is(_) | Field::Absent => return sheet.pass(&place),
    }
    let namespace = pod.whole.metadata.at("namespace");
    match pod.whole.object.namespace {
        Namespace::Said(upstream::SYSTEM) => {
            sheet.fail(&place, Remedy::Do("write an account of its own, with the rights it needs"));
        }
        Namespace::Said(_) | Namespace::Beside => {
            sheet.pass(&place);
            sheet.pass(&namespace);
        }
        Namespace::Unreadable => sheet.unread(&namespace),
        Namespace::Unsaid => sheet.missing(
            &namespace,
            Gap {
                said: "no namespace is written, and in kube-system a controller has this account"
                    .to_owned(),
                closes: "write metadata.namespace, or give --namespace".to_owned(),
            },
        ),
    }
}
