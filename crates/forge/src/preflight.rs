//! Judges machines before anything is written to them: all machines, all findings at once.
//!
//! Pure: what the machines are like comes in as surveys, findings come out. A fact that could not
//! be read is a finding of its own, never a pass.

pub mod reach;
mod together;
mod tools;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_controls::node::minimum_hardware::{CONTROL_PLANE, WORKER};
use ringfort_model::blueprint::Role;
use ringfort_model::bundle::HostTool;
use ringfort_model::mode::Owner;
use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;
use ringfort_model::survey::{LinkSeen, Survey};
use ringfort_spec::Routes;

/// What preflight must know of a machine besides its survey.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its part in the cluster.
    pub role: Role,
    /// Its address in the spec.
    pub address: IpAddr,
    /// What it is like.
    pub survey: Survey,
    /// The operator's clock when the survey came in, in milliseconds since 1970.
    pub asked_ms: i64,
    /// What the spec asks of its kernel.
    pub kernel: KernelTerms,
}

/// What the spec decides about one machine's kernel.
#[derive(Clone, Copy, Debug)]
pub struct KernelTerms {
    /// Whether kubelet may run on cgroup v1.
    pub cgroup_v1: bool,
    /// Whether containers must be confined by AppArmor.
    pub apparmor: bool,
    /// Whether pods run in user namespaces.
    pub user_namespaces: bool,
}

/// What the spec decides about machines.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The cluster's name: leftovers of this one are no leftovers.
    pub cluster: String,
    /// Whether pods' traffic is routed by ringfort.
    pub own_network: bool,
    /// Whether that network may encrypt packets between machines.
    pub encrypts: bool,
    /// How packets that are not encrypted travel between machines.
    pub routes: Routes,
    /// Programs of the machines' own system that the bundle's programs call.
    pub tools: Vec<HostTool>,
}

/// Something that preflight found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The machine; absent for what concerns several.
    pub node: Option<NodeName>,
    /// What was found, and what to do.
    pub text: String,
    /// What may not be done before it is mended.
    pub weight: Weight,
}

/// What a finding stands in the way of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weight {
    /// Nothing.
    Advice,
    /// Work on its machine, which is of the cluster already: the others go on without it, as they do without one that
    /// does not answer.
    Machine,
    /// All work.
    Run,
}

/// Clocks may differ by so much: certificates are backdated by five minutes, and audit logs of
/// different servers must be put in order.
const SKEW_LIMIT_MS: i64 = 2_000;
/// Nine of ten synced writes may take so long: it is the interval of etcd's heartbeats, and a leader
/// that writes for longer misses its own.
const SYNC_LIMIT_US: u64 = 250_000;
/// etcd's documentation asks for a 99th percentile below 10 ms.
const SYNC_ADVICE_US: u64 = 10_000;
const MIB: u64 = 1 << 20;
/// What every link carries in IPv6, or it has none (RFC 8200, 5).
const LEAST_MTU_BYTES: u32 = 1280;

/// The prefix length of a link in IPv6 whose addresses are not all given by hand (RFC 7421).
const LINK_PREFIX: u8 = 64;
/// What WireGuard, the larger of the two tunnels, puts around a packet between addresses of IPv6.
const TUNNEL_BYTES: u32 = 80;
/// What a machine of the cluster has to have free, for the bundle's files next to those that they take the place of.
const REPAIR_DISK_BYTES: u64 = 1 << 30;

/// The first kernel that maps the users of a tmpfs, where tokens and Secrets of pods are.
/// See <https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/>.
const MAPPED_TMPFS: (u32, u32) = (6, 3);

/// What a machine has to have, without which a cluster of this kind cannot be.
const FEATURES: &[(&str, &str)] = &[
    ("overlay", "containerd's snapshots need overlayfs"),
    ("nftables", "kube-proxy's rules need nftables"),
    ("seccomp", "pods run under seccomp's RuntimeDefault"),
    (
        "protocol-names",
        "kube-proxy takes the rules of all Services away an hour after its start, where nft tells it protocols by \
         number: install the package netbase, which brings /etc/protocols",
    ),
];

/// What it has to have where pods run in user namespaces.
const USER_NAMESPACES: (&str, &str) = ("user-namespaces", "pods run in user namespaces");

/// What it has to have where ringfort carries packets of pods.
const BRIDGE_FILTER: (&str, &str) = (
    "bridge-filter",
    "without the kernel's module br_netfilter no rule sees packets between pods of one machine: install the package \
     that has the kernel's modules, or load it with modprobe br_netfilter (for a container: on its host)",
);

