//! etcd runs as a user of its own, and only that user reads its data.

mod proof;
mod sabotage;

use ringfort_model::mode::Owner;
use ringfort_spec::Spec;
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Component, Draft, Mount};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "data/etcd-own-user",
    title: "etcd runs as a user of its own, and only that user reads its data",
    severity: Severity::High,
    refs: &[Ref::Cis("1.1.11"), Ref::Cis("1.1.12")],
    limits: &[],
    doc: include_str!("etcd_own_user.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let Owner { uid, gid } = Owner::ETCD;
    draft.control_planes(|at| {
        at.user("etcd", Owner::ETCD);
        at.directory(paths::ETCD, CLOSED, Owner::ETCD);
        at.mount(Component::Etcd, paths::ETCD, Mount::Writes);
        at.flag(Component::Etcd, "--data-dir", format!("{}/data", paths::ETCD));
        at.pod_set(Component::Etcd, "/spec/securityContext/runAsNonRoot", json!(true));
        at.pod_set(Component::Etcd, "/spec/securityContext/runAsUser", json!(uid));
        at.pod_set(Component::Etcd, "/spec/securityContext/runAsGroup", json!(gid));
    });
}
