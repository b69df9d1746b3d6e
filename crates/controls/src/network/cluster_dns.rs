//! Pods find Services by name, from two servers that hold no right they do not use.

mod proof;
mod sabotage;

use ringfort_model::digest::Digest;
use ringfort_spec::Spec;
use serde_json::{Value, json};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft, PUBLIC};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "network/cluster-dns",
    title: "Pods find Services by name, from two servers that hold no right they do not use",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/dns-pod-service/")],
    limits: &[],
    doc: include_str!("cluster_dns.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let resolv: String = spec.dns_upstream.iter().map(|ip| format!("nameserver {ip}\n")).collect();
    draft.everywhere(|at| {
        // Names of the machine's own network are not the pods' business.
        at.text(paths::RESOLV_CONF, PUBLIC, resolv.clone());
        at.unit_reads("kubelet.service", paths::RESOLV_CONF);
        at.set(Document::Kubelet, "resolvConf", paths::RESOLV_CONF);
        at.set(Document::Kubelet, "clusterDNS", json!([spec.network.dns_address()]));
        at.set(Document::Kubelet, "clusterDomain", spec.network.domain.as_str());
    });
    let image = draft.image("coredns").map(|image| image.reference.to_owned()).unwrap_or_default();
    for object in rights().into_iter().chain(workload(spec, &image)) {
        draft.object(object);
    }
}

fn named(name: &str) -> Value {
    json!({"name": name, "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}})
}

fn rights() -> [Value; 3] {
    let role = "system:coredns";
    [
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": named("coredns"),
            "automountServiceAccountToken": false,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": [
                {"apiGroups": [""], "resources": ["namespaces", "services"], "verbs": ["list", "watch"]},
                {
                    "apiGroups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["list", "watch"],
                },
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}],
        }),
    ]
}

fn workload(spec: &Spec, image: &str) -> [Value; 4] {
    let port = |name: &str, protocol: &str| json!({"name": name, "port": 53, "targetPort": 53, "protocol": protocol});
    [
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": named("coredns"),
            "data": {"Corefile": corefile(spec)},
        }),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": named("coredns"),
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": named("coredns"),
            "spec": {
                "replicas": 2,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
                "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
                "template": {
                    "metadata": {"labels": {"k8s-app": "kube-dns"}},
                    "spec": pod(image, &corefile(spec)),
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": named("kube-dns"),
            "spec": {
                "clusterIP": spec.network.dns_address(),
                "selector": {"k8s-app": "kube-dns"},
                "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")],
            },
        }),
    ]
}

/// The servers are spread; a changed configuration makes new ones.
fn pod(image: &str, corefile: &str) -> Value {
    let spread = json!({"labelSelector": {"matchLabels": {"k8s-app": "kube-dns"}}});
    let spread = |field: &str, value: Value| {
        let mut constraint = spread.clone();
        constraint["maxSkew"] = json!(1);
        constraint["topologyKey"] = json!("kubernetes.io/hostname");
        constraint[field] = value;
        constraint
    };
    json!({
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": "coredns",
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "dnsPolicy": "Default",
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [spread("whenUnsatisfiable", json!("ScheduleAnyway"))],
        "tolerations": [
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
        ],
        "containers": [{
            "name": "coredns",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["-conf", "/etc/coredns/Corefile"],
            "env": [{"name": "COREFILE_DIGEST", "value": Digest::of(corefile.as_bytes())}],
            "ports": [
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
            ],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
            "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
            "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "initialDelaySeconds": 20},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": true}],
        }],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    })
}

/// Only the plugins that are used are in the program. Names outside the cluster are asked of the
/// servers that the spec names, or of nobody.
fn corefile(spec: &Spec) -> String {
    let domain = &spec.network.domain;
    let upstream: Vec<String> = spec.dns_upstream.iter().map(ToString::to_string).collect();
    let forward = match upstream.as_slice() {
        [] => String::new(),
        servers => format!("    forward . {}\n", servers.join(" ")),
    };
    format!(
        "\
.:53 {{
    errors
    health {{
        lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
        pods disabled
        ttl 30
    }}
    prometheus :9153
{forward}    cache 30
    loadbalance
}}
"
    )
}