/// What it has to have where packets of pods travel in VXLAN.
const VXLAN: (&str, &str) = (
    "vxlan",
    "packets of pods travel to other networks in VXLAN: install the package that has the kernel's modules, or one with \
     WireGuard for all machines",
);

/// Judges all candidates.
pub fn judge(terms: &Terms, candidates: &BTreeMap<NodeName, Candidate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let in_vxlan = reach::in_vxlan(terms, candidates);
    for (node, candidate) in candidates {
        let in_vxlan = candidates.values().any(|other| in_vxlan(candidate, other));
        let member = candidate.survey.cluster.as_ref() == Some(&terms.cluster);
        let mut one = One { node, member, findings: &mut findings };
        one.identity(candidate);
        one.strength(candidate);
        one.clock(candidate);
        one.kernel(candidate.kernel, &candidate.survey);
        one.network(terms, candidate);
        if in_vxlan {
            one.has(&candidate.survey, VXLAN);
        }
        tools::lacks(&candidate.survey.tools, &terms.tools).into_iter().for_each(|l| one.fatal(l));
        one.leftovers(terms, &candidate.survey);
    }
    findings.extend(together::judge(terms, candidates));
    findings
}

struct One<'a> {
    node: &'a NodeName,
    /// Whether the machine is of this cluster already. What it lacks of strength is told then, and stands in the
    /// way of no repair; what it lacks otherwise stands in the way of its own.
    member: bool,
    findings: &'a mut Vec<Finding>,
}

