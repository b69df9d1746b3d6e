//! Rules about machines: how many, that each is one, and that each can be entered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use ringfort_model::blueprint::Role;
use ringfort_model::name::NodeName;

use super::{THREE_CONTROL_PLANES, THREE_WORKERS, waivers};
use crate::parsed::Parsed;
use crate::report::Problem;
use crate::settings::{HostRuntime, Transport};
use crate::written::{Host, HostSsh, List, Written};

/// An entry of a list of machines, as far as it could be read.
#[derive(Clone, Debug)]
pub(crate) struct Machine<'w> {
    /// Its path in the file.
    pub path: String,
    /// Its part in the cluster.
    pub role: Role,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its name, given or made from the address.
    pub name: Option<NodeName>,
    /// Whether the name was given.
    pub named: bool,
    /// What is different about entering it.
    pub ssh: Option<&'w HostSsh>,
    /// What is different about its kernel.
    pub runtime: Option<&'w HostRuntime>,
}

/// Gives the machines of a file in its order.
pub(crate) fn machines(written: &Written) -> Vec<Machine<'_>> {
    let control_planes = of("/controlPlanes", Role::ControlPlane, &written.control_planes);
    control_planes.chain(of("/workers", Role::Worker, &written.workers)).collect()
}

fn of<'w>(
    path: &'static str,
    role: Role,
    hosts: &'w Option<List<Host>>,
) -> impl Iterator<Item = Machine<'w>> {
    let numbered = hosts.iter().flatten().enumerate();
    numbered.filter_map(move |(index, host)| {
        let (address, name, described) = match host.as_ref()? {
            Host::Address(address) => (Some(*address), None, None),
            Host::Described(host) => (host.address, host.name.clone(), Some(host)),
        };
        let (ssh, runtime) = (described.map(|host| &host.ssh), described.map(|host| &host.runtime));
        let named = name.is_some();
        let name = name.or_else(|| address.and_then(|address| name_of(role, address)));
        Some(Machine { path: format!("{path}/{index}"), role, address, name, named, ssh, runtime })
    })
}

/// Makes a name from an address: a position in the list would rename the others when one leaves.
fn name_of(role: Role, address: IpAddr) -> Option<NodeName> {
    let part = match role {
        Role::ControlPlane => "cp",
        Role::Worker => "w",
    };
    let mut address = address.to_string().replace(['.', ':'], "-");
    // Zeros that are left out at the end of an address of IPv6 would leave a name that ends with a sign.
    if address.ends_with('-') {
        address.push('0');
    }
    NodeName::new(format!("{part}-{address}")).ok()
}

