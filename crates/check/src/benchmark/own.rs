//! What Kubernetes itself puts into every cluster: roles and bindings by what they say, as the table of what API servers
//! make has it, and what controllers publish by exact names.

use serde_json::Value;

use super::rights::Subject;
use crate::upstream;

/// Whether a role is one of Kubernetes' own as API servers make it, so that its wildcards are.
pub(super) fn has_own_wildcards(role: &Value) -> bool {
    role["kind"] == "ClusterRole" && upstream::is_own(role)
}

/// Whether a binding of Kubernetes gives a role of Kubernetes, as API servers make it, to whom they give it. To whom
/// somebody else gives it besides is another subject.
pub(super) fn is_own_binding(binding: &Value, role: &Value, subject: &Subject) -> bool {
    let text = |pointer: &str| role.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let is_bound = |to: String| upstream::binds(text("/kind"), text("/metadata/name"), &to);
    upstream::says_own(binding) && upstream::is_own(role) && to(subject).is_some_and(is_bound)
}

/// Says to whom a role is given, as the table does; nothing of somebody to whom none can be.
fn to(subject: &Subject) -> Option<String> {
    let Subject { kind, namespace, name } = subject;
    match (kind.as_str(), namespace) {
        ("ServiceAccount", Some(namespace)) => Some(format!("to {kind} {namespace} {name}")),
        ("Group" | "User", None) => Some(format!("to {kind} {name}")),
        _ => None,
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
    use std::slice;

    use serde_json::{Value, json};

    use super::{Subject, has_own_wildcards, is_mirror, is_of_control_plane, is_own_binding};

    const GROUP: &str = "rbac.authorization.k8s.io";

    fn object(kind: &str, name: &str, more: &Value) -> Value {
        let mut object = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
                "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}}});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    }

    fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> Value {
        json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
    }

    /// The rights of the role of the controller of jobs.
    fn of_jobs() -> Vec<Value> {
        vec![
            rule("batch", &["jobs"], &["get", "list", "patch", "update", "watch"]),
            rule("batch", &["jobs/status", "jobs/finalizers"], &["update"]),
            rule("", &["pods"], &["create", "delete", "list", "patch", "watch"]),
            rule("", &["events"], &["create", "patch", "update"]),
            rule("events.k8s.io", &["events"], &["create", "patch", "update"]),
        ]
    }

    fn everything() -> Vec<Value> {
        vec![rule("*", &["*"], &["*"]), json!({"nonResourceURLs": ["*"], "verbs": ["*"]})]
    }

    fn bound(role: &str, subjects: &[Value]) -> Value {
        let given = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": role});
        let more = json!({"roleRef": given, "subjects": subjects});
        object("ClusterRoleBinding", role, &more)
    }

    fn account(namespace: &str, name: &str) -> Value {
        json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
    }

    fn subject(value: &Value) -> Subject {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Subject {
            kind: text("kind").unwrap(),
            namespace: text("namespace"),
            name: text("name").unwrap(),
        }
    }

    const JOBS: &str = "system:controller:job-controller";

    #[test]
    fn only_what_kubernetes_makes_for_itself_is_its_own() {
        let check = |rules: &[Value], others: &[Value], asked: &Value, expected: bool| {
            let role = object("ClusterRole", JOBS, &json!({"rules": rules}));
            let mut all = vec![account("kube-system", "job-controller")];
            all.extend_from_slice(others);
            let found = is_own_binding(&bound(JOBS, &all), &role, &subject(asked));
            assert_eq!(found, expected, "{role} {asked}");
        };
        let (its, ann) = (account("kube-system", "job-controller"), account("shop", "ann"));
        check(&of_jobs(), &[], &its, true);
        // Somebody else beside it is a stranger, and makes none of it.
        check(&of_jobs(), slice::from_ref(&ann), &its, true);
        check(&of_jobs(), slice::from_ref(&ann), &ann, false);
        // Whoever changes the role leaves its label and its name as they are.
        let more = [of_jobs(), vec![rule("", &["secrets"], &["get"])]].concat();
        check(&more, &[], &its, false);
        let role = object("ClusterRole", JOBS, &json!({"rules": of_jobs()}));
        let other = bound("view", slice::from_ref(&its));
        assert!(!is_own_binding(&other, &role, &subject(&its)));
    }

    #[test]
    fn the_group_to_which_nothing_is_refused_is_kubernetes_own() {
        let group = |name: &str| json!({"apiGroup": GROUP, "kind": "Group", "name": name});
        let role = object("ClusterRole", "cluster-admin", &json!({"rules": everything()}));
        let all = [group("system:masters"), group("system:authenticated")];
        let is_own =
            |asked: &Value| is_own_binding(&bound("cluster-admin", &all), &role, &subject(asked));
        assert!(is_own(&all[0]) && !is_own(&all[1]));
        assert!(!is_own_binding(&bound("cluster-admin", &all[1..]), &role, &subject(&all[0])));
    }

    /// Components are called otherwise than some of the roles that they have.
    #[test]
    fn components_have_the_roles_that_servers_bind_them_to() {
        let user = |name: &str| json!({"apiGroup": GROUP, "kind": "User", "name": name});
        let name = "system:node-proxier";
        let rules = json!([
            rule("", &["endpoints", "services"], &["list", "watch"]),
            rule("", &["nodes"], &["get", "list", "watch"]),
            rule("", &["events"], &["create", "patch", "update"]),
            rule("events.k8s.io", &["events"], &["create", "patch", "update"]),
            rule("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
            rule("networking.k8s.io", &["servicecidrs"], &["list", "watch"]),
        ]);
        let role = object("ClusterRole", name, &json!({"rules": rules}));
        let all = [user("system:kube-proxy"), user("system:kube-scheduler")];
        let is_own = |asked: &Value| is_own_binding(&bound(name, &all), &role, &subject(asked));
        assert!(is_own(&all[0]) && !is_own(&all[1]));
        assert!(!is_own(
            &json!({"kind": "User", "namespace": "shop", "name": "system:kube-proxy"})
        ));
    }

    #[test]
    fn a_role_that_only_calls_itself_so_has_its_wildcards_counted() {
        let role = |name: &str, rules: &[Value]| {
            has_own_wildcards(&object("ClusterRole", name, &json!({"rules": rules})))
        };
        assert!(role("cluster-admin", &everything()));
        assert!(!role("anything", &everything()));
        assert!(!role("system:kube-controller-manager", &everything()));
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
