//! Who says no name reaches three health paths and nothing else.

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
    id: "access/anonymous-is-shut",
    title: "Who says no name reaches three health paths of the API and nothing else",
    severity: Severity::High,
    refs: &[Ref::Cis("1.2.1"), Ref::Kep(4633)],
    limits: &[],
    doc: include_str!("anonymous_is_shut.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

const DIRECTORY: &str = "/etc/kubernetes/authn";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let file = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {
            "enabled": true,
            "conditions": [{"path": "/livez"}, {"path": "/readyz"}, {"path": "/healthz"}],
        },
    });
    let path = format!("{DIRECTORY}/config.yaml");
    draft.control_planes(|at| {
        at.directory(DIRECTORY, CLOSED, Owner::ROOT);
        at.yaml(&path, &file);
        at.mount(Component::ApiServer, DIRECTORY, Mount::Reloads);
        at.flag(Component::ApiServer, "--authentication-config", &path);
    });
}
