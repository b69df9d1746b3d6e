//! The settings of a cluster that stand in `cluster.yaml` the way they are used, each with its
//! default. A default is the secure choice; what loosens it needs a waiver, said at the field.
//!
//! Never here: hosts, waivers, and anything that is resolved before it is used.

use std::net::IpAddr;
use std::time::Duration;

use ringfort_model::net::{Cidr, Family};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::format;

/// The cluster's networks and who makes them.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Network {
    /// The range that pods get addresses from, as a CIDR of the machines' family. Each node gets a part of it. It
    /// cannot change once the cluster exists. Default where machines have IPv6 addresses: fd00:10:244::/56.
    #[schemars(schema_with = "format::cidr")]
    pub pods: Cidr,
    /// The range that services get addresses from, as a CIDR of the machines' family with a prefix of 12 to 28 bits,
    /// or of 108 to 124 bits of IPv6. The first address is the API's, the tenth is the DNS's. Default where machines
    /// have IPv6 addresses: fd00:10:96::/112.
    #[schemars(schema_with = "format::cidr")]
    pub services: Cidr,
    /// The prefix length in bits of the part of the pod range that each node gets: 16 to 25, or 56 to 120 of IPv6,
    /// and longer than the pod range's own. Default where machines have IPv6 addresses: 64.
    #[schemars(range(min = 16, max = 120))]
    pub node_prefix: u8,
    /// The DNS domain of the cluster.
    #[schemars(schema_with = "format::dns_name")]
    pub domain: String,
    /// Who connects the pods. With `none`, bring your own, such as Cilium or Calico: nodes are not
    /// ready until it is installed.
    pub provider: Provider,
    /// How packets of pods travel between nodes where they are not encrypted.
    pub routes: Routes,
    /// Whether packets of pods are encrypted between nodes.
    pub encryption: Encryption,
    /// Whether packets of pods leave the cluster by their machine's own address, so that they are answered where
    /// nobody routes the pod range. It opens nothing by itself: pods get out where a policy lets them, or where a
    /// waiver opens their namespace. Not with `provider: none`.
    pub masquerade: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            pods: PODS.parse().expect("the default is a range"),
            services: SERVICES.parse().expect("the default is a range"),
            node_prefix: 24,
            domain: "cluster.local".to_owned(),
            provider: Provider::Ringfort,
            routes: Routes::Auto,
            encryption: Encryption::Auto,
            masquerade: false,
        }
    }
}

impl Network {
    /// Takes the defaults of a family in the place of those of IPv4, but for what is given in the file.
    pub(crate) fn settle(&mut self, family: Family, is_given: impl Fn(&str) -> bool) {
        if family == Family::V4 {
            return;
        }
        if !is_given("pods") {
            self.pods = PODS_V6.parse().expect("the default is a range");
        }
        if !is_given("services") {
            self.services = SERVICES_V6.parse().expect("the default is a range");
        }
        if !is_given("nodePrefix") {
            self.node_prefix = NODE_PREFIX_V6;
        }
    }

    /// Gives the family that the cluster speaks: machines, pods, services and whoever stands before them.
    pub fn family(&self) -> Family {
        self.pods.family()
    }

    /// Gives the address of the service `kubernetes`: the first of the service range.
    pub fn api_address(&self) -> IpAddr {
        self.services.nth(1).expect("a checked service range holds sixteen addresses")
    }

    /// Gives the address of the cluster's DNS: the tenth of the service range.
    pub fn dns_address(&self) -> IpAddr {
        self.services.nth(10).expect("a checked service range holds sixteen addresses")
    }
}

/// Who connects the pods.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Upstream's CNI plugins and ringfort's own routes, without a privileged daemon.
    Ringfort,
    /// The user's own, installed after the cluster is made.
    None,
}

/// How packets of pods travel between nodes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Routes {
    /// Direct routes where the nodes share a network, else VXLAN.
    Auto,
    /// A route per node, for nodes on one network.
    Direct,
    /// VXLAN with fixed neighbours, for nodes behind routers.
    Vxlan,
}

