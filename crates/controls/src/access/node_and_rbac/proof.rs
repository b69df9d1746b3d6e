//! A node's identity reaches what its own pods need and nothing else, and each built-in identity stays
//! within its task, on every API server.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Sending, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::identity::{agent_of, witness_of};

use crate::access::kubelet_authorization::CLIENT as KUBELET_CLIENT;
use crate::network::network_policy::USER as ENFORCER;
use crate::proof::tries::{By, Try, all_refused};
use crate::proof::{Scene, gap};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let [own, other, ..] = scene.workers.as_slice() else {
        return gap("no two workers whose identities could be told apart", "add a worker");
    };
    let mut nodes = vec![(own, other, &scene.control_planes[0])];
    // Some guards do not look at what a control plane's kubelet does.
    if let [own, other, ..] = scene.control_planes.as_slice() {
        nodes.push((own, other, other));
    }
    let mut granted = Vec::new();
    let mut tries = of_components(scene);
    tries.extend(beyond());
    tries.extend(of_machines(scene));
    for (own, other, plane) in nodes {
        let node = Speaker::Node(own.clone());
        granted.push((node.clone(), Ask::Get(key("v1", "Node", None, own.as_str()))));
        tries.extend(of_nodes(scene, &node, own.as_str(), other.as_str()));
        tries.extend(of_others(&node, other.as_str(), plane.as_str()));
    }
    let said = "the identity of a worker's and of a control plane's kubelet reaches neither other nodes' objects nor their pods nor Secrets of no pod of its own, and no built-in identity reaches beyond its task";
    all_refused(scene, transcript, &granted, &tries, said)
}

fn key(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectKey {
    ObjectKey {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

fn list(kind: &str) -> Ask {
    Ask::List { api_version: "v1".to_owned(), kind: kind.to_owned(), namespace: None }
}

/// The known ways around NodeRestriction and the node authorizer.
fn of_nodes(scene: &Scene, node: &Speaker, own: &str, other: &str) -> Vec<Try> {
    let lacks = By::Authorization;
    let restricted = By::NodeBounds;
    let one = |what: &str, ask: Ask, by: By| Try {
        what: what.to_owned(),
        speaker: node.clone(),
        ask,
        by,
    };
    let patch =
        |name: &str, patch: Value| Ask::WouldPatch { of: key("v1", "Node", None, name), patch };
    let pod = |spec: Value, annotations: Value| {
        Ask::WouldCreate(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "canary-node", "namespace": scene.namespace, "annotations": annotations},
            "spec": spec,
        }))
    };
    let containers = json!([{"name": "canary", "image": scene.probe_image}]);
    let mirror = json!({"kubernetes.io/config.mirror": "canary"});
    let label = |name: &str| json!({"metadata": {"labels": {name: "canary"}}});
    vec![
        one("list Secrets", list("Secret"), lacks),
        one(
            "read a Secret of no pod of its own",
            Ask::Get(key("v1", "Secret", Some(&scene.namespace), "canary-node")),
            lacks,
        ),
        one(
            "read a ConfigMap of no pod of its own",
            Ask::Get(key("v1", "ConfigMap", Some("kube-system"), "canary-node")),
            lacks,
        ),
        one("change another node", patch(other, label("canary")), restricted),
        one(
            "give itself a label that places pods",
            patch(own, label("node-restriction.kubernetes.io/canary")),
            restricted,
        ),
        one(
            "give itself a role",
            patch(own, label("node-role.kubernetes.io/control-plane")),
            restricted,
        ),
        one(
            "change its own taints",
            patch(own, json!({"spec": {"taints": [{"key": "canary", "effect": "NoSchedule"}]}})),
            restricted,
        ),
        one("delete another node", Ask::WouldDelete(key("v1", "Node", None, other)), restricted),
        one(
            "run a pod",
            pod(json!({"nodeName": own, "containers": containers}), json!({})),
            restricted,
        ),
        one(
            "run a mirror pod on another node",
            pod(json!({"nodeName": other, "containers": containers}), mirror.clone()),
            restricted,
        ),
        one(
            "run a mirror pod with an account",
            pod(
                json!({"nodeName": own, "serviceAccountName": "default", "containers": containers}),
                mirror,
            ),
            restricted,
        ),
        one("make a role", Ask::WouldCreate(role()), lacks),
    ]
}

