//! What an API server logs is kept on its machine as it is written, and judged.

mod proof;
mod sabotage;

use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_spec::Spec;

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Draft, Unit};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "audit/events-are-kept",
    title: "What API servers log is kept unaltered, and what is suspicious in it is found",
    severity: Severity::High,
    refs: &[Ref::Docs("tasks/debug/debug-cluster/audit/")],
    limits: &[],
    doc: include_str!("events_are_kept.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The unit of the collector.
const UNIT: &str = "ringfort-collect.service";

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.control_planes(|at| {
        at.directory(paths::AUDIT_STORE, CLOSED, Owner::ROOT);
        let source = at.name().to_string();
        at.unit(Unit {
            name: UNIT,
            text: unit(&source),
            reads: &["/usr/local/bin/ringfort"],
            needs: vec![ItemId::directory(paths::AUDIT_STORE)],
        });
        // What is hidden from it has to be there when it starts.
        for directory in [paths::LOGS, paths::PKI, "/etc/kubernetes/encryption", paths::ETCD_PKI] {
            at.after(ItemId::unit(UNIT), ItemId::directory(directory));
        }
    });
}

/// The collector reads the server's log, which is root's, and writes into its own directory. It needs no network, no
/// capability, and nothing of the cluster's keys.
fn unit(source: &str) -> String {
    format!(
        "\
[Unit]
Description=Keeps what this machine's API server logs, and judges it as it is written
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort audit collect --log {log} --store {store} --source {source} --keep-mib {KEEP_MIB}
Restart=always
RestartSec=1
# It says every few seconds that it goes on. What it remembers is read again at its start, for up to a few seconds.
WatchdogSec=3min
TimeoutStartSec=5min
# A write that is under way is ended.
TimeoutStopSec=30
MemoryHigh=512M
UMask=0077
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={store}
InaccessiblePaths=-/etc/kubernetes/pki -/etc/kubernetes/encryption -/etc/etcd
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
",
        log = paths::AUDIT_LOG,
        store = paths::AUDIT_STORE,
    )
}

/// The oldest segments go when all are longer, in MiB: little beside etcd's data on the smallest disk that a control
/// plane may have.
const KEEP_MIB: u32 = 4_096;
