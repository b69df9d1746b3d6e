//! The handed-over identity runs workloads, and each way in which it could make itself more is refused
//! by every API server.
//!
//! What a guard would refuse anyway says nothing of rights: there the rule of roles has to answer, which comes
//! before guards, and the server is asked what the identity may.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Sending, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;

use super::ADMISSION;
use crate::proof::tries::{By, GUARD, Try, all_refused, review};
use crate::proof::{Scene, pod};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let granted = [
        (Speaker::Admin, Ask::WouldCreate(pod::restricted(scene, "canary-admin"))),
        (Speaker::Admin, Ask::WouldCreate(review("create", ("", "pods")))),
    ];
    let mut tries = roles();
    tries.extend(rights());
    tries.extend(admission());
    tries.extend(others(scene));
    let said = "the handed-over identity may run workloads, and not impersonate, escalate, bind, sign, change admission, speak through kubelets or delete machines";
    all_refused(scene, transcript, &granted, &tries, said)
}

/// Roles and bindings that would give more than the identity has.
fn roles() -> Vec<Try> {
    let role = |group: &str, resource: &str, verb: &str| {
        json!({
            "apiVersion": RBAC, "kind": "ClusterRole",
            "metadata": {"name": "canary-admin"},
            "rules": [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}],
        })
    };
    let binding = |to: &str| {
        json!({
            "apiVersion": RBAC, "kind": "ClusterRoleBinding",
            "metadata": {"name": "canary-admin"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": to},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "canary"}],
        })
    };
    let one = |what: &str, object: Value| Try::create(what, Speaker::Admin, object, By::Escalation);
    vec![
        one("give a role more rights than it has", role("", "nodes/proxy", "get")),
        one("give a role the right to impersonate", role("", "users", "impersonate")),
        one("give a role every right", role("*", "*", "*")),
        one("bind cluster-admin", binding("cluster-admin")),
        one("bind a role of the system", binding("system:node")),
    ]
}

/// Rights that no request shows without harm, or that a guard hides: in words, the verb, and of what.
const RIGHTS: [(&str, &str, (&str, &str)); 12] = [
    ("impersonate users", "impersonate", ("", "users")),
    ("impersonate groups", "impersonate", ("", "groups")),
    ("impersonate service accounts", "impersonate", ("", "serviceaccounts")),
    // As releases from 1.36 on divide it.
    ("impersonate some users", "impersonate:user-info", (AUTHENTICATION, "users")),
    ("impersonate nodes", "impersonate:arbitrary-node", (AUTHENTICATION, "nodes")),
    ("escalate cluster roles", "escalate", (ROLES, "clusterroles")),
    ("escalate roles", "escalate", (ROLES, "roles")),
    ("bind cluster roles", "bind", (ROLES, "clusterroles")),
    ("bind roles", "bind", (ROLES, "roles")),
    ("approve certificates", "approve", (CERTIFICATES, "signers")),
    ("sign certificates", "sign", (CERTIFICATES, "signers")),
    ("run commands through kubelets", "create", ("", "nodes/proxy")),
];

const AUTHENTICATION: &str = "authentication.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const ROLES: &str = "rbac.authorization.k8s.io";

fn rights() -> impl Iterator<Item = Try> {
    RIGHTS.iter().map(|(what, verb, of)| Try::right(*what, Speaker::Admin, verb, *of))
}

/// Nothing of the name is there: what came further than it should finds nothing to harm. A server that does
/// not serve a kind refuses whoever lacks the right all the same.
fn admission() -> impl Iterator<Item = Try> {
    let one = |kind: &str, what: &str, how: Sending, name: &str| Try {
        what: format!("{what} {kind}"),
        speaker: Speaker::Admin,
        ask: Ask::WouldSend {
            how,
            path: format!("/apis/admissionregistration.k8s.io/v1/{kind}{name}"),
            body: match how {
                Sending::Delete => Value::Null,
                _ => {
                    json!({"metadata": {"name": "canary.ringfort.dev", "labels": {"canary": "yes"}}})
                }
            },
        },
        by: By::Authorization,
    };
    ADMISSION.iter().flat_map(move |kind| {
        [
            one(kind, "create", Sending::Create, ""),
            one(kind, "change", Sending::Merge, "/canary.ringfort.dev"),
            one(kind, "delete", Sending::Delete, "/canary.ringfort.dev"),
        ]
    })
}

fn others(scene: &Scene) -> Vec<Try> {
    let worker = scene.workers.first().map_or("w", |worker| worker.as_str());
    let one = |what: &str, ask: Ask, by: By| Try {
        what: what.to_owned(),
        speaker: Speaker::Admin,
        ask,
        by,
    };
    let delete = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| {
        Ask::WouldDelete(ObjectKey {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    };
    let through = Ask::Read { path: format!("/api/v1/nodes/{worker}/proxy/healthz") };
    let dns = delete("apps/v1", "Deployment", Some("kube-system"), "coredns");
    let bounds = delete(RBAC, "ClusterRole", None, "ringfort:admin");
    let lacks = By::Authorization;
    vec![
        one("ask for a certificate", Ask::WouldCreate(signing_request(scene)), lacks),
        one("add an API server of its own", Ask::WouldCreate(aggregated()), lacks),
        one("speak with a kubelet", through, lacks),
        one("delete a node", delete("v1", "Node", None, worker), lacks),
        one("delete cluster DNS", dns, GUARD),
        one("delete its own bounds", bounds, GUARD),
    ]
}

fn signing_request(scene: &Scene) -> Value {
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": format!("{}-admin", scene.namespace)},
        "spec": {"request": "Y2FuYXJ5", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    })
}

fn aggregated() -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.canary.ringfort.dev"},
        "spec": {"group": "canary.ringfort.dev", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10},
    })
}
