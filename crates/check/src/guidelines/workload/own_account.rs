//! Workloads do not run as the default account.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::PodScene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/own-account",
    title: "A workload does not run as the default account",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/security/service-accounts/")],
    doc: include_str!("own_account.md"),
    judge: Judge::Pod(judge),
};

fn judge(pod: &PodScene<'_>, sheet: &mut Sheet) {
    let (place, name) = pod.account();
    let is_own = |name: Option<&str>| !matches!(name, None | Some("" | "default"));
    sheet.expect(&place, name, is_own, Remedy::Do("name an account of its own"));
}
