//! What a machine is like before anything is changed: the facts that preflight judges.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Facts about a machine. What could not be read is absent, and preflight says so.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Survey {
    /// Host name.
    pub hostname: Option<String>,
    /// `/etc/machine-id`.
    pub machine_id: Option<String>,
    /// Hardware addresses of its links, without loopback.
    pub macs: Vec<String>,
    /// Addresses of its links, without loopback.
    pub addresses: Vec<IpAddr>,
    /// The machine's clock, in milliseconds since 1970.
    pub clock_ms: Option<i64>,
    /// Processors.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Free bytes under `/var/lib`.
    pub disk_free_bytes: Option<u64>,
    /// What nine of ten synced writes under `/var/lib` stay below, in microseconds.
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
    /// The maximum transmission unit of the link that carries the machine's address, in bytes.
    pub mtu_bytes: Option<u32>,
    /// Users by number that preflight asks about: 2379 and 10257, with the names they have.
    pub users: BTreeMap<u32, String>,
}
