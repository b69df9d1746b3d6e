//! A container keeps no capability by default.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/capabilities-dropped",
    title: "A container gives up all capabilities that runtimes give",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("capabilities_dropped.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    if pod.is_for_windows() {
        return sheet.spare("Windows has no capabilities");
    }
    let capabilities = container.security.at("capabilities");
    let dropped = capabilities.at("drop");
    let mut unread = dropped.list() == Field::Unreadable;
    for item in dropped.items() {
        match item.word() {
            Field::Is("ALL" | "all") => return sheet.pass(&dropped),
            Field::Is(_) => {}
            Field::Absent | Field::Unreadable => unread = true,
        }
    }
    match unread {
        true => sheet.unread(&dropped),
        false => sheet.fail(&dropped, Remedy::Include("ALL")),
    }
}
