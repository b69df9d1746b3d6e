//! The default account has no rights.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::each_subject;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/default-account-unbound",
    title: "The default account of a namespace is given no rights",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("default_account_unbound.md"),
    judge: Judge::Object(&["RoleBinding", "ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    each_subject(binding, sheet, |subject, place, sheet| {
        match subject.kind == "ServiceAccount" && subject.name == "default" {
            true => sheet.fail(place, Remedy::LeaveOut),
            false => sheet.pass(place),
        }
    });
}
