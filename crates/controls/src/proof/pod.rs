//! Pods of canaries: restricted in every way, and each bad one wrong in one.

use serde_json::{Value, json};

use super::Scene;

/// The label of canaries that a policy of their namespace opens; all others are closed in.
pub const OPEN: &str = "canary-network-open";

/// The policy that opens them.
pub fn opening(namespace: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "canary-open", "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": {OPEN: "yes"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{}],
            "egress": [{}],
        },
    })
}

/// A pod that meets the restricted standard and every guard.
pub(crate) fn restricted(scene: &Scene, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": scene.namespace},
        "spec": {
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "canary", "image": scene.probe_image, "imagePullPolicy": "IfNotPresent",
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
            }],
        },
    })
}

/// Writes a value deep in an object.
pub(crate) fn set(object: &mut Value, at: &str, value: Value) {
    let mut place = object;
    for part in at.split('/').filter(|part| !part.is_empty()) {
        place = match part.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[part],
        };
    }
    *place = value;
}

/// Puts a pod's specification into every kind of object that makes pods of it.
pub(crate) fn workloads(scene: &Scene, name: &str, pod: &Value) -> Vec<Value> {
    let mut spec = pod["spec"].clone();
    let labels = json!({"canary": name});
    let object = |kind: &str, group: &str, spec: Value| {
        json!({
            "apiVersion": group, "kind": kind,
            "metadata": {"name": format!("{name}-{}", kind.to_lowercase()), "namespace": scene.namespace},
            "spec": spec,
        })
    };
    spec["restartPolicy"] = "Always".into();
    let lasting = json!({"metadata": {"labels": labels}, "spec": spec});
    spec["restartPolicy"] = "Never".into();
    let passing = json!({"metadata": {"labels": labels}, "spec": spec});
    let selected = json!({"selector": {"matchLabels": labels}, "template": lasting});
    let mut all: Vec<Value> = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"]
        .map(|kind| object(kind, "apps/v1", selected.clone()))
        .into();
    let job = json!({"template": passing});
    all.push(object("Job", "batch/v1", job.clone()));
    let cron = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}});
    all.push(object("CronJob", "batch/v1", cron));
    let controller = json!({"selector": labels, "template": lasting});
    all.push(object("ReplicationController", "v1", controller));
    let mut template = object("PodTemplate", "v1", Value::Null);
    template["template"] = lasting;
    if let Some(template) = template.as_object_mut() {
        template.remove("spec");
    }
    all.push(template);
    all
}
