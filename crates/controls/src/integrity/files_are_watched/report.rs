//! What an agent finds goes to the collectors of control planes: whoever is root on a machine cannot take it back from
//! there.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::{Authority, Subject, Usage};
use ringfort_model::identity::agent_of;
use ringfort_model::integrity::STATE;
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::reach::WITNESS_PORT;
use ringfort_spec::Spec;

use crate::draft::{CLOSED, CONFINED, Leaf, Place, Unit, sockets_of};
use crate::paths;

/// The unit.
const UNIT: &str = "ringfort-report.service";
/// Certificate and key by which the agent is known, without what they end with.
const STEM: &str = "/etc/ringfort/report/own";
/// Who signed them, and those of control planes.
const CA: &str = "/etc/ringfort/report/ca.crt";

/// Adds what delivers. The agent itself goes on having no network.
pub(super) fn report(spec: &Spec, at: &mut Place<'_, '_>) {
    at.directory(paths::REPORT, CLOSED, Owner::ROOT);
    at.directory(paths::REPORT_PAPERS, CLOSED, Owner::ROOT);
    at.authority(CA, Authority::Cluster);
    at.leaf(Leaf {
        stem: STEM,
        owner: Owner::ROOT,
        authority: Authority::Cluster,
        subject: Subject::user(agent_of(at.name().as_str())),
        usages: &[Usage::ClientAuth],
        names: BTreeSet::new(),
    });
    let papers = [CA.to_owned(), format!("{STEM}.crt"), format!("{STEM}.key")];
    let mut needs = vec![ItemId::directory(paths::REPORT), ItemId::directory(STATE)];
    needs.extend(papers.iter().map(|path| ItemId::file(path.as_str())));
    let text = unit(spec, at.name().as_str());
    at.unit(Unit { name: UNIT, text, reads: &["/usr/local/bin/ringfort"], needs });
    papers.iter().for_each(|path| at.unit_reads(UNIT, path));
    // What is hidden from it has to be there when it starts.
    for directory in [paths::PKI, "/etc/kubernetes/encryption", paths::ETCD_PKI] {
        at.after(ItemId::unit(UNIT), ItemId::directory(directory));
    }
}

fn unit(spec: &Spec, node: &str) -> String {
    let planes = spec.nodes.values().filter(|node| node.role == Role::ControlPlane);
    let all: Vec<_> = planes.map(|to| (&to.name, to.address)).collect();
    // Machines begin at different ones.
    let turn = spec.nodes.keys().position(|name| name.as_str() == node).unwrap_or_default();
    let (later, sooner) = all.split_at(turn.checked_rem(all.len()).unwrap_or_default());
    let to = |(name, address): &(&_, _)| {
        format!(" --to {name}={}", SocketAddr::new(*address, WITNESS_PORT))
    };
    let to: String = sooner.iter().chain(later).map(to).collect();
    format!(
        "\
[Unit]
Description=Delivers what this machine's integrity agent found to control planes
After=network-online.target ringfort-integrity.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/local/bin/ringfort integrity report --node {node} --spool {spool} --certificate {STEM}.crt --key {STEM}.key --ca {CA}{to}
Restart=always
RestartSec=5
TimeoutStopSec=60
MemoryHigh=128M
ReadWritePaths={spool}
InaccessiblePaths=-/etc/kubernetes/pki -/etc/kubernetes/encryption -/etc/etcd
RestrictAddressFamilies=AF_UNIX {family}
{CONFINED}",
        family = sockets_of(spec.network.api_address()),
        spool = paths::REPORT,
    )
}
