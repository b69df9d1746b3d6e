//! A guard of the cluster was removed.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/guard-removed",
    title: "A guard of the cluster was removed",
    severity: Severity::High,
    because: "what it would have seen or stopped is next",
    attack: &["T1562.001"],
    needs: &[others(
        &["delete", "deletecollection"],
        Of::Resources(&[("apps", "daemonsets"), ("apps", "deployments")]),
        Level::Metadata,
    )],
    doc: include_str!("guard_removed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let name = scene.event.name();
    let guards = [
        "ringfort",
        "falco",
        "tetragon",
        "tracee",
        "kubescape",
        "gatekeeper",
        "kyverno",
        "kubewarden",
        "neuvector",
    ];
    guards
        .into_iter()
        .find(|guard| name.contains(guard))
        .map(|guard| format!("a workload of {guard} was deleted"))
}
