//! A container says whether it is alive.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::probe;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

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
    probe::judge(pod, container, "livenessProbe", sheet);
}
