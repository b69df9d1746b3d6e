//! From a checked file to the spec: defaults that depend on other fields, and names.

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::audit;
use crate::integrity;
use crate::parsed::Parsed;
use crate::rules::{Machine, NO_PRIVILEGED_CONTAINERS, machines, scope_of};
use crate::spec::{Addon, Checked, Node, Spec, Ssh, Waiver};
use crate::written::{self, HostSsh, Written};

/// Gives the spec of a file without problems; `None` only if there were some.
pub(crate) fn resolve(parsed: &Parsed, today: Date) -> Option<Spec> {
    let written = &parsed.written;
    let (_, _) = (written.api_version?, written.kind?);
    let node = |machine: &Machine<'_>| {
        let node = node(written, machine)?;
        Some((node.name.clone(), node))
    };
    let (waivers, ended) = waivers(written, today)?;
    let mut spec = Spec {
        name: written.name.clone()?,
        kubernetes: written.kubernetes?,
        nodes: machines(written).iter().map(node).collect::<Option<_>>()?,
        endpoint: written.endpoint.clone(),
        network: written.network.clone(),
        dns_upstream: written.dns.upstream.iter().copied().collect::<Option<_>>()?,
        operators: written.operators.iter().cloned().collect::<Option<_>>()?,
        admin: written.admin.clone(),
        audit: audit::resolve(&written.audit)?,
        integrity: integrity::resolve(&written.integrity)?,
        allow_privileged: written.allow_privileged,
        addons: written.addons.iter().map(|a| addon(a.as_ref()?)).collect::<Option<_>>()?,
        waivers,
        ended,
        checked: Checked,
    };
    spec.allow_privileged &= spec.waives(NO_PRIVILEGED_CONTAINERS);
    Some(spec)
}

/// Gives the waivers that hold today, and those that have ended.
fn waivers(written: &Written, today: Date) -> Option<(Vec<Waiver>, Vec<Waiver>)> {
    let all: Vec<Waiver> =
        written.waivers.iter().map(|w| waiver(w.as_ref()?)).collect::<Option<_>>()?;
    Some(all.into_iter().partition(|waiver| waiver.expires >= today))
}

fn node(written: &Written, machine: &Machine<'_>) -> Option<Node> {
    let (name, address) = (machine.name.clone()?, machine.address?);
    let ssh = ssh(&written.ssh, machine.ssh, address);
    let runtime = match machine.runtime {
        Some(own) => own.over(&written.runtime),
        None => written.runtime.clone(),
    };
    Some(Node { name, role: machine.role, address, ssh, runtime })
}

fn ssh(all: &written::Ssh, own: Option<&HostSsh>, address: IpAddr) -> Ssh {
    let none = HostSsh::default();
    let own = own.unwrap_or(&none);
    let pinned = all.host_keys.iter().find(|(pinned, _)| pinned.parse() == Ok(address));
    let identity = own.identity.as_ref().or(all.identity.as_ref());
    Ssh {
        user: own.user.as_ref().or(all.user.as_ref()).cloned().unwrap_or_else(|| USER.to_owned()),
        port: own.port.or(all.port).unwrap_or(PORT),
        identity: identity.map(PathBuf::from),
        host_key: own.host_key.as_ref().or(pinned.map(|(_, key)| key)).cloned(),
        known_hosts: PathBuf::from(all.known_hosts.as_deref().unwrap_or(KNOWN_HOSTS)),
        sudo: own.sudo.unwrap_or(all.sudo),
        transport: own.transport.unwrap_or(all.transport),
    }
}

fn addon(written: &written::Addon) -> Option<Addon> {
    let files = written.files.as_ref()?;
    let files = files.iter().map(|file| file.as_ref().map(PathBuf::from));
    Some(Addon { name: written.name.clone()?, files: files.collect::<Option<_>>()? })
}

fn waiver(written: &written::Waiver) -> Option<Waiver> {
    Some(Waiver {
        control: written.control.clone()?,
        scope: scope_of(written.scope.as_ref())?,
        reason: written.reason.clone()?,
        owner: written.owner.clone()?,
        expires: written.expires?,
    })
}

const USER: &str = crate::rules::ROOT;
const PORT: u16 = 22;
const KNOWN_HOSTS: &str = "~/.ssh/known_hosts";
