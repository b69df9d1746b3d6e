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
    match scene.object.namespace {
        Namespace::Said(name) if SHARED.contains(&name) => {
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

/// Namespaces that are everybody's, or the cluster's own.
pub(crate) const SHARED: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Kinds that somebody puts somewhere; the others come by themselves.
pub(crate) const KINDS: &[&str] = &[
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
