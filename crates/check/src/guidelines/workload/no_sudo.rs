//! No container begins by becoming root.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/no-sudo",
    title: "No container is started by sudo",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("no_sudo.md"),
    judge: Judge::Container(judge),
};

fn judge(_: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    for key in ["command", "args"] {
        let words = container.place.at(key);
        match words.list() {
            Field::Absent => sheet.pass(&words),
            Field::Unreadable => sheet.unread(&words),
            Field::Is(_) => {
                sheet.pass(&words);
                for word in words.items() {
                    let begins = |it: Option<&str>| !it.is_some_and(is_sudo);
                    sheet.expect(&word, word.word(), begins, Remedy::LeaveOut);
                }
            }
        }
    }
}

/// Whether a word is the program, or a line of a shell that begins with it.
fn is_sudo(word: &str) -> bool {
    let program = word.split_whitespace().next().unwrap_or_default();
    program.rsplit('/').next() == Some("sudo")
}
