//! No capability is added.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-added-capabilities",
    title: "No capability is added",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_added_capabilities.md"),
    judge: Judge::Container(judge),
};

fn judge(_: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let capabilities = container.security.at("capabilities");
    let added = capabilities.at("add");
    if matches!(added.list(), Field::Absent | Field::Is([])) {
        return sheet.pass(&added);
    }
    if added.list() == Field::Unreadable {
        return sheet.unread(&added);
    }
    for item in added.items() {
        match item.word() {
            Field::Is(_) => sheet.fail(&item, Remedy::LeaveOut),
            Field::Absent | Field::Unreadable => sheet.unread(&item),
        }
    }
}
