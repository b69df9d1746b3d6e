//! What ringfort keeps in the API was changed by somebody else.

use ringfort_model::identity::KEEPER;

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
    // Its certificate is made for one converge and stored nowhere.
    if &*event.user.username == KEEPER {
        return None;
    }
    let (namespace, name) = (event.namespace(), event.name());
    is_kept(event.resource(), namespace, name).then(|| {
        let place =
            if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
        format!("{place} of {}, which ringfort keeps, was changed by hand", event.resource())
    })
}

/// Whether ringfort makes such an object. A law over the catalogue holds this list to what controls make.
fn is_kept(resource: &str, namespace: &str, name: &str) -> bool {
    match (resource, namespace) {
        ("clusterroles" | "clusterrolebindings", "") => {
            name.starts_with("ringfort:") || name == "system:coredns"
        }
        ("serviceaccounts", _) if name == "default" => {
            namespace == "default" || is_system(namespace)
        }
        ("configmaps", "kube-public") => name == "network-default",
        ("services" | "networkpolicies", "kube-system") => name == "kube-dns",
        ("deployments" | "poddisruptionbudgets" | "serviceaccounts", "kube-system") => {
            name == "coredns"
        }
        _ => false,
    }
}
