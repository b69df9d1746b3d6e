//! Accounts are there for somebody.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/accounts-are-used",
    title: "A service account is used",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/service-accounts/")],
    doc: include_str!("accounts_are_used.md"),
    judge: Judge::Object(&["ServiceAccount"], judge),
};

fn judge(account: &Scene<'_>, sheet: &mut Sheet) {
    let name = account.object.name();
    if name == "default" {
        return sheet.spare("Kubernetes makes it for every namespace");
    }
    let place = account.metadata.at("name");
    let (objects, namespace) = (account.objects, account.object.namespace);
    match (objects.users(namespace, name).1, objects.all_pods(namespace)) {
        (1.., _) => sheet.pass(&place),
        (0, Ok(())) => sheet.fail(&place, Remedy::Do("take the account away")),
        (0, Err(gap)) => sheet.missing(&place, gap),
    }
}
