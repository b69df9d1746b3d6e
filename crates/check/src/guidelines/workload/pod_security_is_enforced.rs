//! Namespaces say which pods they take.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;
use ringfort_model::pod_security::Level;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/pod-security-is-enforced",
    title: "A namespace says that it enforces a Pod Security level",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/pod-security-admission/")],
    doc: include_str!("pod_security_is_enforced.md"),
    judge: Judge::Object(&["Namespace"], judge),
};

fn judge(namespace: &Scene<'_>, sheet: &mut Sheet) {
    let labels = namespace.metadata.at("labels");
    let level = labels.entry("pod-security.kubernetes.io/enforce");
    let is_held = |it: Option<&str>| {
        let level = it.and_then(|it| it.parse::<Level>().ok());
        level.is_some_and(|level| level > Level::Privileged)
    };
    sheet.expect(&level, level.word(), is_held, Remedy::WriteOneOf(&["restricted", "baseline"]));
}
