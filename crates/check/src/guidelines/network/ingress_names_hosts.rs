//! What is shown to the outside is shown under names of its own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/ingress-names-hosts",
    title: "An Ingress names its hosts, each whole",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/ingress/")],
    doc: include_str!("ingress_names_hosts.md"),
    judge: Judge::Object(&["Ingress"], judge),
};

fn judge(ingress: &Scene<'_>, sheet: &mut Sheet) {
    let spec = ingress.root.at("spec");
    let default = spec.at("defaultBackend");
    match default.value() {
        Field::Absent => {}
        Field::Is(_) => sheet.fail(&default, Remedy::Do("write a rule for each host")),
        Field::Unreadable => sheet.unread(&default),
    }
    let rules = spec.at("rules");
    for rule in rules.items() {
        let host = rule.at("host");
        let is_whole = |it: Option<&str>| it.is_some_and(|it| !it.is_empty() && !it.contains('*'));
        sheet.expect(&host, host.word(), is_whole, Remedy::Do("write the host that it is for"));
    }
    if matches!(rules.list(), Field::Unreadable) {
        sheet.unread(&rules);
    }
}
