//! Nobody gives rights to everybody.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::own::gives_own;
use super::subject::each_subject;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;
use crate::upstream;

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
    let bound = binding.root.at("roleRef");
    let role = bound.at("name");
    let own = gives_own(binding.objects, &bound);
    each_subject(binding, sheet, |subject, place, sheet| {
        let is_everybody = subject.kind == "Group"
            && matches!(subject.name, "system:authenticated" | "system:serviceaccounts");
        match role.word() {
            _ if !is_everybody => sheet.pass(place),
            Field::Is(name) if !is_own(name, subject.name) => sheet.fail(place, Remedy::LeaveOut),
            Field::Is(_) => match &own {
                Ok(true) => sheet.pass(place),
                Ok(false) => sheet.fail(place, Remedy::LeaveOut),
                Err(gap) => sheet.missing(place, gap.clone()),
            },
            Field::Absent | Field::Unreadable => sheet.unread(&role),
        }
    });
}

/// Whether API servers themselves bind a role to a group of everybody at each start: what they give so is who one is,
/// which APIs there are, which version, and by which keys and authorities others are checked.
fn is_own(role: &str, group: &str) -> bool {
    upstream::binds("ClusterRole", role, &format!("to Group {group}"))
}
