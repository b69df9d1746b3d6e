//! What a machine is like before anything is changed: the facts that preflight judges.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::net::Cidr;

/// Facts about a machine. What could not be read is absent, and preflight says so.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Survey {
    /// Host name.
    pub hostname: Option<String>,
    /// `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Its links, without loopback.
    pub links: Option<Vec<LinkSeen>>,
    /// Links through which the kernel goes out by what routers advertise, of whom it hears no more once it forwards
    /// packets (IPv6, `accept_ra` 1).
    pub advertised: Option<Vec<String>>,
    /// Addresses that the kernel made of such advertisements itself, and which end when it hears no more of them.
    pub lent: Option<Vec<IpAddr>>,
    /// The machine's clock, in milliseconds since 1970.
    pub clock_ms: Option<i64>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Free bytes where images of containers lie, or will: `/var/lib/containerd`, which may be a disk of its own.
    pub image_free_bytes: Option<u64>,
    /// Free bytes where ringfort's own files lie, or will: `/var/lib/ringfort`.
    pub own_free_bytes: Option<u64>,
    /// What nine of ten synced writes stay below where etcd's data lies, or will: `/var/lib/etcd`. In microseconds.
    pub sync_latency_us: Option<u64>,
    /// Kernel release, such as `6.1.0-40-cloud-amd64`.
    pub kernel: Option<String>,
    /// `1` or `2`.
    pub cgroup_version: Option<u32>,
    /// Whether systemd is process 1.
    pub systemd: bool,
    /// Whether AppArmor is enabled in the kernel.
    pub apparmor: bool,
    /// Whether swap is on.
    pub swap: Option<bool>,
    /// Distribution, from `os-release`.
    pub os: Option<String>,
    /// User id that ringfort runs as there.
    pub uid: u32,
    /// Host tools by name, with the version they report.
    pub tools: BTreeMap<String, String>,
    /// Ports of ours that something listens on, with the process's name.
    pub busy_ports: BTreeMap<u16, String>,
    /// Paths that speak of a cluster that is or was there.
    pub leftovers: Vec<String>,
    /// The cluster that ringfort's own state on the machine names.
    pub cluster: Option<String>,
    /// Kernel features by name, and whether a try succeeded.
    pub features: BTreeMap<String, bool>,
    /// Users that preflight asks about, by name or by number: each with its number and that of its own group.
    pub users: Option<BTreeMap<String, (u32, u32)>>,
    /// Groups that preflight asks about, by name or by number.
    pub groups: Option<BTreeMap<String, u32>>,
}

/// A link of a machine.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LinkSeen {
    /// Its name.
    pub name: String,
    /// Its hardware address, if it is one that tells this machine from others.
    pub mac: Option<String>,
    /// Its addresses, each with the length of its network's prefix.
    pub addresses: Vec<(IpAddr, u8)>,
    /// How much a packet on it may hold, in bytes.
    pub mtu_bytes: Option<u32>,
}

impl Survey {
    /// Gives the link that carries an address.
    pub fn link_of(&self, address: IpAddr) -> Option<&LinkSeen> {
        let carries = |link: &&LinkSeen| link.addresses.iter().any(|(own, _)| *own == address);
        self.links.iter().flatten().find(carries)
    }

    /// Gives the network that an address of the machine is on.
    pub fn segment_of(&self, address: IpAddr) -> Option<Cidr> {
        let mut addresses = self.links.iter().flatten().flat_map(|link| &link.addresses);
        let (_, prefix) = addresses.find(|(own, _)| *own == address)?;
        Cidr::holding(address, *prefix)
    }
}
