//! Nobody unknown has rights.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::own::gives_own;
use super::subject::each_subject;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-anonymous-binding",
    title: "No binding gives rights to those whom nobody knows",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_anonymous_binding.md"),
    judge: Judge::Object(&["RoleBinding", "ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    let role = binding.root.at("roleRef");
    let name = role.at("name");
    match name.word() {
        Field::Is("system:public-info-viewer") => match gives_own(binding.objects, &role) {
            Ok(true) => return sheet.pass(&name),
            Ok(false) => sheet.pass(&name),
            Err(gap) => return sheet.missing(&name, gap),
        },
        Field::Is(word) if UNKNOWN.contains(&word) => {
            sheet.fail(&name, Remedy::Do("bind a role to those who are known"));
        }
        Field::Is(_) => sheet.pass(&name),
        Field::Absent | Field::Unreadable => sheet.unread(&name),
    }
    each_subject(binding, sheet, |subject, place, sheet| match UNKNOWN.contains(&subject.name) {
        true => sheet.fail(place, Remedy::LeaveOut),
        false => sheet.pass(place),
    });
}

const UNKNOWN: [&str; 2] = ["system:anonymous", "system:unauthenticated"];
