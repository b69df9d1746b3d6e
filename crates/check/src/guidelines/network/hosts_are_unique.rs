//! Two Ingresses do not answer for the same.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/hosts-are-unique",
    title: "No two Ingresses answer for the same host and path",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/ingress/")],
    doc: include_str!("hosts_are_unique.md"),
    judge: Judge::Object(&["Ingress"], judge),
};

fn judge(ingress: &Scene<'_>, sheet: &mut Sheet) {
    let (objects, namespace) = (ingress.objects, ingress.object.namespace);
    let spec = ingress.root.at("spec");
    let rules = spec.at("rules");
    if matches!(rules.list(), Field::Unreadable) {
        return sheet.unread(&rules);
    }
    match objects.complete("Ingress", namespace) {
        Ok(()) => sheet.pass(&rules),
        Err(gap) => sheet.missing(&rules, gap),
    }
    for rule in rules.items() {
        let host = rule.at("host");
        match host.word() {
            // What is for every host is asked to name one.
            Field::Absent | Field::Is("") => {}
            Field::Is(name) => judge_host(ingress, (name, &host), &rule, sheet),
            Field::Unreadable => sheet.unread(&host),
        }
    }
}

/// Judges a host by what every other Ingress says.
fn judge_host(
    ingress: &Scene<'_>,
    (name, host): (&str, &Place<'_>),
    rule: &Place<'_>,
    sheet: &mut Sheet,
) {
    let own = ingress.object;
    for (number, other) in ingress.objects.of_kind("Ingress") {
        if (other.origin, &other.pointer) == (own.origin, &own.pointer) {
            continue;
        }
        let root = other.root();
        let spec = root.at("spec");
        for theirs in spec.at("rules").items() {
            let place = theirs.at("host");
            match place.word() {
                Field::Is(word) if word == name => {}
                Field::Is(_) | Field::Absent => continue,
                Field::Unreadable => {
                    sheet.unread_in(number, &place);
                    continue;
                }
            }
            match (other.namespace == own.namespace, paths(rule), paths(&theirs)) {
                (false, ..) => sheet.fail(host, INSTEAD),
                (true, Some(ours), Some(theirs)) if ours.iter().any(|it| theirs.contains(it)) => {
                    sheet.fail(host, INSTEAD);
                }
                (true, Some(_), Some(_)) => {}
                (true, None, _) => sheet.unread(&rule.at("http")),
                (true, _, None) => sheet.unread_in(number, &theirs.at("http")),
            }
        }
    }
}

/// Gives the paths of a rule; nothing where one cannot be read. A rule without any is for all.
fn paths(rule: &Place<'_>) -> Option<Vec<String>> {
    let http = rule.at("http");
    let paths = http.at("paths");
    let mut all = Vec::new();
    for path in paths.items() {
        match path.at("path").word() {
            Field::Is(word) => all.push(word.to_owned()),
            Field::Absent => all.push("/".to_owned()),
            Field::Unreadable => return None,
        }
    }
    match (paths.list(), all.is_empty()) {
        (Field::Unreadable, _) => None,
        (_, true) => Some(vec!["/".to_owned()]),
        (_, false) => Some(all),
    }
}

const INSTEAD: Remedy = Remedy::Do("name a host that no other Ingress answers for");
