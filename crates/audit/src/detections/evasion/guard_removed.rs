//! A guard of the cluster was removed, or put out of action.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/guard-removed",
    title: "A guard of the cluster was removed or put out of action",
    severity: Severity::High,
    because: "what it would have seen or stopped is next",
    attack: &["T1562.001"],
    needs: &[
        others(
            &["delete", "deletecollection"],
            Of::Resources(&[
                ("", "namespaces"),
                ("apps", "daemonsets"),
                ("apps", "deployments"),
                ("apps", "statefulsets"),
            ]),
            Level::Metadata,
        ),
        others(
            &["update", "patch"],
            Of::Resources(&[
                ("apps", "daemonsets"),
                ("apps", "deployments"),
                ("apps", "deployments/scale"),
                ("apps", "statefulsets"),
                ("apps", "statefulsets/scale"),
            ]),
            Level::RequestResponse,
        ),
    ],
    doc: include_str!("guard_removed.md"),
    judge: Judge::Each(judge),
};

/// Parts of names of what guards clusters; their namespaces are called so, or so and `-system`.
const GUARDS: [&str; 9] = [
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

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    let guard = guard(scene)?;
    match (&*event.verb, event.resource()) {
        _ if is_of_a_run(event) => None,
        ("delete" | "deletecollection", "namespaces") => {
            Some(format!("the namespace of {guard} was deleted"))
        }
        ("delete", _) => Some(format!("a workload of {guard} was deleted")),
        ("deletecollection", _) => Some(format!("workloads of {guard} were deleted")),
        _ => disabled(scene).map(|how| format!("a workload of {guard} {how}")),
    }
}

/// Which guard it is about: by the name of the object, by its namespace, and where many are meant by what chooses them.
fn guard(scene: &Scene<'_>) -> Option<&'static str> {
    let event = scene.event;
    let namespace = match event.resource() {
        "namespaces" => event.name(),
        _ => event.namespace(),
    };
    let chosen = ["labelSelector", "fieldSelector"].map(|by| event.parameters(by).join(","));
    GUARDS.into_iter().find(|guard| {
        let is_its_own =
            namespace.strip_prefix(guard).is_some_and(|it| ["", "-system"].contains(&it));
        let is_named = event.resource() != "namespaces" && event.name().contains(guard);
        is_its_own || is_named || chosen.iter().any(|by| by.contains(guard))
    })
}

/// What leaves a workload there and lets it do nothing, or something else.
fn disabled(scene: &Scene<'_>) -> Option<String> {
    let count = |object: &Node<'_>| object.along(&["spec", "replicas"]).number();
    // A patch that says nothing of the number leaves it. Of a whole object that is sent nobody knows: what is known may be
    // older than the last time it was scaled.
    let is_left = || scene.brought(count) == Some(None) && scene.before(count) == Some(Some(0.0));
    if count(scene.object()?) == Some(0.0) && !is_left() {
        return Some("was scaled to nothing".to_owned());
    }
    if let Some(what) = changed_program(scene) {
        return Some(format!("was changed: {what}"));
    }
    let selector = ["spec", "template", "spec", "nodeSelector"];
    let chosen = |object: &Node<'_>| object.along(&selector).json();
    let now = scene.object().map(chosen)?;
    let moved = match scene.before(chosen) {
        Some(before) => before != now,
        None => scene.brought(|patch| !patch.along(&selector).is_null())?,
    };
    moved.then(|| "runs on other machines, or on none".to_owned())
}
