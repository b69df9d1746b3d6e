//! Files of every machine are watched, against a baseline that is signed off it.

mod proof;
mod report;
mod sabotage;

use ringfort_model::integrity::{BASELINE, CANARY, CANARY_TEXT, KEY, REPAIR, STATE};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_spec::{Limit, Repair, Spec};

use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, Draft, PRIVATE, Place, Unit};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "integrity/files-are-watched",
    title: "A change of a protected file is seen within seconds, with who made it and why",
    severity: Severity::High,
    refs: &[Ref::Docs("concepts/security/security-checklist/")],
    limits: &[Limit::Cluster],
    doc: include_str!("files_are_watched.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The unit of the agent.
pub const UNIT: &str = "ringfort-integrity.service";
/// What stands in the place of a baseline and of what is put back until the blueprint is whole.
const UNSIGNED: &str = "ringfort up signs it when it knows everything else\n";

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    // A keyring of before there were baselines gets its key by the next up.
    let Some(key) = draft.trust().baseline_key.clone() else { return };
    draft.everywhere(|at| {
        agent(&key, at);
        report::report(spec, at);
    });
    if let Repair::Automatic { paths } = &spec.integrity.repair {
        draft.everywhere(|at| at.text(REPAIR, PRIVATE, UNSIGNED));
        draft.put_back(UNIT, paths);
    }
}

fn agent(key: &str, at: &mut Place<'_, '_>) {
    at.directory("/etc/ringfort", CLOSED, Owner::ROOT);
    at.directory("/etc/ringfort/integrity", CLOSED, Owner::ROOT);
    at.directory(STATE, CLOSED, Owner::ROOT);
    at.text(KEY, PRIVATE, key);
    at.text(CANARY, PRIVATE, CANARY_TEXT);
    at.text(BASELINE, PRIVATE, UNSIGNED);
    let text = TEXT.replace("{node}", at.name().as_str());
    at.unit(Unit {
        name: UNIT,
        text,
        reads: &["/usr/local/bin/ringfort", KEY],
        needs: vec![
            ItemId::file(BASELINE),
            ItemId::file(CANARY),
            ItemId::directory(STATE),
            ItemId::file(paths::CA),
        ],
    });
}

const TEXT: &str = "\
[Unit]
Description=Watches this machine's protected files
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort integrity watch --node {node}
Restart=always
RestartSec=1
# The kernel asks it before a program begins. Should it ever hang, whoever waits goes on when it is ended.
WatchdogSec=10s
TimeoutStopSec=5s
LimitNOFILE=4096
MemoryMax=512M
OOMScoreAdjust=-900
# To listen on whole file systems, to read what others may not, and to see what processes run.
CapabilityBoundingSet=CAP_SYS_ADMIN CAP_DAC_READ_SEARCH CAP_SYS_PTRACE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/var/lib/ringfort/integrity
ProtectHome=read-only
ProtectControlGroups=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
";
