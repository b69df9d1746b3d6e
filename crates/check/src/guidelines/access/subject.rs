//! Those who are given rights by a binding.

use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;
use crate::world::Namespace;

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

/// Whether rights for a subject are rights for everybody: for all who are known, for all accounts, or for all who
/// reach the cluster.
pub(super) fn is_everybody(subject: &Subject<'_>) -> bool {
    match subject.kind {
        "Group" => EVERYBODY.contains(&subject.name),
        kind => kind == "User" && subject.name == "system:anonymous",
    }
}

const EVERYBODY: [&str; 3] =
    ["system:authenticated", "system:serviceaccounts", "system:unauthenticated"];

/// Whether an account of a namespace is among those who are given rights, by its name or with all accounts;
/// nothing where that cannot be read.
pub(super) fn is_account(
    subjects: &Place<'_>,
    namespace: Namespace<'_>,
    account: &str,
) -> Option<bool> {
    let mut answer = (subjects.list() != Field::Unreadable).then_some(false);
    for subject in subjects.items() {
        match is_subject(&subject, namespace, account) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => answer = None,
        }
    }
    answer
}

fn is_subject(subject: &Place<'_>, namespace: Namespace<'_>, account: &str) -> Option<bool> {
    let (kind, name, within) = (subject.at("kind"), subject.at("name"), subject.at("namespace"));
    let (Field::Is(kind), Field::Is(name)) = (kind.word(), name.word()) else { return None };
    match (kind, within.word()) {
        ("Group", _) => match name.strip_prefix("system:serviceaccounts:") {
            Some(of) => is_named(namespace, of),
            None => Some(matches!(name, "system:authenticated" | "system:serviceaccounts")),
        },
        ("ServiceAccount", _) if name != account => Some(false),
        ("ServiceAccount", Field::Is(within)) => is_named(namespace, within),
        // Without a namespace the API server refuses it.
        ("ServiceAccount", _) => None,
        _ => Some(false),
    }
}

fn is_named(namespace: Namespace<'_>, name: &str) -> Option<bool> {
    match namespace {
        Namespace::Said(said) => Some(said == name),
        Namespace::Unsaid | Namespace::Unreadable | Namespace::Beside => None,
    }
}
