//! Every program and image comes from one bundle, by digest.

mod proof;
mod sabotage;
pub mod support;

use ringfort_model::blueprint::Role;
use ringfort_model::content::Content;
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Draft, PROGRAM};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "versions/pinned-by-digest",
    title: "Every program and image of the cluster comes from one bundle, by digest",
    severity: Severity::High,
    refs: &[Ref::Docs("tasks/administer-cluster/verify-signed-artifacts/")],
    limits: &[],
    doc: include_str!("pinned_by_digest.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

const PROGRAMS: [&str; 6] =
    ["containerd", "containerd-shim-runc-v2", "ctr", "kube-proxy", "kubelet", "runc"];
/// What tends the store, and a client for people who are on the machine anyway.
const CONTROL_PLANE_PROGRAMS: [&str; 3] = ["etcdctl", "etcdutl", "kubectl"];
const CONTROL_PLANE_IMAGES: [&str; 5] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "pause"];
const WORKER_IMAGES: [&str; 3] = ["coredns", "pause", "probe"];

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let digest = draft.ringfort().clone();
    draft.everywhere(|at| {
        for name in PROGRAMS {
            at.program(paths::PROGRAMS, name);
        }
        let content = Content::Bundled { name: "ringfort".to_owned(), digest: digest.clone() };
        at.file(&format!("{}/ringfort", paths::PROGRAMS), PROGRAM, Owner::ROOT, content);
        let images: &[&str] = match at.role() {
            Role::ControlPlane => {
                for name in CONTROL_PLANE_PROGRAMS {
                    at.program(paths::PROGRAMS, name);
                }
                &CONTROL_PLANE_IMAGES
            }
            Role::Worker => &WORKER_IMAGES,
        };
        for name in images {
            at.image(name);
            if let Some(image) = at.draft().image(name) {
                let image = ItemId::Image(image.reference.to_owned());
                at.after(ItemId::unit("kubelet.service"), image);
            }
        }
    });
}
