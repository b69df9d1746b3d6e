//! What is found is told to those whom the site names, and they have it.

mod proof;
mod sabotage;

use std::collections::BTreeSet;

use ringfort_model::content::{Content, SecretName};
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::receiver::Recipient;
use ringfort_spec::{Limit, Over, Spec, Syslog, Tell, Webhook};

use super::events_are_kept::UNIT;
use super::site::{self, SiteFiles};
use crate::control::{Control, Ref, Severity};
use crate::draft::{CLOSED, CONFINED, Draft, PRIVATE, PROGRAM, Place, Unit, sockets_of};
use crate::paths;
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "audit/findings-are-told",
    title: "What is found in logs reaches those who are to be told",
    severity: Severity::High,
    refs: &[Ref::Docs("tasks/debug/debug-cluster/audit/")],
    limits: &[Limit::Cluster],
    doc: include_str!("findings_are_told.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// The unit that tells findings.
const TELLER: &str = "ringfort-tell.service";

/// Names those whom a cluster tells its findings.
pub fn told(tell: &Tell) -> BTreeSet<Recipient> {
    let syslog = tell.syslog.as_ref().map(|syslog| match syslog.over {
        Over::Tls { .. } => Recipient::Syslog,
        Over::Udp => Recipient::Datagrams,
    });
    let named = [
        tell.machine_log.then_some(Recipient::MachineLog),
        tell.metrics.then_some(Recipient::Metrics),
        tell.webhook.as_ref().map(|_| Recipient::Webhook),
        syslog,
    ];
    named.into_iter().flatten().collect()
}

fn make(spec: &Spec, draft: &mut Draft<'_>) {
    let (site, tell) = (draft.site(), &spec.audit.tell);
    if tell.is_any() {
        draft.control_planes(|at| {
            token(tell, site, at);
            teller(tell, site, at);
        });
    }
}

/// Puts the token that the webhook asks for where the unit reads it.
fn token(tell: &Tell, site: &SiteFiles, at: &mut Place<'_, '_>) {
    let asks = tell.webhook.as_ref().is_some_and(|webhook| webhook.token.is_some());
    if let Some(digest) = site.token.clone().filter(|_| asks) {
        let (name, keys) = (SecretName::FindingsToken, Vec::new());
        let content = Content::Secret { name, digest, keys };
        at.file(paths::FINDINGS_TOKEN, PRIVATE, Owner::ROOT, content);
    }
}

/// Adds the unit. It reads what the collector found, and speaks to the receivers that are named.
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
    let webhook = tell.webhook.as_ref().map(|it| it.address);
    let receiver = webhook.or(tell.syslog.as_ref().map(|it| it.address.ip()));
    let (network, families) = match receiver {
        Some(address) => (
            "After=network-online.target\nWants=network-online.target\n",
            format!("AF_UNIX {}", sockets_of(address)),
        ),
        None => ("", "AF_UNIX".to_owned()),
    };
    let metrics = if tell.metrics { format!(" {}", paths::METRICS) } else { String::new() };
    let log = if tell.machine_log { " --syslog" } else { "" };
    format!(
        "\
[Unit]
Description=Tells what is found in what this machine's API server logs
After={UNIT}
{network}StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/local/bin/ringfort audit follow --found --store {store} --cursor {spool}/cursor{log} --source {source}{to}
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
