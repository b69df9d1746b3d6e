//! The handed-over identity runs workloads, and each way in which it could make itself more is refused
//! by every API server.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;

use crate::proof::tries::{By, Try, all_refused};
use crate::proof::{Scene, pod};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let granted = [(Speaker::Admin, Ask::WouldCreate(pod::restricted(scene, "canary-admin")))];
    let said = "the handed-over identity may run workloads, and not impersonate, escalate, bind, sign, change admission, reach kubelets or touch machines";
    all_refused(scene, transcript, &granted, &tries(scene), said)
}

fn tries(scene: &Scene) -> Vec<Try> {
    let role = |rules: Value| {
        json!({
            "apiVersion": RBAC, "kind": "ClusterRole",
            "metadata": {"name": "canary-admin"}, "rules": [rules],
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
    let lacks = By::Authorization;
    let create = |what: &str, object: Value, by: By| Try::create(what, Speaker::Admin, object, by);
    let more = json!({"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get", "create"]});
    let impersonate = json!({"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]});
    let everything = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let any = By::AnyRefusal;
    let mut tries = vec![
        create("give a role more rights than it has", role(more), any),
        create("give a role the right to impersonate", role(impersonate), any),
        create("give a role every right", role(everything), any),
        create("bind cluster-admin", binding("cluster-admin"), any),
        create("bind a role of the system", binding("system:node"), any),
        create("ask for a certificate", signing_request(scene), lacks),
        create("add a webhook", webhook(), lacks),
        create("add an admission policy", policy(), lacks),
        create("add an API server of its own", aggregated(), lacks),
    ];
    let of = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| ObjectKey {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let delete = |what: &str, key: ObjectKey| Try {
        what: what.to_owned(),
        speaker: Speaker::Admin,
        ask: Ask::WouldDelete(key),
        by: any,
    };
    tries.extend([
        delete(
            "delete a node",
            of("v1", "Node", None, scene.workers.first().map_or("w", |w| w.as_str())),
        ),
        delete("delete cluster DNS", of("apps/v1", "Deployment", Some("kube-system"), "coredns")),
        delete("delete its own bounds", of(RBAC, "ClusterRole", None, "ringfort:admin")),
    ]);
    tries
}

fn signing_request(scene: &Scene) -> Value {
    json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": format!("{}-admin", scene.namespace)},
        "spec": {"request": "Y2FuYXJ5", "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
    })
}

fn webhook() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "canary.ringfort.dev"}, "webhooks": [],
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "canary.ringfort.dev"},
        "spec": {"matchConstraints": {}, "validations": [{"expression": "true"}]},
    })
}

fn aggregated() -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.canary.ringfort.dev"},
        "spec": {"group": "canary.ringfort.dev", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10},
    })
}
