//! The first `cluster.yaml`: what has to be decided, and in comments what may be.

use std::net::IpAddr;

use ringfort_model::name::ClusterName;
use ringfort_model::net::Family;
use ringfort_model::version::Minor;

use crate::settings::{NODE_PREFIX_V6, PODS, PODS_V6, SERVICES, SERVICES_V6};

/// Writes a commented `cluster.yaml` for machines at addresses, with the defaults of the first one's family.
pub fn template(name: &ClusterName, control_planes: &[IpAddr], workers: &[IpAddr]) -> String {
    let newest = Minor::ALL[Minor::ALL.len() - 1];
    let family =
        control_planes.iter().chain(workers).next().map_or(Family::V4, |it| Family::of(*it));
    let (control_planes, workers) = (listed(control_planes), listed(workers));
    let [entry, tail] = [ENTRY, TAIL].map(|text| match family {
        Family::V4 => text.to_owned(),
        Family::V6 => in_v6(text),
    });
    format!(
        "{HEAD}\
         apiVersion: ringfort.dev/v1\n\
         kind: Cluster\n\
         name: {name}\n\
         \n\
         # A minor, which means the newest patch of the bundle, or a full version such as \"{newest}.2\".\n\
         kubernetes: \"{newest}\"\n\
         \n\
         # By address. An odd number of control planes, 3 or more; they run no workloads.\n\
         {entry}\
         controlPlanes:\n\
         {control_planes}\
         workers:\n\
         {workers}\
         {tail}"
    )
}

/// Puts what the comments say of IPv4 into IPv6.
fn in_v6(text: &str) -> String {
    let prefix = format!("nodePrefix: {NODE_PREFIX_V6}");
    let pairs = [
        ("address: 10.0.0.11,", "address: \"fd00::11\","),
        ("10.0.0.11: ssh", "\"fd00::11\": ssh"),
        ("api.example.com:6443", "api.example.com:6443   # of an address: \"[fd00::10]:6443\""),
        (PODS, PODS_V6),
        (SERVICES, SERVICES_V6),
        ("nodePrefix: 24", prefix.as_str()),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Lists addresses. Colons have a meaning in YAML, so that those of IPv6 are quoted.
fn listed(addresses: &[IpAddr]) -> String {
    let line = |address: &IpAddr| match address {
        IpAddr::V4(address) => format!("  - {address}\n"),
        IpAddr::V6(address) => format!("  - \"{address}\"\n"),
    };
    addresses.iter().map(line).collect()
}

const HEAD: &str = "\
# One Kubernetes cluster, as it should be.
#
#   ringfort plan    shows what would be done, and why
#   ringfort up      does it, proves it and hands over a kubeconfig
#
# What is commented out shows the defaults. They are the secure choice; what loosens one needs an
# entry under waivers.

";

const ENTRY: &str =
    "# An entry may also be a map: { address: 10.0.0.11, name: cp1, ssh: { port: 2222 } }\n";

const TAIL: &str = "
# How the machines are entered. Host keys are never accepted unseen: they stand in knownHosts, or
# here under hostKeys by address.
ssh:
  user: root
  # port: 22
  # identity: ~/.ssh/id_ed25519      # without it, the keys of your agent
  # knownHosts: ~/.ssh/known_hosts
  # hostKeys:
  #   10.0.0.11: ssh-ed25519 AAAA…
  # sudo: false                      # true for any user but root
  # transport: builtin               # openssh: the system's ssh, with jump hosts and hardware keys

# Where the API is reached from outside, if a balancer stands before the control planes.
# endpoint: api.example.com:6443

# network:
#   pods: 10.244.0.0/16
#   services: 10.96.0.0/16
#   nodePrefix: 24
#   domain: cluster.local
#   provider: ringfort               # none: bring your own, such as Cilium or Calico
#   routes: auto                     # direct or vxlan
#   encryption: auto                 # wireguard to insist; none needs a waiver
#   masquerade: false                # true: packets of pods leave the cluster by their machine's address

# Servers for names outside the cluster. None: only names of the cluster are answered.
# dns:
#   upstream: []

# The age recipients of everyone who may open the cluster's keyring besides you.
# operators: []

# Hours that the certificate of the handed-over kubeconfig lives: 1 to 24.
# admin:
#   hours: 8

# What API servers log: how long their files and the events of them are kept on each control plane, who may change what,
# and where findings are told. The reference also has `feeds`, `own`, `waivers`, and under `tell` a webhook and a syslog
# server.
# audit:
#   maxAgeDays: 30
#   maxBackups: 10
#   maxSizeMegabytes: 100
#   keepDays: 90
#   keepMebibytes: 4096
#   changes: []
#   tell:
#     machineLog: false
#     metrics: false

# Who puts a file back that ringfort wrote and somebody changed: the next up, or the machine's agent at once
# (automatic). `paths` narrows what the agent puts back.
# integrity:
#   repair: up

# How containers meet the kernel. Change it only for machines that are containers themselves; the
# entry of one machine may have a `runtime` of its own.
# runtime:
#   cgroupDriver: systemd
#   failCgroupV1: true
#   restrictOomScoreAdj: false
#   appArmor: true

# allowPrivileged: false

# Decisions against a control. Each needs a reason, an owner and an end, and stands in every report.
# waivers:
#   - control: ha/three-workers
#     reason: two machines are all there is until the new rack is in
#     owner: ann@example.com
#     expires: 2027-01-31
";
