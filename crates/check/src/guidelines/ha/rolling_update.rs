//! A new version comes while the old one still serves.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/rolling-update",
    title: "A Deployment replaces its pods one after the other",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/workloads/controllers/deployment/")],
    doc: include_str!("rolling_update.md"),
    judge: Judge::Object(&["Deployment"], judge),
};

fn judge(deployment: &Scene<'_>, sheet: &mut Sheet) {
    let spec = deployment.root.at("spec");
    let strategy = spec.at("strategy");
    let kind = strategy.at("type");
    let rolls = |it: Option<&str>| it.is_none_or(|it| it == "RollingUpdate");
    sheet.expect(&kind, kind.word(), rolls, Remedy::WriteOneOf(&["RollingUpdate"]));
}