/// Says whether every machine of the file has its address and name, so that others are strangers.
pub(super) fn all_known(parsed: &Parsed, machines: &[Machine<'_>]) -> bool {
    let written = &parsed.written;
    let lists = [&written.control_planes, &written.workers];
    lists.iter().all(|list| list.is_some())
        && lists.iter().copied().flatten().map(Vec::len).sum::<usize>() == machines.len()
        && machines.iter().all(|machine| machine.address.is_some() && machine.name.is_some())
}

pub(super) fn look(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let mut problems = counts(parsed);
    problems.extend(machines.iter().filter_map(|machine| usable(parsed, machine)));
    problems.extend(same_addresses(parsed, machines));
    problems.extend(same_names(parsed, machines));
    problems.extend(pinned_strangers(parsed, machines));
    problems.extend(no_way_to_root(parsed, machines));
    problems.extend(rsa_host_keys(parsed, machines));
    problems
}

fn counts(parsed: &Parsed) -> Vec<Problem> {
    let count = |hosts: &Option<List<Host>>| hosts.as_ref().map(Vec::len);
    let control_planes = count(&parsed.written.control_planes);
    let workers = count(&parsed.written.workers);
    let control_planes = control_planes.and_then(|count| control_plane_count(parsed, count));
    control_planes
        .into_iter()
        .chain(workers.and_then(|count| worker_count(parsed, count)))
        .collect()
}

fn control_plane_count(parsed: &Parsed, count: usize) -> Option<Problem> {
    let message = match count {
        0 => "there is no control plane".to_owned(),
        8.. => {
            format!("{count} control planes are too many, since each has to agree to each write")
        }
        _ if count.is_multiple_of(2) => {
            format!("{count} control planes survive no more losses than {}", count - 1)
        }
        1 if !waivers::holds(parsed, THREE_CONTROL_PLANES) => {
            "1 control plane does not survive its loss".to_owned()
        }
        _ => return None,
    };
    let help = match count {
        8.. => "use 3, 5 or 7".to_owned(),
        _ => format!("use 3, 5 or 7; for a single one, waive `{THREE_CONTROL_PLANES}`"),
    };
    let at = parsed.key_at("/controlPlanes");
    Some(Problem::new("control-plane-count", at, message).help(help))
}

fn worker_count(parsed: &Parsed, count: usize) -> Option<Problem> {
    let message = match count {
        0 => "there is no worker, and control planes run no workloads".to_owned(),
        1 | 2 if !waivers::holds(parsed, THREE_WORKERS) => {
            format!("{count} of at least 3 workers: losing one would take too much with it")
        }
        _ => return None,
    };
    let help = format!("use 3 or more; for fewer, waive `{THREE_WORKERS}`");
    Some(Problem::new("worker-count", parsed.key_at("/workers"), message).help(help))
}

fn usable(parsed: &Parsed, machine: &Machine<'_>) -> Option<Problem> {
    let address = machine.address?;
    let (is_of_link, is_of_many, is_of_routers) = match address {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.is_broadcast(), false),
        // The first address of a subnet is every router's there (RFC 4291, 2.6.1).
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), false, u128::from(v6) << 64 == 0),
    };
    let kind = match address {
        _ if address.is_unspecified() => "means no machine",
        _ if address.is_loopback() => "means each machine itself",
        _ if is_of_link => "holds on one link only",
        _ if address.is_multicast() || is_of_many => "means many machines",
        _ if is_of_routers => "means any router of its network",
        _ => return None,
    };
    let at = address_at(parsed, machine);
    let problem = Problem::new("unusable-address", at, format!("{address} {kind}"));
    Some(problem.help("write the address under which all machines reach this one"))
}

fn same_addresses(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let addressed = machines.iter().filter_map(|machine| {
        machine.address.map(|address| (address, address_at(parsed, machine)))
    });
    twice(addressed, |address, again, first| {
        Problem::new("duplicate-address", again, format!("two machines have the address {address}"))
            .label("given again here")
            .also(first, "first given here")
            .help("a machine is either a control plane or a worker, and is listed once")
    })
}

fn same_names(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let named = machines.iter().filter(|machine| machine.address.is_some() || machine.named);
    let named = named.filter_map(|machine| {
        machine.name.clone().map(|name| ((name, machine.named), name_at(parsed, machine)))
    });
    let mut problems = Vec::new();
    let mut seen: BTreeMap<NodeName, (bool, Range<usize>)> = BTreeMap::new();
    for ((name, given), at) in named {
        match seen.get(&name) {
            // Two names made from one address: the address is given twice, which has been said.
            Some((false, _)) if !given => {}
            Some((_, first)) => {
                let message = format!("two machines have the name {name}");
                let problem = Problem::new("duplicate-name", at, message).label("given again here");
                problems.push(problem.also(first.clone(), "first given here"));
            }
            None => {
                seen.insert(name, (given, at));
            }
        }
    }
    problems
}

/// Pairs each value that was seen before with the place where it was seen first.
fn twice<T: Ord>(
    values: impl Iterator<Item = (T, Range<usize>)>,
    say: impl Fn(&T, Range<usize>, Range<usize>) -> Problem,
) -> Vec<Problem> {
    let mut seen: BTreeMap<T, Range<usize>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (value, at) in values {
        match seen.get(&value) {
            Some(first) => problems.push(say(&value, at, first.clone())),
            None => {
                seen.insert(value, at);
            }
        }
    }
    problems
}