/// What belongs to another node: its pods, of which that of an API server is there on every control plane,
/// and what its kubelet writes of itself.
fn of_others(node: &Speaker, other: &str, plane: &str) -> Vec<Try> {
    let (lacks, restricted) = (By::Authorization, By::NodeBounds);
    let one = |what: &str, ask: Ask, by: By| Try {
        what: what.to_owned(),
        speaker: node.clone(),
        ask,
        by,
    };
    let name = format!("kube-apiserver-{plane}");
    let pod = format!("/api/v1/namespaces/kube-system/pods/{name}");
    let send = |how: Sending, path: String, body: Value| Ask::WouldSend { how, path, body };
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": name, "namespace": "kube-system"},
    });
    let token = |account: &str| {
        let path = format!("/api/v1/namespaces/kube-system/serviceaccounts/{account}/token");
        let body =
            json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        send(Sending::Create, path, body)
    };
    let leases = "coordination.k8s.io/v1";
    let lease = json!({
        "apiVersion": leases, "kind": "Lease",
        "metadata": {"name": "canary-node", "namespace": "kube-node-lease"},
    });
    let (storage, drivers) = ("storage.k8s.io/v1", json!({"spec": {"drivers": []}}));
    let csi = json!({
        "apiVersion": storage, "kind": "CSINode",
        "metadata": {"name": "canary-node"}, "spec": {"drivers": []},
    });
    let state = json!({"status": {"message": "canary"}});
    let ready = json!({"status": {"phase": "Terminated"}});
    let renewed = json!({"spec": {"holderIdentity": "canary"}});
    let renew = key(leases, "Lease", Some("kube-node-lease"), other);
    vec![
        one(
            "delete another node's pod",
            Ask::WouldDelete(key("v1", "Pod", Some("kube-system"), &name)),
            restricted,
        ),
        one(
            "say how another node's pod is",
            send(Sending::Merge, format!("{pod}/status"), state),
            restricted,
        ),
        one(
            "evict another node's pod",
            send(Sending::Create, format!("{pod}/eviction"), eviction),
            restricted,
        ),
        one(
            "say how another node is",
            send(Sending::Merge, format!("/api/v1/nodes/{other}/status"), ready),
            restricted,
        ),
        one("renew another node's lease", Ask::WouldPatch { of: renew, patch: renewed }, lacks),
        one("make another node's lease", Ask::WouldCreate(lease), restricted),
        one(
            "change another node's drivers",
            Ask::WouldPatch { of: key(storage, "CSINode", None, other), patch: drivers },
            lacks,
        ),
        one("name another node's drivers", Ask::WouldCreate(csi), restricted),
        one("get a token of an account without its pod", token("coredns"), restricted),
        one("get a token of a controller", token("namespace-controller"), lacks),
    ]
}

fn of_components(scene: &Scene) -> Vec<Try> {
    let lacks = By::Authorization;
    let one = |speaker: Speaker, what: &str, ask: Ask| Try {
        what: what.to_owned(),
        speaker,
        ask,
        by: lacks,
    };
    let component = |name: &str| Speaker::Component(name.to_owned());
    let account = |namespace: &str, name: &str| Speaker::Account {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let pod = Ask::WouldCreate(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "canary-component", "namespace": scene.namespace},
        "spec": {"containers": [{"name": "canary", "image": scene.probe_image}]},
    }));
    vec![
        one(component(SCHEDULER), "list Secrets", list("Secret")),
        one(component(SCHEDULER), "make a pod", pod.clone()),
        one(component(PROXY), "list Secrets", list("Secret")),
        one(component(PROXY), "list pods", list("Pod")),
        one(component(ENFORCER), "list Secrets", list("Secret")),
        one(component(ENFORCER), "list ConfigMaps", list("ConfigMap")),
        one(component(ENFORCER), "list nodes", list("Node")),
        one(component(ENFORCER), "make a pod", pod.clone()),
        one(component(CONTROLLERS), "make a role", Ask::WouldCreate(role())),
        one(account("kube-system", "coredns"), "list Secrets", list("Secret")),
        one(account("kube-system", "coredns"), "list nodes", list("Node")),
        one(account(&scene.namespace, "default"), "list pods", list("Pod")),
        one(account(&scene.namespace, "default"), "list Secrets", list("Secret")),
        one(account(&scene.namespace, "default"), "make a pod", pod),
        one(component("canary"), "list namespaces", list("Namespace")),
    ]
}

