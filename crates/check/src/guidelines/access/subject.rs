//! Those who are given rights by a binding.

use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;

/// One of them.
pub(super) struct Subject<'s> {
    pub(super) kind: &'s str,
    pub(super) name: &'s str,
}

/// Visits everybody who is given rights, each with the place of their name; without any, nobody is.
pub(super) fn each_subject(
    binding: &Scene<'_>,
    sheet: &mut Sheet,
    visit: impl Fn(&Subject<'_>, &Place<'_>, &mut Sheet),
) {
    let subjects = binding.root.at("subjects");
    sheet.pass(&subjects);
    for subject in subjects.items() {
        let (kind, name) = (subject.at("kind"), subject.at("name"));
        match (kind.word(), name.word()) {
            (Field::Is(kind), Field::Is(word)) => {
                visit(&Subject { kind, name: word }, &name, sheet);
            }
            (Field::Is(_), _) => sheet.unread(&name),
            _ => sheet.unread(&kind),
        }
    }
}
