//! Workloads have namespaces of their own.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::scene::Scene;
use crate::world::Namespace;
use ringfort_model::judgement::Gap;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/namespace-of-its-own",
    title: "A workload is neither in the default namespace nor in one of the system",
    severity: Severity::Low,
    refs: &[Ref::Docs("concepts/overview/working-with-objects/namespaces/")],
    doc: include_str!("namespace_of_its_own.md"),
    judge: Judge::Object(KINDS, judge),
};

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    let place = scene.metadata.at("namespace");
    let kind = scene.object.kind.name;
    match scene.object.namespace {
        Namespace::Said(name) if is_made(kind, name, scene.object.name()) => {
            sheet.spare("Kubernetes itself puts it there");
        }
        Namespace::Said(name) if is_shared(kind, name) => {
            sheet.fail(&place, Remedy::Do("write a namespace of its own"));
        }
        Namespace::Said(_) | Namespace::Beside => sheet.pass(&place),
        Namespace::Unreadable => sheet.unread(&place),
        Namespace::Unsaid => sheet.missing(
            &place,
            Gap {
                said: "no namespace is written: who applies it chooses one".to_owned(),
                closes: "write metadata.namespace, or give --namespace".to_owned(),
            },
        ),
    }
}

/// Whether a namespace is none of an object's own.
fn is_shared(kind: &str, namespace: &str) -> bool {
    namespace == "default" || SHARED.contains(&namespace) && !IN_SYSTEM.contains(&kind)
}

/// Whether an object is one that Kubernetes makes there by itself.
pub(crate) fn is_made(kind: &str, namespace: &str, name: &str) -> bool {
    MADE.contains(&(kind, name)) || namespace == "default" && IN_DEFAULT.contains(&(kind, name))
}

/// What is in every namespace.
const MADE: [(&str, &str); 2] = [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];

/// What is in the namespace `default` of every cluster: the way to its API servers.
const IN_DEFAULT: [(&str, &str); 3] =
    [("Endpoints", "kubernetes"), ("EndpointSlice", "kubernetes"), ("Service", "kubernetes")];

/// Namespaces that are everybody's, or the cluster's own.
pub(crate) const SHARED: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Kinds that have to be in the system's namespaces for what is there: rights to it, and who leads.
const IN_SYSTEM: [&str; 5] = ["EndpointSlice", "Endpoints", "Lease", "Role", "RoleBinding"];

/// Kinds that run, and what they read and are reached by.
pub(crate) const WORKLOADS: &[&str] = &[
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Ingress",
    "Job",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "Secret",
    "Service",
    "StatefulSet",
];

/// Kinds that somebody puts somewhere. What guards a namespace may stand in any.
const KINDS: &[&str] = &[
    "CSIStorageCapacity",
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "EndpointSlice",
    "Endpoints",
    "GRPCRoute",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "Lease",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "Role",
    "RoleBinding",
    "Sandbox",
    "SandboxTemplate",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
];
