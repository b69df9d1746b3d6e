//! What Kubernetes itself puts into every cluster, known by exact names: upstream's
//! plugin/pkg/auth/authorizer/rbac/bootstrappolicy, and what controllers publish.

use serde_json::Value;

use super::rights::Subject;

/// Roles of Kubernetes that have wildcards in them, as 1.35 to 1.37 make them.
const WITH_WILDCARDS: [&str; 9] = [
    "cluster-admin",
    "system:controller:disruption-controller",
    "system:controller:generic-garbage-collector",
    "system:controller:horizontal-pod-autoscaler",
    "system:controller:namespace-controller",
    "system:controller:resourcequota-controller",
    "system:controller:storage-version-migrator-controller",
    "system:kube-controller-manager",
    "system:kubelet-api-admin",
];

/// Whether an object is one that API servers make at their start and put back.
fn is_made_by_servers(object: &Value) -> bool {
    let of = |at: &str, key: &str| object.pointer(at).and_then(|it| it.get(key)?.as_str());
    of("/metadata/labels", "kubernetes.io/bootstrapping") == Some("rbac-defaults")
        && of("/metadata/annotations", "rbac.authorization.kubernetes.io/autoupdate")
            == Some("true")
}

/// Whether a role is one of Kubernetes' own that has wildcards.
pub(super) fn has_own_wildcards(role: &Value) -> bool {
    let name = role["metadata"]["name"].as_str().unwrap_or_default();
    role["kind"] == "ClusterRole" && WITH_WILDCARDS.contains(&name) && is_made_by_servers(role)
}

/// The one role of a component that is not called as it is.
const VOLUMES: (&str, &str) = ("system:volume-scheduler", "system:kube-scheduler");

/// Whether a binding of Kubernetes gives a role of Kubernetes to a part of Kubernetes: to the controller, the
/// component or the group that the role is made for.
pub(super) fn is_own_binding(binding: &Value, role: &Value, subject: &Subject) -> bool {
    if !is_made_by_servers(binding) || !is_made_by_servers(role) {
        return false;
    }
    let name = role["metadata"]["name"].as_str().unwrap_or_default();
    match subject.kind.as_str() {
        "ServiceAccount" => {
            subject.namespace.as_deref() == Some("kube-system")
                && name.strip_prefix("system:controller:") == Some(&subject.name)
        }
        "User" => {
            let is_component = subject.name.starts_with("system:kube-");
            is_component && (subject.name == name || (name, subject.name.as_str()) == VOLUMES)
        }
        "Group" => name == "cluster-admin" && subject.name == "system:masters",
        _ => false,
    }
}

/// Whether a pod stands for a static pod: the kubelet runs those from files of its machine, puts this in the
/// API for people to see, and runs nothing that says so of itself there.
pub(super) fn is_mirror(pod: &Value) -> bool {
    let of_node = |owner: &Value| owner["kind"] == "Node" && owner["controller"] == true;
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    pod["kind"] == "Pod"
        && pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some()
        && owners.is_some_and(|owners| owners.iter().any(of_node))
}

/// Whether a pod stands for a static pod of a control plane, which is judged by what it runs, on its machine. All
/// others are judged as what they are: pods.
pub fn is_of_control_plane(pod: &Value) -> bool {
    let (name, namespace) = (&pod["metadata"]["name"], &pod["metadata"]["namespace"]);
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let mut nodes =
        owners.into_iter().flatten().filter(|it| it["kind"] == "Node").map(|it| &it["name"]);
    // The kubelet calls it by its manifest and the machine.
    let stands = |node: &Value, component: &&str| {
        node.as_str().is_some_and(|node| *name == format!("{component}-{node}"))
    };
    is_mirror(pod)
        && namespace == "kube-system"
        && nodes.any(|node| STATIC.iter().any(|component| stands(node, component)))
}

/// The components that run as static pods and are judged as components.
const STATIC: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Subject, has_own_wildcards, is_mirror, is_of_control_plane, is_own_binding};

    fn made(kind: &str, name: &str) -> Value {
        json!({"kind": kind, "metadata": {
            "name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        }})
    }

    #[test]
    fn only_what_kubernetes_makes_for_itself_is_its_own() {
        let subject = |kind: &str, namespace: Option<&str>, name: &str| Subject {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let check = |role: &str, subject: &Subject, expected: bool| {
            let (binding, role) = (made("ClusterRoleBinding", role), made("ClusterRole", role));
            assert_eq!(is_own_binding(&binding, &role, subject), expected, "{role} {subject}");
            let mut hand_made = binding.clone();
            hand_made["metadata"]["labels"] = Value::Null;
            assert!(!is_own_binding(&hand_made, &role, subject));
        };
        let job = "system:controller:job-controller";
        check(job, &subject("ServiceAccount", Some("kube-system"), "job-controller"), true);
        check(job, &subject("ServiceAccount", Some("default"), "job-controller"), false);
        check(job, &subject("User", None, "ann"), false);
        check(job, &subject("ServiceAccount", Some("kube-system"), "node-controller"), false);
        check("cluster-admin", &subject("Group", None, "system:masters"), true);
        check("cluster-admin", &subject("Group", None, "system:authenticated"), false);
        let scheduler = subject("User", None, "system:kube-scheduler");
        check("system:kube-scheduler", &scheduler, true);
        check("system:volume-scheduler", &scheduler, true);
        check("system:kube-controller-manager", &scheduler, false);
        check("system:volume-scheduler", &subject("User", None, "system:kube-proxy"), false);
    }

    #[test]
    fn a_role_that_only_calls_itself_so_has_its_wildcards_counted() {
        assert!(has_own_wildcards(&made("ClusterRole", "cluster-admin")));
        assert!(!has_own_wildcards(&made("ClusterRole", "anything")));
        assert!(!has_own_wildcards(
            &json!({"kind": "ClusterRole", "metadata": {"name": "cluster-admin"}})
        ));
    }

    #[test]
    fn a_pod_that_only_says_that_it_is_static_is_judged() {
        let mirror = |owner: &Value| {
            json!({"kind": "Pod", "metadata": {
                "annotations": {"kubernetes.io/config.mirror": "a"}, "ownerReferences": [owner],
            }})
        };
        assert!(is_mirror(&mirror(&json!({"kind": "Node", "controller": true}))));
        assert!(!is_mirror(&mirror(&json!({"kind": "ReplicaSet", "controller": true}))));
        assert!(!is_mirror(&json!({"kind": "Pod", "metadata": {}})));
    }

    #[test]
    fn only_static_pods_of_components_are_judged_as_components() {
        let check = |namespace: &str, name: &str, expected: bool| {
            let pod = json!({"kind": "Pod", "metadata": {"name": name, "namespace": namespace,
                "annotations": {"kubernetes.io/config.mirror": "a"},
                "ownerReferences": [{"kind": "Node", "name": "cp1", "controller": true}]}});
            assert_eq!(is_of_control_plane(&pod), expected, "{namespace}/{name}");
        };
        check("kube-system", "kube-apiserver-cp1", true);
        check("kube-system", "etcd-cp1", true);
        check("kube-system", "etcd-cp2", false);
        check("kube-system", "kube-vip-cp1", false);
        check("default", "etcd-cp1", false);
    }
}
