//! Three control planes, each with all four components, so that one may be lost.

mod proof;
mod sabotage;

use ringfort_model::mode::Owner;
use ringfort_spec::{Limit, Spec};
use serde_json::json;

use super::control_plane::{api_server, controllers, etcd};
use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Document, Draft, PROGRAM};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "ha/three-control-planes",
    title: "There are three control planes at least, each with every component, and an odd number",
    severity: Severity::High,
    refs: &[
        Ref::Cis("1.1.1"),
        Ref::Cis("1.1.3"),
        Ref::Cis("1.1.5"),
        Ref::Cis("1.1.7"),
        Ref::Docs("setup/production-environment/tools/kubeadm/ha-topology/"),
    ],
    limits: &[Limit::Cluster],
    doc: include_str!("three_control_planes.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Asked, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.directory(paths::KUBERNETES, PROGRAM, Owner::ROOT);
        at.directory(paths::PKI, PROGRAM, Owner::ROOT);
        at.directory(paths::MANIFESTS, CLOSED, Owner::ROOT);
        at.set(Document::Kubelet, "staticPodPath", paths::MANIFESTS);
        let taint =
            json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]);
        at.set(Document::Kubelet, "registerWithTaints", taint);
        etcd::make(spec, at);
        api_server::make(spec, at);
        controllers::controller_manager(spec, at);
        controllers::scheduler(spec, at);
    });
}
