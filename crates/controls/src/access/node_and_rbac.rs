//! Nodes may what their pods need, everybody else what a role says.

mod proof;
mod sabotage;

use ringfort_model::mode::Owner;
use ringfort_spec::Spec;
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Mount};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/node-and-rbac",
    title: "A node may do what its own pods need, and everybody else what a role says",
    severity: Severity::Critical,
    refs: &[
        Ref::Cis("1.2.6"),
        Ref::Cis("1.2.7"),
        Ref::Cis("1.2.8"),
        Ref::Cis("1.2.14"),
        Ref::Kep(3221),
    ],
    limits: &[],
    doc: include_str!("node_and_rbac.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

const DIRECTORY: &str = "/etc/kubernetes/authz";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let file = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [{"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"}],
    });
    let path = format!("{DIRECTORY}/config.yaml");
    draft.control_planes(|at| {
        at.directory(DIRECTORY, CLOSED, Owner::ROOT);
        at.yaml(&path, &file);
        at.mount(Component::ApiServer, DIRECTORY, Mount::Reloads);
        at.flag(Component::ApiServer, "--authorization-config", &path);
        at.add(Component::ApiServer, "--enable-admission-plugins", "NodeRestriction");
    });
}
