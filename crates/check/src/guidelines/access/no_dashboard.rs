//! Nobody works by the Dashboard.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::Place;
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "access/no-dashboard",
    title: "Nothing runs as the account of Kubernetes Dashboard, and nobody is bound to its role",
    severity: Severity::Medium,
    refs: &[Ref::Docs("tasks/access-application-cluster/web-ui-dashboard/")],
    doc: include_str!("no_dashboard.md"),
    judge: Judge::Object(KINDS, judge),
};

const KINDS: &[&str] = &[
    "ClusterRoleBinding",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "RoleBinding",
    "StatefulSet",
];

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let runs = scene.with_template(|template| {
        let spec = template.at("spec");
        judge_name(&spec.at("serviceAccountName"), sheet);
        judge_name(&spec.at("serviceAccount"), sheet);
    });
    if runs.is_none() {
        judge_name(&scene.root.at("roleRef").at("name"), sheet);
    }
}

fn judge_name(place: &Place<'_>, sheet: &mut Sheet) {
    let is_other = |name: Option<&str>| name != Some("kubernetes-dashboard");
    sheet.expect(place, place.word(), is_other, Remedy::Do("use Headlamp, or kubectl"));
}