impl One<'_> {
    fn fatal(&mut self, text: String) {
        self.add(text, if self.member { Weight::Machine } else { Weight::Run });
    }

    fn weak(&mut self, text: String) {
        self.add(text, if self.member { Weight::Advice } else { Weight::Run });
    }

    fn advice(&mut self, text: String) {
        self.add(text, Weight::Advice);
    }

    fn add(&mut self, text: String, weight: Weight) {
        self.findings.push(Finding { node: Some(self.node.clone()), text, weight });
    }

    fn identity(&mut self, candidate: &Candidate) {
        let survey = &candidate.survey;
        if survey.uid != 0 {
            self.fatal(
                "commands do not run as root: set ssh.user to root, or ssh.sudo: true".to_owned(),
            );
        }
        if !survey.systemd {
            self.fatal(
                "process 1 is not systemd: ringfort makes clusters of machines that run systemd"
                    .to_owned(),
            );
        }
        for (what, value) in [("host name", &survey.hostname), ("machine-id", &survey.machine_id)] {
            if value.as_ref().is_none_or(String::is_empty) {
                self.fatal(format!("the {what} could not be read"));
            }
        }
        if candidate.role == Role::ControlPlane {
            self.accounts("user", survey.users.as_ref(), |(uid, gid)| (*uid, uid == gid));
            self.accounts("group", survey.groups.as_ref(), |gid| (*gid, true));
        }
    }

    /// Sees that nobody else has the names and numbers of the users that will be made.
    fn accounts<T>(
        &mut self,
        what: &str,
        found: Option<&BTreeMap<String, T>>,
        number: fn(&T) -> (u32, bool),
    ) {
        let Some(found) = found else {
            return self.fatal(format!("the list of {what}s could not be read"));
        };
        for (owner, wanted) in Owner::USERS {
            let numbers = if what == "user" { owner.to_string() } else { owner.gid.to_string() };
            for (name, has) in found {
                let (id, is_alike) = number(has);
                if name == wanted && (id != owner.uid || !is_alike) {
                    self.fatal(format!("the {what} {name} is there and is not {numbers}: rename it, or take it away"));
                } else if name != wanted && id == owner.uid {
                    self.fatal(format!("{what} id {id} belongs to {name:?}, but the cluster's {wanted} runs as it: give that {what} another id"));
                }
            }
        }
    }

    /// Finds the link that carries the machine's address, and what packets of its own pods need.
    fn network(&mut self, terms: &Terms, candidate: &Candidate) {
        let (survey, address) = (&candidate.survey, candidate.address);
        match survey.link_of(address) {
            _ if survey.links.as_ref().is_none_or(Vec::is_empty) => {
                self.fatal("the machine's links could not be read: look whether ip -j address works there (iproute2)".to_owned());
            }
            None => self.fatal(format!("none of the machine's links carries {address}: write the address that the machines see, not one that is translated on the way")),
            Some(link) if terms.own_network && link.mtu_bytes.is_none() => {
                self.fatal(format!("the MTU of {}, which carries {address}, could not be read", link.name));
            }
            Some(link) if link.mac.is_none() => self.advice(format!("{} has no hardware address of its own: whether another machine has the same is not known", link.name)),
            Some(_) => {}
        }
        if terms.own_network {
            self.has(survey, BRIDGE_FILTER);
        }
        if let (IpAddr::V6(_), Some(link)) = (address, survey.link_of(address)) {
            self.in_v6(terms, candidate, link);
        }
    }

    /// What a link has to be like, and a machine to keep, where a cluster speaks IPv6.
    fn in_v6(&mut self, terms: &Terms, candidate: &Candidate, link: &LinkSeen) {
        let (address, name) = (candidate.address, &link.name);
        let least = LEAST_MTU_BYTES + TUNNEL_BYTES;
        if let Some(mtu) = link.mtu_bytes.filter(|mtu| terms.own_network && *mtu < least) {
            self.fatal(format!("the MTU of {name} is {mtu}, and packets of pods need {LEAST_MTU_BYTES} bytes in IPv6 and {TUNNEL_BYTES} more for what is around them: set {least} or more"));
        }
        match candidate.survey.advertised.as_deref() {
            None => self.fatal("whether the machine goes out by what routers advertise could not be read: look whether ip -j -6 route works there (iproute2)".to_owned()),
            Some([]) => {}
            Some(links) => {
                let settings: Vec<String> = links.iter().map(|link| format!("net.ipv6.conf.{}.accept_ra = 2", link.replace('.', "/"))).collect();
                self.fatal(format!("the machine goes out by what routers advertise ({}), and hears no more of them once it forwards packets of pods: set {} in /etc/sysctl.d, and with sysctl -w", links.join(", "), settings.join(", ")));
            }
        }
        match candidate.survey.lent.as_deref() {
            None => self.fatal(format!("whether {address} is an address that the kernel made of what routers advertise could not be read: look whether ip -j address works there (iproute2)")),
            Some(lent) if lent.contains(&address) => self.fatal(format!("the kernel made {address} of what routers advertise on {name}, and loses it when it hears no more of them, once it forwards packets of pods: give the machine the address by hand, or set net.ipv6.conf.{}.accept_ra = 2 in /etc/sysctl.d, and with sysctl -w", name.replace('.', "/"))),
            Some(_) => {}
        }
        // With DHCPv6 an address has a prefix of its own alone, and others of the link are beside it all the same.
        let segment = candidate.survey.segment_of(address);
        let segment = segment.and_then(|it| Cidr::holding(address, it.prefix().min(LINK_PREFIX)));
        let others = link.addresses.iter().map(|(other, _)| *other);
        let beside: Vec<String> = others
            .filter(|it| *it != address && segment.is_some_and(|segment| segment.contains(*it)))
            .map(|it| it.to_string())
            .collect();
        if !beside.is_empty() {
            self.advice(format!("{name} has {} beside {address}, on the same network: the kernel chooses from which one the machine speaks, and etcd and policies know it by {address}: take the others away, or have them preferred for no time (preferred_lft 0)", beside.join(", ")));
        }
    }

    fn has(&mut self, survey: &Survey, (feature, why): (&str, &str)) {
        match survey.features.get(feature) {
            Some(true) => {}
            Some(false) => self.fatal(format!("the machine lacks {feature}: {why}")),
            None => {
                self.fatal(format!("whether the machine has {feature} could not be tried: {why}"));
            }
        }
    }

    fn strength(&mut self, candidate: &Candidate) {
        let least = match candidate.role {
            Role::ControlPlane => CONTROL_PLANE,
            Role::Worker => WORKER,
        };
        let survey = &candidate.survey;
        let count = |count: u64| count.to_string();
        self.at_least("processors", survey.cpus.map(u64::from), least.cpus.into(), count);
        self.at_least("memory", survey.memory_bytes, least.memory_bytes, mib);
        self.disk(
            "images of containers (/var/lib/containerd)",
            survey.image_free_bytes,
            least.disk_bytes,
        );
        self.disk(
            "ringfort's own files (/var/lib/ringfort)",
            survey.own_free_bytes,
            REPAIR_DISK_BYTES,
        );
        match survey.sync_latency_us {
            None => self.advice("the disk's sync latency could not be measured".to_owned()),
            Some(us) if candidate.role == Role::ControlPlane && us > SYNC_LIMIT_US => {
                self.weak(format!(
                    "one of ten synced writes takes {} ms or more: etcd cannot keep its heartbeat on such a disk",
                    us / 1_000
                ));
            }
            Some(us) if candidate.role == Role::ControlPlane && us > SYNC_ADVICE_US => {
                self.advice(format!(
                    "one of ten synced writes takes {} ms or more: etcd asks for less than 10 ms",
                    us / 1_000
                ));
            }
            Some(_) => {}
        }
    }

    /// A machine of the cluster holds most of what it needs already; a repair needs less.
    fn disk(&mut self, whose: &str, free: Option<u64>, least: u64) {
        let what = format!("free disk for {whose}");
        match free {
            Some(free) if self.member && free < REPAIR_DISK_BYTES => {
                let (free, most) = (mib(free), mib(REPAIR_DISK_BYTES));
                self.fatal(format!("{what}: {free}, but a repair may need {most}"));
            }
            _ => self.at_least(&what, free, least, mib),
        }
    }

    fn at_least(&mut self, what: &str, has: Option<u64>, least: u64, show: fn(u64) -> String) {
        match has {
            None => self.fatal(format!("{what} could not be read")),
            Some(has) if has < least => {
                self.weak(format!("{what}: {}, but at least {} is needed", show(has), show(least)));
            }
            Some(_) => {}
        }
    }

    fn clock(&mut self, candidate: &Candidate) {
        match candidate.survey.clock_ms {
            None => self.fatal("the clock could not be read".to_owned()),
            Some(clock) => {
                let skew = clock - candidate.asked_ms;
                if skew.abs() > SKEW_LIMIT_MS {
                    self.fatal(format!(
                        "the clock is {:.1} s off this machine's: set up time synchronisation",
                        skew as f64 / 1e3
                    ));
                }
            }
        }
    }

    fn kernel(&mut self, terms: KernelTerms, survey: &Survey) {
        match (survey.cgroup_version, terms.cgroup_v1) {
            (Some(2), _) | (Some(1), true) => {}
            (Some(1), false) => self.fatal("control groups are of version 1, which kubelet refuses from 1.35 on: boot with systemd.unified_cgroup_hierarchy=1, or set runtime.failCgroupV1: false in the spec".to_owned()),
            _ => self.fatal("the version of control groups could not be read".to_owned()),
        }
        if terms.apparmor && !survey.apparmor {
            self.fatal("AppArmor is not enabled in the kernel: boot with apparmor=1 security=apparmor, or waive node/apparmor".to_owned());
        }
        if terms.apparmor && survey.apparmor && !survey.tools.contains_key("apparmor_parser") {
            // containerd finds that out by itself, and then confines nothing without a word.
            self.fatal("apparmor_parser is not installed, so that containers would run without a profile: apt-get install apparmor, or waive node/apparmor".to_owned());
        }
        if terms.user_namespaces {
            self.has(survey, USER_NAMESPACES);
            self.mapped_tmpfs(survey.kernel.as_deref());
        }
        match survey.swap {
            Some(false) => {}
            Some(true) => self.fatal("swap is on, and would write secrets of pods to the disk: swapoff -a, and take it out of /etc/fstab".to_owned()),
            None => self.advice("whether swap is on could not be read".to_owned()),
        }
        FEATURES.iter().for_each(|feature| self.has(survey, *feature));
    }

    /// There is no way to try this from a program without calls of its own: the version says it.
    fn mapped_tmpfs(&mut self, kernel: Option<&str>) {
        match kernel.map(|release| (release, version_of(release))) {
            Some((_, Some(version))) if version >= MAPPED_TMPFS => {}
            Some((release, Some(_))) => self.fatal(format!("the kernel is {release}, but only from 6.3 on can pods with tokens or Secrets run in user namespaces: boot a newer one (Debian 12 has one in bookworm-backports), or waive workload/user-namespaces")),
            _ => self.fatal("the version of the kernel could not be read".to_owned()),
        }
    }

    fn leftovers(&mut self, terms: &Terms, survey: &Survey) {
        match &survey.cluster {
            Some(cluster) if *cluster == terms.cluster => return,
            Some(cluster) => {
                self.fatal(format!("the machine belongs to the cluster {cluster:?}: run ringfort reset with that cluster's spec first"));
                return;
            }
            None => {}
        }
        if !survey.leftovers.is_empty() {
            self.fatal(format!(
                "another cluster or container runtime was here: {}: take it away with its own tool (kubeadm reset, k0s reset, apt-get purge …) and remove what is left",
                survey.leftovers.join(", ")
            ));
        }
        for (port, process) in &survey.busy_ports {
            self.fatal(format!("port {port} is taken by {process}: the cluster needs it"));
        }
    }
}

/// Takes major and minor version out of what the kernel calls its release.
fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}

#[cfg(test)]
mod tests;
