//! Nobody is bound to everything.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-cluster-admin-binding",
    title: "No binding gives everything",
    severity: Severity::Critical,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_cluster_admin_binding.md"),
    judge: Judge::Object(&["RoleBinding", "ClusterRoleBinding"], judge),
};

fn judge(binding: &Scene<'_>, sheet: &mut Sheet) {
    let role = binding.root.at("roleRef");
    let (kind, name) = (role.at("kind"), role.at("name"));
    match (kind.word(), name.word()) {
        (Field::Is("Role"), _) => sheet.pass(&kind),
        (_, Field::Is("cluster-admin")) if kind.word() == Field::Unreadable => sheet.unread(&kind),
        (_, Field::Is("cluster-admin")) => sheet.fail(&name, Remedy::Do("bind what is needed")),
        (_, Field::Is(_)) => sheet.pass(&name),
        (_, Field::Absent | Field::Unreadable) => sheet.unread(&name),
    }
}
