//! What an API server logs is kept on its machine as it is written, and judged.

mod proof;
mod sabotage;
mod witness;

use ringfort_model::content::{Content, SecretName};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_spec::{Audit, Over, Spec, Syslog, Tell, Webhook};

use super::site::{self, SiteFiles};
use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, CONFINED, Draft, PRIVATE, PROGRAM, Place, Unit};
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

/// The unit of the collector,
const UNIT: &str = "ringfort-collect.service";
/// and of what tells findings.
const TELLER: &str = "ringfort-tell.service";

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let site = draft.site();
    draft.control_planes(|at| {
        at.directory(paths::AUDIT_STORE, CLOSED, Owner::ROOT);
        at.directory(paths::RECEIVED, CLOSED, Owner::ROOT);
        put(spec, site, at);
        let source = at.name().to_string();
        let added = added(site);
        at.unit(Unit {
            name: UNIT,
            text: collector(&spec.audit, &added, &source),
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
        if spec.audit.tell.is_any() {
            teller(&spec.audit.tell, site, at);
        }
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
    let asks = spec.audit.tell.webhook.as_ref().is_some_and(|webhook| webhook.token.is_some());
    if let Some(digest) = site.token.clone().filter(|_| asks) {
        let (name, keys) = (SecretName::FindingsToken, Vec::new());
        let content = Content::Secret { name, digest, keys };
        at.file(paths::FINDINGS_TOKEN, PRIVATE, Owner::ROOT, content);
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
fn collector(audit: &Audit, added: &str, source: &str) -> String {
    format!(
        "\
[Unit]
Description=Keeps what this machine's API server logs, and judges it as it is written
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort audit collect --log {log} --store {store} --source {source} --received {received} --keep-days {days} --keep-mib {mebibytes}{added}
Restart=always
RestartSec=1
# It says every few seconds that it goes on. What it remembers is read again at its start, for up to a few seconds.
WatchdogSec=3min
TimeoutStartSec=5min
# A write that is under way is ended.
TimeoutStopSec=30
MemoryHigh=512M
ReadWritePaths={store} {received}
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

/// Adds what tells findings. It reads what the collector found, and speaks to the receivers that are named.
fn teller(tell: &Tell, site: &SiteFiles, at: &mut Place<'_, '_>) {
    at.directory(paths::TELL, CLOSED, Owner::ROOT);
    let mut needs = vec![ItemId::directory(paths::TELL), ItemId::directory(paths::AUDIT_STORE)];
    if tell.metrics {
        at.directory(paths::METRICS, PROGRAM, Owner::ROOT);
        needs.push(ItemId::directory(paths::METRICS));
    }
    let source = at.name().to_string();
    let text = telling(tell, site, &source);
    at.unit(Unit { name: TELLER, text, reads: &["/usr/local/bin/ringfort"], needs });
    let known = [site::WAIVERS, site::WEBHOOK_CA, site::SYSLOG_CA];
    let read = known.into_iter().filter(|path| site.texts.contains_key(*path));
    read.chain(site.token.is_some().then_some(paths::FINDINGS_TOKEN))
        .for_each(|path| at.unit_reads(TELLER, path));
    at.after(ItemId::unit(TELLER), ItemId::unit(UNIT));
}

fn telling(tell: &Tell, site: &SiteFiles, source: &str) -> String {
    let (network, families) = match tell.webhook.is_some() || tell.syslog.is_some() {
        true => ("After=network-online.target\nWants=network-online.target\n", "AF_UNIX AF_INET"),
        false => ("", "AF_UNIX"),
    };
    let metrics = if tell.metrics { format!(" {}", paths::METRICS) } else { String::new() };
    format!(
        "\
[Unit]
Description=Tells what is found in what this machine's API server logs
After={UNIT}
{network}StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/local/bin/ringfort audit follow --found --store {store} --cursor {spool}/cursor --source {source}{to}
# The collector's journal has them already.
StandardOutput=null
Restart=always
RestartSec=5
TimeoutStopSec=30
MemoryHigh=256M
ReadWritePaths={spool}{metrics}
InaccessiblePaths=-/etc/kubernetes/pki -/etc/kubernetes/encryption -/etc/etcd -{store}/key -{logs}
RestrictAddressFamilies={families}
{CONFINED}",
        store = paths::AUDIT_STORE,
        spool = paths::TELL,
        logs = paths::LOGS,
        to = receivers(tell, site),
    )
}

/// Gives the arguments that say where findings are told. The token stands in a file.
fn receivers(tell: &Tell, site: &SiteFiles) -> String {
    let mut all = String::new();
    let mut add = |text: String| all.push_str(&format!(" {text}"));
    if site.texts.contains_key(site::WAIVERS) {
        add(format!("--waivers {}", site::WAIVERS));
    }
    if tell.machine_log {
        add("--syslog".to_owned());
    }
    if tell.metrics {
        add(format!("--metrics {}/ringfort.prom", paths::METRICS));
    }
    if tell.webhook.is_some() || tell.syslog.is_some() {
        add(format!("--spool {}", paths::TELL));
    }
    if let Some(Webhook { url, address, token, .. }) = &tell.webhook {
        // A unit's % begins a word of systemd's.
        let url = url.to_string().replace('%', "%%");
        add(format!(
            "--webhook {url} --webhook-address {address} --webhook-ca {}",
            site::WEBHOOK_CA
        ));
        if token.is_some() {
            add(format!("--webhook-token {}", paths::FINDINGS_TOKEN));
        }
    }
    match &tell.syslog {
        Some(Syslog { address, over: Over::Tls { name, .. } }) => add(format!(
            "--syslog-server {address} --syslog-name {name} --syslog-ca {}",
            site::SYSLOG_CA
        )),
        Some(Syslog { address, over: Over::Udp }) => {
            add(format!("--syslog-server {address} --syslog-udp"));
        }
        None => {}
    }
    all
}
