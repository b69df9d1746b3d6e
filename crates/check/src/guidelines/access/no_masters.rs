//! Nobody is put beside all rules.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::subject::each_subject;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-masters",
    title: "No binding names the group to which nothing is refused",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_masters.md"),
    judge: Judge::Object(&["RoleBinding", "ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    each_subject(binding, sheet, |subject, place, sheet| {
        match subject.kind == "Group" && subject.name == "system:masters" {
            true => sheet.fail(place, Remedy::LeaveOut),
            false => sheet.pass(place),
        }
    });
}
