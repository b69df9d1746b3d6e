//! Nobody gives rights to everybody.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::each_subject;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-rights-for-everyone",
    title: "No binding gives rights to everybody",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_rights_for_everyone.md"),
    judge: Judge::Object(&["RoleBinding", "ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    each_subject(binding, sheet, |subject, place, sheet| {
        match subject.kind == "Group"
            && matches!(subject.name, "system:authenticated" | "system:serviceaccounts")
        {
            true => sheet.fail(place, Remedy::LeaveOut),
            false => sheet.pass(place),
        }
    });
}
