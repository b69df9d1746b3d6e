//! Rights were given, and used for a workload at once.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/rights-then-workload",
    title: "Rights were given, and used for a workload at once",
    severity: Severity::Medium,
    because: "it is how a foothold becomes a cluster",
    attack: &["T1098.006"],
    needs: &[
        others(
            WRITES,
            Of::Resources(&[
                ("rbac.authorization.k8s.io", "rolebindings"),
                ("rbac.authorization.k8s.io", "clusterrolebindings"),
            ]),
            Level::Metadata,
        ),
        others(&["create"], POD_RESOURCES, Level::Metadata),
    ],
    doc: include_str!("rights_then_workload.md"),
    judge: Judge::Then(Then {
        first,
        second,
        said: "a workload, just after it gave rights",
        seconds: 300,
    }),
};

fn first(scene: &Scene<'_>) -> Option<u64> {
    let event = scene.event;
    let is_binding = event.resource().ends_with("bindings");
    (is_binding && !event.failed()).then(|| scene.actor())
}

fn second(scene: &Scene<'_>) -> Option<u64> {
    let event = scene.event;
    let is_pod = !event.resource().ends_with("bindings") && !event.failed();
    is_pod.then(|| scene.actor())
}
