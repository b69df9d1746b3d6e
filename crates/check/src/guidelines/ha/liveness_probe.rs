//! A container says whether it is alive.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene, Stage};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/liveness-probe",
    title: "A container says whether it is alive",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/liveness-readiness-startup-probes/")],
    doc: include_str!("liveness_probe.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    if pod.ends() || container.stage != Stage::Always {
        return sheet.spare("it is meant to come to an end");
    }
    let probe = container.place.at("livenessProbe");
    let is_set = |it: Option<&serde_json::Map<_, _>>| it.is_some_and(|it| !it.is_empty());
    sheet.expect(&probe, probe.object(), is_set, Remedy::Do("write a probe"));
}
