//! Components of the control plane hold no right that they do not use.

mod proof;
mod sabotage;

use ringfort_model::mode::Owner;
use ringfort_spec::Spec;
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "node/components-drop-rights",
    title: "Components of the control plane hold no capability, and only the API server is root",
    severity: Severity::Medium,
    refs: &[Ref::Kep(2568)],
    limits: &[],
    doc: include_str!("components_drop_rights.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let Owner { uid, gid } = Owner::COMPONENT;
    draft.control_planes(|at| {
        for component in Component::ALL {
            at.pod_set(
                component,
                "/spec/containers/0/securityContext",
                json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                }),
            );
        }
        at.user("ringfort", Owner::COMPONENT);
        for component in [Component::ControllerManager, Component::Scheduler] {
            at.pod_set(component, "/spec/securityContext/runAsNonRoot", json!(true));
            at.pod_set(component, "/spec/securityContext/runAsUser", json!(uid));
            at.pod_set(component, "/spec/securityContext/runAsGroup", json!(gid));
        }
    });
}
