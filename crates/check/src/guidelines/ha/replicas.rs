//! Workloads run more than once.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "ha/replicas",
    title: "A workload runs more than once",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/workloads/controllers/deployment/")],
    doc: include_str!("replicas.md"),
    judge: Judge::Object(&["Deployment", "ReplicaSet", "StatefulSet"], judge),
};

fn judge(workload: &Scene<'_>, sheet: &mut Sheet) {
    let spec = workload.root.at("spec");
    let replicas = spec.at("replicas");
    let is_more = |it: Option<i64>| it.unwrap_or(1) > 1;
    sheet.expect(&replicas, replicas.integer(), is_more, Remedy::Do("write 2 or more"));
}
