//! Processes run as somebody other than root.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::inherited::inherited;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/non-root",
    title: "Processes run as somebody other than root",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/pod-security-standards/")],
    doc: include_str!("non_root.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    let flags = (container.security.at("runAsNonRoot"), pod.security.at("runAsNonRoot"));
    let users = (container.security.at("runAsUser"), pod.security.at("runAsUser"));
    let (flag_place, flag) = inherited(&flags, |place| place.boolean());
    let (user_place, user) = inherited(&users, |place| place.integer());
    match (flag, user) {
        (Field::Is(true), _) => sheet.pass(flag_place),
        (_, Field::Is(1..)) => sheet.pass(user_place),
        (Field::Unreadable, _) => sheet.unread(flag_place),
        (_, Field::Unreadable) => sheet.unread(user_place),
        _ => sheet.fail(flag_place, Remedy::Write(true)),
    }
}
