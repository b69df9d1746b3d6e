//! The kernel is set as kubelet expects it, by us and not by kubelet.

mod proof;
mod sabotage;

use ringfort_model::item::ItemId;
use ringfort_model::kernel::OF_KUBELETS;
use ringfort_spec::{Limit, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{Document, Draft, PUBLIC, Unit};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "node/kernel-settings",
    title: "The kernel is set as kubelet expects it, and kubelet does not start if it is not",
    severity: Severity::Medium,
    refs: &[Ref::Cis("4.2.6"), Ref::Docs("reference/config-api/kubelet-config.v1beta1/")],
    limits: &[Limit::Cluster],
    doc: include_str!("kernel_settings.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

fn make(_: &Spec, draft: &mut Draft<'_>) {
    let file: String =
        OF_KUBELETS.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    draft.everywhere(|at| {
        for (name, value) in OF_KUBELETS {
            at.sysctl(name, value);
            at.after(kubelet(), ItemId::Sysctl(name.to_owned()));
        }
        at.text("/etc/sysctl.d/90-ringfort.conf", PUBLIC, file.clone());
        at.set(Document::Kubelet, "protectKernelDefaults", true);
        at.unit(Unit {
            name: "ringfort-modules.service",
            text: MODULES.to_owned(),
            reads: &[],
            needs: Vec::new(),
        });
    });
}

fn kubelet() -> ItemId {
    ItemId::unit("kubelet.service")
}

/// A kernel that has a module built in, or a machine that may not load any, is none the worse: what
/// is missing in the end shows where it is used.
const MODULES: &str = "\
[Unit]
Description=Loads the kernel modules that containers and their network need
DefaultDependencies=no
After=systemd-modules-load.service
Before=sysinit.target systemd-sysctl.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/sbin/modprobe -a -b overlay br_netfilter nf_conntrack

[Install]
WantedBy=sysinit.target
";
