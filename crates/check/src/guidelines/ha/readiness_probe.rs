//! A container says when it is ready.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::probe;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/readiness-probe",
    title: "A container says when it is ready",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/configuration/liveness-readiness-startup-probes/")],
    doc: include_str!("readiness_probe.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    probe::judge(pod, container, "readinessProbe", sheet);
}
