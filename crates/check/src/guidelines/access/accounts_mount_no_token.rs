//! Accounts hand their tokens to nobody who does not ask.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/accounts-mount-no-token",
    title: "A service account's token is mounted only into pods that ask for it",
    severity: Severity::Low,
    refs: &[Ref::Docs("tasks/configure-pod-container/configure-service-account/")],
    doc: include_str!("accounts_mount_no_token.md"),
    judge: Judge::Object(&["ServiceAccount"], judge),
};

fn judge(account: &Scene<'_>, sheet: &mut Sheet) {
    let flag = account.root.at("automountServiceAccountToken");
    let is_off = |it: Option<bool>| it == Some(false);
    sheet.expect(&flag, flag.boolean(), is_off, Remedy::Write(false));
}