const CONTROLLERS: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";
const PROXY: &str = "system:kube-proxy";
const SIGNERS: (&str, &str) = ("certificates.k8s.io", "signers");
const POLICIES: (&str, &str) = ("admissionregistration.k8s.io", "validatingadmissionpolicies");
const ROLES: (&str, &str) = ("rbac.authorization.k8s.io", "clusterroles");

/// A right that an identity must not have: whose, in words, the verb, and of what.
type Beyond = (&'static str, &'static str, &'static str, (&'static str, &'static str));

/// What lies beyond the task of each identity of which a certificate is on machines, but for those that each machine
/// has of its own.
const BEYOND: [Beyond; 19] = [
    (CONTROLLERS, "make pods", "create", ("", "pods")),
    (CONTROLLERS, "run commands in pods", "create", ("", "pods/exec")),
    (CONTROLLERS, "delete nodes", "delete", ("", "nodes")),
    (CONTROLLERS, "approve certificates", "approve", SIGNERS),
    (CONTROLLERS, "sign certificates", "sign", SIGNERS),
    (CONTROLLERS, "impersonate users", "impersonate", ("", "users")),
    (CONTROLLERS, "bind roles", "bind", ROLES),
    (CONTROLLERS, "change admission", "patch", POLICIES),
    (SCHEDULER, "read Secrets", "get", ("", "secrets")),
    (SCHEDULER, "get tokens", "create", ("", "serviceaccounts/token")),
    (SCHEDULER, "change nodes", "patch", ("", "nodes")),
    (SCHEDULER, "run commands in pods", "create", ("", "pods/exec")),
    (SCHEDULER, "change admission", "patch", POLICIES),
    (PROXY, "change services", "update", ("", "services")),
    (PROXY, "change nodes", "patch", ("", "nodes")),
    (KUBELET_CLIENT, "list Secrets", "list", ("", "secrets")),
    (KUBELET_CLIENT, "make pods", "create", ("", "pods")),
    (KUBELET_CLIENT, "delete nodes", "delete", ("", "nodes")),
    (KUBELET_CLIENT, "make roles", "create", ROLES),
];

fn beyond() -> impl Iterator<Item = Try> {
    BEYOND.iter().map(|(user, what, verb, of)| {
        Try::right(*what, Speaker::Component((*user).to_owned()), verb, *of)
    })
}

/// What lies beyond the task of what has a certificate on each machine beside kubelet: witnesses, which the API lets
/// read what a server measures, and agents, which it lets do nothing.
fn of_machines(scene: &Scene) -> Vec<Try> {
    let planes = scene.control_planes.first().map(|plane| witness_of(plane.as_str()));
    let all = [scene.control_planes.first(), scene.workers.first()];
    let agents = all.into_iter().flatten().map(|machine| agent_of(machine.as_str()));
    let mut tries = Vec::new();
    for user in planes.into_iter().chain(agents.clone()) {
        let speaker = || Speaker::Component(user.clone());
        let lists = |what: &str, kind: &str| Try {
            what: what.to_owned(),
            speaker: speaker(),
            ask: list(kind),
            by: By::Authorization,
        };
        tries.extend([lists("list Secrets", "Secret"), lists("list nodes", "Node")]);
        let right = |(what, verb, of): (&str, &str, _)| Try::right(what, speaker(), verb, of);
        tries.extend(BEYOND_ALL.map(right));
    }
    tries.extend(agents.map(|user| Try {
        what: "read what a server measures".to_owned(),
        speaker: Speaker::Component(user),
        ask: Ask::Read { path: "/metrics".to_owned() },
        by: By::Authorization,
    }));
    tries
}

const BEYOND_ALL: [(&str, &str, (&str, &str)); 7] = [
    ("get tokens", "create", ("", "serviceaccounts/token")),
    ("make pods", "create", ("", "pods")),
    ("run commands in pods", "create", ("", "pods/exec")),
    ("change nodes", "patch", ("", "nodes")),
    ("speak with kubelets", "get", ("", "nodes/proxy")),
    ("make roles", "create", ROLES),
    ("change admission", "patch", POLICIES),
];

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "canary-role"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    })
}
