//! Each control plane sees the next one's log: whoever rewrites the log of a machine would have to rewrite what another
//! machine saw of it. What a server counts and its own machine has not is told there as well.

use std::net::{IpAddr, SocketAddr};

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::{Authority, San, Subject, Usage};
use ringfort_model::identity::witness_of;
use ringfort_model::item::ItemId;
use ringfort_model::mode::Owner;
use ringfort_model::name::NodeName;
use ringfort_model::reach::{API_PORT, WITNESS_PORT};
use ringfort_spec::Spec;
use serde_json::{Value, json};

use crate::draft::{CLOSED, CONFINED, Draft, Leaf, Place, Unit, sockets_of};
use crate::paths;

/// The unit.
const UNIT: &str = "ringfort-witness.service";
/// Certificate and key with which control planes know each other, without what they end with.
const STEM: &str = "/etc/kubernetes/witness/own";
/// Who signed all of them.
const CA: &str = "/etc/kubernetes/witness/ca.crt";

/// Where a witness brings what other control planes keep, and the collector takes it: in memory, since it is kept where it
/// comes from. Both have it, whichever begins first, and neither takes it away when it ends.
pub(super) const TOGETHER: &str = "\
RuntimeDirectory=ringfort-together
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
";

/// What witnesses may do in the API, by their own name.
const ROLE: &str = "ringfort:witness";

/// Lets witnesses ask their servers what these measure, in which stands how many events they logged. They may do nothing
/// else.
pub(super) fn rights(spec: &Spec, draft: &mut Draft<'_>) {
    let group = "rbac.authorization.k8s.io";
    let planes = spec.nodes.values().filter(|node| node.role == Role::ControlPlane);
    let subject = |node: &ringfort_spec::Node| json!({"apiGroup": group, "kind": "User", "name": witness_of(node.name.as_str())});
    let subjects: Vec<Value> = planes.map(subject).collect();
    draft.object(json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
    }));
    draft.object(json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": ROLE},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ROLE},
        "subjects": subjects,
    }));
}

/// Adds what sees another's checkpoints and shows its own. By its certificate the API server lets it read what it measures,
/// and etcd's authorities sign none.
pub(super) fn witness(spec: &Spec, at: &mut Place<'_, '_>) {
    at.directory(paths::WITNESS, CLOSED, Owner::ROOT);
    at.directory(paths::WITNESS_PAPERS, CLOSED, Owner::ROOT);
    at.authority(CA, Authority::Cluster);
    at.leaf(Leaf {
        stem: STEM,
        owner: Owner::ROOT,
        authority: Authority::Cluster,
        subject: Subject::user(witness_of(at.name().as_str())),
        usages: &[Usage::ServerAuth, Usage::ClientAuth],
        names: [San::Ip(at.address())].into(),
    });
    let papers = [CA.to_owned(), format!("{STEM}.crt"), format!("{STEM}.key")];
    let directories = [paths::WITNESS, paths::RECEIVED, paths::AUDIT_STORE];
    let mut needs: Vec<ItemId> = directories.map(ItemId::directory).into();
    needs.extend(papers.iter().map(|path| ItemId::file(path.as_str())));
    let others: String = others(spec, at.name())
        .map(|(name, address)| {
            format!(" --reads {name}={}", SocketAddr::new(address, WITNESS_PORT))
        })
        .collect();
    let text = unit((at.name(), at.address()), neighbours(spec, at.name()), &others);
    at.unit(Unit { name: UNIT, text, reads: &["/usr/local/bin/ringfort"], needs });
    papers.iter().for_each(|path| at.unit_reads(UNIT, path));
    // What is hidden from it has to be there when it starts: the collector makes the store's key.
    at.after(ItemId::unit(UNIT), ItemId::unit(super::UNIT));
    for directory in [paths::LOGS, paths::PKI, "/etc/kubernetes/encryption", paths::ETCD_PKI] {
        at.after(ItemId::unit(UNIT), ItemId::directory(directory));
    }
}

/// Gives whom a control plane sees and who sees it: those before and behind it, by their names, and the last is before
/// the first. One alone has nobody.
fn neighbours<'s>(
    spec: &'s Spec,
    own: &NodeName,
) -> Option<(&'s NodeName, (&'s NodeName, IpAddr))> {
    let is_plane = |node: &&ringfort_spec::Node| node.role == Role::ControlPlane;
    let planes: Vec<_> = spec.nodes.values().filter(is_plane).collect();
    let place = planes.iter().position(|node| node.name == *own)?;
    let of = |steps: usize| planes[(place + steps) % planes.len()];
    let (before, behind) = (of(planes.len() - 1), of(1));
    (planes.len() > 1).then_some((&before.name, (&behind.name, behind.address)))
}

/// Gives the control planes whose events are judged with those of this one: all others.
pub(super) fn others<'s>(
    spec: &'s Spec,
    own: &NodeName,
) -> impl Iterator<Item = (&'s NodeName, IpAddr)> {
    let is_other =
        move |node: &&ringfort_spec::Node| node.role == Role::ControlPlane && node.name != *own;
    spec.nodes.values().filter(is_other).map(|node| (&node.name, node.address))
}

fn unit(
    (name, own): (&NodeName, IpAddr),
    neighbours: Option<(&NodeName, (&NodeName, IpAddr))>,
    others: &str,
) -> String {
    let at = |address| SocketAddr::new(address, WITNESS_PORT);
    let server = SocketAddr::new(own, API_PORT);
    let neighbours = neighbours.map_or_else(String::new, |(hears, (shows, address))| {
        format!(" --hears {hears} --shows {shows}={}", at(address))
    });
    let (reads, together) = match others {
        "" => (String::new(), ""),
        others => (format!("{others} --together {}", paths::TOGETHER), TOGETHER),
    };
    format!(
        "\
[Unit]
Description=Sees another control plane's audit log grow, shows it this one's, counts it, and takes what agents found
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/ringfort audit witness --store {store} --state {state} --listen {listen} --certificate {STEM}.crt --key {STEM}.key --ca {CA} --received {received} --counts {name}={server}{neighbours}{reads}
Restart=always
RestartSec=1
WatchdogSec=1min
TimeoutStopSec=10
MemoryHigh=256M
{together}ReadWritePaths={state} {received}
InaccessiblePaths=-/etc/kubernetes/pki -/etc/kubernetes/encryption -/etc/etcd -{store}/key -{logs} -{site}
RestrictAddressFamilies=AF_UNIX {family}
{CONFINED}",
        family = sockets_of(own),
        store = paths::AUDIT_STORE,
        state = paths::WITNESS,
        received = paths::RECEIVED,
        listen = at(own),
        logs = paths::LOGS,
        site = paths::AUDIT_SITE,
    )
}
