//! Rights are named.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-wildcards",
    title: "A role names what it gives",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/rbac-good-practices/")],
    doc: include_str!("no_wildcards.md"),
    judge: Judge::Object(&["Role", "ClusterRole"], judge),
};

fn judge(role: &Scene<'_>, sheet: &mut Sheet) {
    let rules = role.root.at("rules");
    sheet.pass(&rules);
    for rule in rules.items() {
        for part in ["apiGroups", "resources", "verbs", "nonResourceURLs"] {
            for item in rule.at(part).items() {
                match item.word() {
                    Field::Is(word) if word == "*" || word.starts_with("*/") => {
                        sheet.fail(&item, Remedy::Do("name what is needed"));
                    }
                    Field::Is(_) => {}
                    Field::Absent | Field::Unreadable => sheet.unread(&item),
                }
            }
        }
    }
}
