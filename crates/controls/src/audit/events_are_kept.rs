//! What an API server logs is kept on its machine as it is written, and judged.

mod done;
mod proof;
mod sabotage;
mod tactics;
mod witness;

use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_spec::{Audit, Spec};

use super::site::{self, SiteFiles};
use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, CONFINED, Draft, PRIVATE, Place, Unit};
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
pub(super) const UNIT: &str = "ringfort-collect.service";

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let site = draft.site();
    witness::rights(spec, draft);
    draft.control_planes(|at| {
        at.directory(paths::AUDIT_STORE, CLOSED, Owner::ROOT);
        at.directory(paths::RECEIVED, CLOSED, Owner::ROOT);
        put(spec, site, at);
        let source = at.name().to_string();
        let others: String =
            witness::others(spec, at.name()).map(|(name, _)| format!(" --others {name}")).collect();
        let added = added(site);
        at.unit(Unit {
            name: UNIT,
            text: collector(&spec.audit, &added, &source, &others),
            reads: &["/usr/local/bin/ringfort"],
            needs: [paths::AUDIT_STORE, paths::RECEIVED].map(ItemId::directory).into(),
        });
        let read = site.texts.keys().filter(|path| !CERTIFICATES.contains(&path.as_str()));
        read.for_each(|path| at.unit_reads(UNIT, path));
        at.unit_reads(UNIT, site::MACHINES);
        // What is hidden from it has to be there when it starts.
        for directory in [paths::LOGS, paths::PKI, "/etc/kubernetes/encryption", paths::ETCD_PKI] {
            at.after(ItemId::unit(UNIT), ItemId::directory(directory));
        }
        witness::witness(spec, at);
    });
}

/// What only the one that tells findings reads.
const CERTIFICATES: [&str; 2] = [site::WEBHOOK_CA, site::SYSLOG_CA];

/// Puts what the site adds where its units read it.
fn put(spec: &Spec, site: &SiteFiles, at: &mut Place<'_, '_>) {
    at.directory(paths::AUDIT_SITE, CLOSED, Owner::ROOT);
    at.directory(site::FEEDS, CLOSED, Owner::ROOT);
    let machines: String = spec.nodes.values().map(|node| format!("{}\n", node.address)).collect();
    at.text(site::MACHINES, PRIVATE, machines);
    for (path, text) in &site.texts {
        at.text(path, PRIVATE, text.as_str());
    }
}

/// Gives the arguments by which what the site adds is read.
fn added(site: &SiteFiles) -> String {
    let mut added = format!(" --feeds {}", site::FEEDS);
    for (flag, path) in [("--own", site::OWN), ("--waivers", site::WAIVERS)] {
        if site.texts.contains_key(path) {
            added.push_str(&format!(" {flag} {path}"));
        }
    }
    added
}

/// The collector reads the server's log, which is root's, and writes into its own directory. It needs no network, no
/// capability, and nothing of the cluster's keys.
fn collector(audit: &Audit, added: &str, source: &str, others: &str) -> String {
    let (together, runtime) = match others {
        "" => (String::new(), ""),
        others => (format!(" --together {}{others}", paths::TOGETHER), witness::TOGETHER),
    };
    format!(
        "\
[Unit]
Description=Keeps what this machine's API server logs, and judges it as it is written
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort audit collect --log {log} --store {store} --source {source} --received {received}{together} --keep-days {days} --keep-mib {mebibytes}{added}
Restart=always
RestartSec=1
# It says every few seconds that it goes on. What it remembers is read again at its start, for up to a few seconds.
WatchdogSec=3min
TimeoutStartSec=5min
# A write that is under way is ended.
TimeoutStopSec=30
MemoryHigh=768M
{runtime}ReadWritePaths={store} {received}
InaccessiblePaths=-/etc/kubernetes/pki -/etc/kubernetes/encryption -/etc/etcd -{token}
RestrictAddressFamilies=AF_UNIX
{CONFINED}",
        log = paths::AUDIT_LOG,
        store = paths::AUDIT_STORE,
        received = paths::RECEIVED,
        days = audit.keep_days,
        mebibytes = audit.keep_mebibytes,
        token = paths::FINDINGS_TOKEN,
    )
}