/// Whether packets of pods are encrypted between nodes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// By WireGuard, if the kernel of every node has it; once it was on, it stays on.
    Auto,
    /// By WireGuard; a node whose kernel lacks it is refused.
    Wireguard,
    /// Not at all. Needs a waiver of `network/pod-encryption`.
    None,
}

/// What the handed-over identity may.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Admin {
    /// How many hours the certificate of the handed-over kubeconfig lives: 1 to 24. Renewing it
    /// takes one command, and a shorter life is the only way to take it back early.
    #[schemars(range(min = 1, max = 24))]
    pub hours: u32,
}

impl Default for Admin {
    fn default() -> Self {
        Self { hours: 8 }
    }
}

impl Admin {
    /// Gives the life of the certificate.
    pub fn life(&self) -> Duration {
        Duration::from_secs(u64::from(self.hours) * 3600)
    }
}

/// How containers meet the kernel of the machines. The defaults fit a stock Debian, Ubuntu or Red
/// Hat kernel under systemd; change them for machines that are containers themselves.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Runtime {
    /// Who manages the control groups of pods.
    pub cgroup_driver: CgroupDriver,
    /// Whether the kubelet refuses to start on control groups version 1.
    #[serde(rename = "failCgroupV1")]
    pub fail_cgroup_v1: bool,
    /// Whether containers keep the runtime's own OOM score at least: needed where the machine may
    /// not lower it, as inside a container. It changes who dies first when memory runs out.
    pub restrict_oom_score_adj: bool,
    /// Whether containers run under the runtime's AppArmor profile where the kernel has AppArmor.
    /// `false` needs a waiver of `node/apparmor`.
    pub app_armor: bool,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            cgroup_driver: CgroupDriver::Systemd,
            fail_cgroup_v1: true,
            restrict_oom_score_adj: false,
            app_armor: true,
        }
    }
}

/// What is different about how containers meet the kernel of one machine; what is absent is as for
/// all of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HostRuntime {
    /// Who manages the control groups of pods.
    #[schemars(with = "CgroupDriver")]
    pub cgroup_driver: Option<CgroupDriver>,
    /// Whether the kubelet refuses to start on control groups version 1.
    #[serde(rename = "failCgroupV1")]
    #[schemars(with = "bool")]
    pub fail_cgroup_v1: Option<bool>,
    /// Whether containers keep the runtime's own OOM score at least.
    #[schemars(with = "bool")]
    pub restrict_oom_score_adj: Option<bool>,
    /// Whether containers run under the runtime's AppArmor profile. `false` needs a waiver of
    /// `node/apparmor` that covers this machine.
    #[schemars(with = "bool")]
    pub app_armor: Option<bool>,
}

impl HostRuntime {
    /// Gives what holds on the machine.
    pub(crate) fn over(&self, all: &Runtime) -> Runtime {
        Runtime {
            cgroup_driver: self.cgroup_driver.unwrap_or(all.cgroup_driver),
            fail_cgroup_v1: self.fail_cgroup_v1.unwrap_or(all.fail_cgroup_v1),
            restrict_oom_score_adj: self
                .restrict_oom_score_adj
                .unwrap_or(all.restrict_oom_score_adj),
            app_armor: self.app_armor.unwrap_or(all.app_armor),
        }
    }
}

/// Who manages the control groups of pods.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    /// systemd, through its own interface.
    Systemd,
    /// The kubelet and the runtime themselves.
    Cgroupfs,
}

/// Who speaks SSH.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// ringfort itself.
    #[default]
    Builtin,
    /// The system's `ssh`, with all that your `ssh_config` says: jump hosts, hardware keys.
    Openssh,
}

pub(crate) const PODS: &str = "10.244.0.0/16";
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// A part for each of 256 nodes, and a subnet of the usual size for each (RFC 4291, 2.5.4).
pub(crate) const PODS_V6: &str = "fd00:10:244::/56";
pub(crate) const SERVICES_V6: &str = "fd00:10:96::/112";
pub(crate) const NODE_PREFIX_V6: u8 = 64;