fn pinned_strangers(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    if !all_known(parsed, machines) {
        return Vec::new();
    }
    let stranger = |pinned: &&String| {
        let address = pinned.parse::<IpAddr>().ok();
        !machines.iter().any(|machine| machine.address == address && address.is_some())
    };
    let say = |pinned: &String| {
        let at = parsed.key_at(&format!("/ssh/hostKeys/{pinned}"));
        Problem::new("unknown-host", at, format!("no machine has the address {pinned}"))
            .help("write the address as it stands in controlPlanes or workers, or remove the key")
    };
    parsed.written.ssh.host_keys.keys().filter(stranger).map(say).collect()
}

/// Finds users that can do nothing on a machine; says it once for the user of all machines.
fn no_way_to_root(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let all = &parsed.written.ssh;
    let say = |path: String, user: &str| {
        let message = format!("the user {user:?} has no way to become root");
        let problem = Problem::new("needs-sudo", parsed.value_at(&format!("{path}/user")), message);
        problem.help("add `sudo: true` beside it, or use root")
    };
    let mut problems = Vec::new();
    if parsed.sound("/ssh/sudo") && !all.sudo {
        let user = all.user.as_deref().filter(|user| *user != ROOT);
        problems.extend(user.map(|user| say("/ssh".to_owned(), user)));
    }
    for machine in machines {
        let path = format!("{}/ssh", machine.path);
        let Some(ssh) = machine.ssh.filter(|_| parsed.sound(&format!("{path}/sudo"))) else {
            continue;
        };
        let sudo = ssh.sudo.unwrap_or(all.sudo);
        let user = ssh.user.as_deref().filter(|user| *user != ROOT && !sudo);
        problems.extend(user.map(|user| say(path, user)));
    }
    problems
}

/// Finds pinned host keys that the builtin client cannot check: it has no RSA.
fn rsa_host_keys(parsed: &Parsed, machines: &[Machine<'_>]) -> Vec<Problem> {
    let all = &parsed.written.ssh;
    let say = |path: &str| {
        let message = "a host key of RSA cannot be checked by the builtin client".to_owned();
        Problem::new("rsa-host-key", parsed.value_at(path), message).help(
            "pin the machine's Ed25519 or ECDSA key (ssh-keyscan shows all of them), or set `transport: openssh`",
        )
    };
    let mut paths = BTreeSet::new();
    for machine in machines {
        let own = machine.ssh.and_then(|ssh| ssh.transport);
        if !parsed.sound("/ssh/transport") || own.unwrap_or(all.transport) == Transport::Openssh {
            continue;
        }
        let is_machines =
            |address: &str| machine.address.is_some() && address.parse().ok() == machine.address;
        match machine.ssh.and_then(|ssh| ssh.host_key.as_deref()) {
            Some(key) if is_rsa(key) => {
                paths.insert(format!("{}/ssh/hostKey", machine.path));
            }
            Some(_) => {}
            None => {
                let pinned = all.host_keys.iter();
                let of_it = pinned.filter(|(address, key)| is_machines(address) && is_rsa(key));
                paths.extend(of_it.map(|(address, _)| format!("/ssh/hostKeys/{address}")));
            }
        }
    }
    paths.iter().map(|path| say(path)).collect()
}

fn is_rsa(key: &str) -> bool {
    key.starts_with("ssh-rsa ") || key.starts_with("rsa-sha2-")
}

fn address_at(parsed: &Parsed, machine: &Machine<'_>) -> Range<usize> {
    let inner = format!("{}/address", machine.path);
    let path = if machine.ssh.is_some() { &inner } else { &machine.path };
    parsed.value_at(path)
}

fn name_at(parsed: &Parsed, machine: &Machine<'_>) -> Range<usize> {
    match machine.named {
        true => parsed.value_at(&format!("{}/name", machine.path)),
        false => address_at(parsed, machine),
    }
}

pub(crate) const ROOT: &str = "root";
