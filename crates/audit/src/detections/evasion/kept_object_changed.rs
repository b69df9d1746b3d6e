//! What ringfort keeps in the API was changed by somebody else.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/kept-object-changed",
    title: "What ringfort keeps in the API was changed by somebody else",
    severity: Severity::High,
    because: "controls rest on these objects until the next converge puts them back",
    attack: &["T1562.001"],
    needs: &[others(
        CHANGES,
        Of::Resources(&[
            ("", "configmaps"),
            ("", "serviceaccounts"),
            ("", "services"),
            ("apps", "deployments"),
            ("apps", "deployments/scale"),
            ("networking.k8s.io", "networkpolicies"),
            ("policy", "poddisruptionbudgets"),
            ("rbac.authorization.k8s.io", "clusterrolebindings"),
            ("rbac.authorization.k8s.io", "clusterroles"),
        ]),
        Level::Metadata,
    )],
    doc: include_str!("kept_object_changed.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    let event = scene.event;
    if is_keeper(event) {
        return None;
    }
    let (namespace, name) = (event.namespace(), event.name());
    // What is made is named by its name, or by nobody: it is none of those that are there.
    let is_named = !name.is_empty() || &*event.verb == "deletecollection";
    (is_named && is_kept(event.resource(), namespace, name)).then(|| {
        let place =
            if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        format!("{place} of {}, which ringfort keeps, was changed by hand", event.resource())
    })
}

/// Whether ringfort makes such an object, or any of those where no name says which. A law over the catalogue holds
/// this list to what controls make.
fn is_kept(resource: &str, namespace: &str, name: &str) -> bool {
    let is_one = |names: &[&str]| name.is_empty() || names.contains(&name);
    match (resource, namespace) {
        ("clusterroles" | "clusterrolebindings", "") => {
            is_one(&["system:coredns"]) || name.starts_with("ringfort:")
        }
        ("serviceaccounts", "kube-system") => is_one(&["coredns", "default"]),
        ("serviceaccounts", _) if namespace == "default" || is_system(namespace) => {
            is_one(&["default"])
        }
        ("configmaps", "kube-public") => is_one(&["network-default"]),
        ("services" | "networkpolicies", "kube-system") => is_one(&["kube-dns"]),
        ("deployments" | "poddisruptionbudgets", "kube-system") => is_one(&["coredns"]),
        _ => false,
    }
}
