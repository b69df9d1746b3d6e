//! Judges machines before anything is written to them: all machines, all findings at once.
//!
//! Pure: what the machines are like comes in as surveys, findings come out. A fact that could not
//! be read is a finding of its own, never a pass.

pub mod reach;
mod tools;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ringfort_controls::node::minimum_hardware::{CONTROL_PLANE, WORKER};
use ringfort_model::blueprint::Role;
use ringfort_model::bundle::HostTool;
use ringfort_model::name::NodeName;
use ringfort_model::survey::Survey;

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
    /// Whether nothing may be written before it is mended.
    pub fatal: bool,
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
/// What a machine of the cluster has to have free, for the bundle's files next to those that they take the place of.
const REPAIR_DISK_BYTES: u64 = 1 << 30;

/// The first kernel that maps the users of a tmpfs, where tokens and Secrets of pods are.
/// See <https://kubernetes.io/docs/concepts/workloads/pods/user-namespaces/>.
const MAPPED_TMPFS: (u32, u32) = (6, 3);

/// What a machine has to have, without which a cluster of this kind cannot be.
const FEATURES: &[(&str, &str)] = &[
    ("overlay", "containerd's snapshots need overlayfs"),
    ("nftables", "kube-proxy's rules need nftables"),
    ("user-namespaces", "pods run in user namespaces"),
    ("seccomp", "pods run under seccomp's RuntimeDefault"),
    (
        "protocol-names",
        "kube-proxy takes the rules of all Services away an hour after its start, where nft tells it protocols by \
         number: install the package netbase, which brings /etc/protocols",
    ),
];

/// Judges all candidates.
pub fn judge(terms: &Terms, candidates: &BTreeMap<NodeName, Candidate>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (node, candidate) in candidates {
        let member = candidate.survey.cluster.as_ref() == Some(&terms.cluster);
        let mut one = One { node, member, findings: &mut findings };
        one.identity(candidate);
        one.strength(candidate);
        one.clock(candidate);
        one.kernel(candidate.kernel, &candidate.survey);
        tools::lacks(&candidate.survey.tools, &terms.tools).into_iter().for_each(|l| one.fatal(l));
        one.leftovers(terms, &candidate.survey);
    }
    unique("host name", candidates, |s| s.hostname.clone().into_iter().collect(), &mut findings);
    unique("machine-id", candidates, |s| s.machine_id.clone().into_iter().collect(), &mut findings);
    unique("hardware address", candidates, |s| s.macs.clone(), &mut findings);
    same_mtu(terms, candidates, &mut findings);
    findings
}

struct One<'a> {
    node: &'a NodeName,
    /// Whether the machine is of this cluster already. What it lacks of strength is told then, and stands in the
    /// way of no repair.
    member: bool,
    findings: &'a mut Vec<Finding>,
}

impl One<'_> {
    fn fatal(&mut self, text: String) {
        self.findings.push(Finding { node: Some(self.node.clone()), text, fatal: true });
    }

    fn weak(&mut self, text: String) {
        self.findings.push(Finding { node: Some(self.node.clone()), text, fatal: !self.member });
    }

    fn advice(&mut self, text: String) {
        self.findings.push(Finding { node: Some(self.node.clone()), text, fatal: false });
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
        if !survey.addresses.contains(&candidate.address) {
            let address = candidate.address;
            self.fatal(format!("none of the machine's links carries {address}: write the address that the machines see, not one that is translated on the way"));
        }
        for (what, value) in [("host name", &survey.hostname), ("machine-id", &survey.machine_id)] {
            if value.as_ref().is_none_or(String::is_empty) {
                self.fatal(format!("the {what} could not be read"));
            }
        }
        for (id, wanted) in [(2379, "etcd"), (10257, "ringfort")] {
            if let Some(name) = survey.users.get(&id).filter(|name| *name != wanted) {
                self.fatal(format!("user id {id} belongs to {name:?}, but the cluster's {wanted} runs as it: give that user another id"));
            }
        }
    }

    fn strength(&mut self, candidate: &Candidate) {
        let least = match candidate.role {
            Role::ControlPlane => CONTROL_PLANE,
            Role::Worker => WORKER,
        };
        let survey = &candidate.survey;
        let mib = |bytes: u64| format!("{} MiB", bytes / MIB);
        let count = |count: u64| count.to_string();
        self.at_least("processors", survey.cpus.map(u64::from), least.cpus.into(), count);
        self.at_least("memory", survey.memory_bytes, least.memory_bytes, mib);
        let free = survey.disk_free_bytes;
        if self.member && free.is_some_and(|free| free < REPAIR_DISK_BYTES) {
            self.fatal(format!(
                "free disk under /var/lib: {}, but a repair may need {}",
                mib(free.unwrap_or_default()),
                mib(REPAIR_DISK_BYTES)
            ));
        } else {
            self.at_least("free disk under /var/lib", free, least.disk_bytes, mib);
        }
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
            self.mapped_tmpfs(survey.kernel.as_deref());
        }
        match survey.swap {
            Some(false) => {}
            Some(true) => self.fatal("swap is on, and would write secrets of pods to the disk: swapoff -a, and take it out of /etc/fstab".to_owned()),
            None => self.advice("whether swap is on could not be read".to_owned()),
        }
        for (feature, why) in FEATURES {
            match survey.features.get(*feature) {
                Some(true) => {}
                Some(false) => self.fatal(format!("the machine lacks {feature}: {why}")),
                None => self
                    .fatal(format!("whether the machine has {feature} could not be tried: {why}")),
            }
        }
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

fn unique(
    what: &str,
    candidates: &BTreeMap<NodeName, Candidate>,
    values: fn(&Survey) -> Vec<String>,
    findings: &mut Vec<Finding>,
) {
    let mut owners: BTreeMap<String, Vec<&NodeName>> = BTreeMap::new();
    for (node, candidate) in candidates {
        for value in values(&candidate.survey) {
            owners.entry(value).or_default().push(node);
        }
    }
    for (value, nodes) in owners.iter().filter(|(_, nodes)| nodes.len() > 1) {
        let names: Vec<_> = nodes.iter().map(|node| node.as_str()).collect();
        let text = format!(
            "{} have the same {what} {value:?}: machines copied from one image need their own",
            names.join(", ")
        );
        findings.push(Finding { node: None, text, fatal: true });
    }
}

fn same_mtu(
    terms: &Terms,
    candidates: &BTreeMap<NodeName, Candidate>,
    findings: &mut Vec<Finding>,
) {
    let mtus: BTreeMap<u32, &NodeName> =
        candidates.iter().filter_map(|(n, c)| Some((c.survey.mtu_bytes?, n))).collect();
    if terms.own_network && mtus.len() > 1 {
        let text = format!(
            "links have different MTUs ({}): packets between pods would be lost",
            mtus.iter().map(|(mtu, node)| format!("{node}: {mtu}")).collect::<Vec<_>>().join(", ")
        );
        findings.push(Finding { node: None, text, fatal: true });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringfort_model::blueprint::Role;
    use ringfort_model::bundle::HostTool;
    use ringfort_model::name::NodeName;
    use ringfort_model::survey::Survey;

    use super::tools::TOOLS;
    use super::{Candidate, FEATURES, KernelTerms, Terms, judge};

    fn good(number: u8) -> Candidate {
        let address = [10, 0, 0, number].into();
        let survey = Survey {
            hostname: Some(format!("m{number}")),
            machine_id: Some(format!("{number:032x}")),
            macs: vec![format!("02:00:00:00:00:{number:02x}")],
            addresses: vec![address],
            clock_ms: Some(1_000_000),
            cpus: Some(2),
            memory_bytes: Some(4 << 30),
            disk_free_bytes: Some(50 << 30),
            sync_latency_us: Some(900),
            kernel: Some("6.12.95+deb13-cloud-amd64".to_owned()),
            cgroup_version: Some(2),
            systemd: true,
            apparmor: true,
            swap: Some(false),
            tools: TOOLS
                .iter()
                .map(|(tool, _)| *tool)
                .chain(["apparmor_parser"])
                .map(|tool| (tool.to_owned(), "1".to_owned()))
                .collect(),
            features: FEATURES.iter().map(|(name, _)| ((*name).to_owned(), true)).collect(),
            mtu_bytes: Some(1500),
            ..Survey::default()
        };
        let kernel = KernelTerms { cgroup_v1: false, apparmor: true, user_namespaces: true };
        Candidate { role: Role::ControlPlane, address, survey, asked_ms: 1_000_300, kernel }
    }

    fn check(change: impl Fn(&mut Candidate), expected: &str) {
        let nft = HostTool {
            name: "nft".to_owned(),
            at_least: Some("1".to_owned()),
            why: "packets".to_owned(),
        };
        let terms = Terms {
            cluster: "harbour".into(),
            own_network: true,
            encrypts: true,
            tools: vec![nft],
        };
        let mut candidates: BTreeMap<_, _> =
            (1..=3).map(|n| (NodeName::new(format!("cp{n}")).unwrap(), good(n))).collect();
        change(candidates.get_mut(&NodeName::new("cp2").unwrap()).unwrap());
        let found = judge(&terms, &candidates);
        let texts: Vec<_> = found.into_iter().map(|it| it.text).collect();
        if expected.is_empty() {
            assert!(texts.is_empty(), "{texts:?}");
        } else {
            assert!(texts.len() == 1 && texts[0].contains(expected), "{expected}: {texts:?}");
        }
    }

    #[test]
    fn good_machines_pass() {
        check(|_| {}, "");
        check(|c| c.survey.cluster = Some("harbour".into()), "");
    }

    #[test]
    fn what_a_machine_of_the_cluster_lacks_bars_no_repair() {
        let fatal = |change: fn(&mut Survey)| {
            let mut candidate = good(2);
            candidate.survey.cluster = Some("harbour".into());
            change(&mut candidate.survey);
            let terms = Terms {
                cluster: "harbour".into(),
                own_network: true,
                encrypts: true,
                tools: Vec::new(),
            };
            let candidates = BTreeMap::from([(NodeName::new("cp2").unwrap(), candidate)]);
            let found = judge(&terms, &candidates);
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].fatal
        };
        assert!(!fatal(|survey| survey.disk_free_bytes = Some(2 << 30)));
        assert!(!fatal(|survey| survey.memory_bytes = Some(1 << 30)));
        assert!(!fatal(|survey| survey.sync_latency_us = Some(260_000)));
        assert!(fatal(|survey| survey.disk_free_bytes = Some(1 << 29)));
        assert!(fatal(|survey| survey.disk_free_bytes = None));
        assert!(fatal(|survey| {
            (survey.cluster, survey.disk_free_bytes) = (None, Some(2 << 30));
        }));
    }

    #[test]
    fn one_machine_may_be_held_to_less() {
        let less = |c: &mut Candidate| {
            (c.survey.cgroup_version, c.survey.apparmor) = (Some(1), false);
            c.survey.kernel = Some("6.1.0-50-amd64".to_owned());
            c.survey.tools.remove("apparmor_parser");
            c.kernel = KernelTerms { cgroup_v1: true, apparmor: false, user_namespaces: false };
        };
        check(less, "");
    }

    #[test]
    fn each_fault_has_its_finding() {
        check(|c| c.survey.uid = 1000, "as root");
        check(|c| c.survey.systemd = false, "not systemd");
        check(|c| c.survey.addresses.clear(), "carries 10.0.0.2");
        check(|c| c.survey.hostname = Some("m1".into()), "same host name");
        check(|c| c.survey.machine_id = Some(format!("{:032x}", 1)), "same machine-id");
        check(|c| c.survey.macs = vec!["02:00:00:00:00:01".into()], "same hardware address");
        check(|c| c.survey.cpus = Some(1), "processors: 1");
        check(|c| c.survey.memory_bytes = Some(1 << 30), "memory: 1024 MiB");
        check(|c| c.survey.disk_free_bytes = Some(1 << 30), "free disk");
        check(|c| c.survey.sync_latency_us = Some(260_000), "260 ms or more: etcd cannot");
        check(|c| c.survey.sync_latency_us = Some(20_000), "20 ms or more: etcd asks");
        check(|c| c.survey.clock_ms = Some(0), "clock");
        check(|c| c.survey.cgroup_version = Some(1), "version 1");
        check(|c| c.survey.apparmor = false, "AppArmor");
        check(|c| _ = c.survey.tools.remove("apparmor_parser"), "without a profile");
        check(|c| c.survey.kernel = Some("6.2.16-1-pve".into()), "only from 6.3 on");
        check(|c| c.survey.kernel = Some("5.14.0-611.el9".into()), "the kernel is 5.14.0-611.el9");
        check(|c| c.survey.kernel = None, "version of the kernel");
        check(|c| c.survey.kernel = Some("odd".into()), "version of the kernel");
        check(|c| c.survey.swap = Some(true), "swap");
        check(|c| _ = c.survey.tools.remove("nft"), "nftables");
        check(|c| _ = c.survey.tools.insert("nft".into(), "0.9".into()), "nft is too old (0.9)");
        check(|c| _ = c.survey.features.insert("overlay".into(), false), "lacks overlay");
        check(|c| _ = c.survey.features.insert("protocol-names".into(), false), "netbase");
        check(|c| _ = c.survey.busy_ports.insert(6443, "nginx".into()), "taken by nginx");
        check(
            |c| c.survey.leftovers = vec!["/etc/kubernetes/manifests".into()],
            "another cluster or",
        );
        check(|c| c.survey.cluster = Some("other".into()), "belongs to the cluster \"other\"");
        check(|c| _ = c.survey.users.insert(2379, "backup".into()), "user id 2379");
        check(|c| c.survey.mtu_bytes = Some(1400), "different MTUs");
    }

    #[test]
    fn what_could_not_be_read_is_no_pass() {
        check(|c| c.survey.cpus = None, "processors could not be read");
        check(|c| c.survey.memory_bytes = None, "memory could not be read");
        check(|c| c.survey.disk_free_bytes = None, "could not be read");
        check(|c| c.survey.clock_ms = None, "clock could not be read");
        check(|c| c.survey.cgroup_version = None, "could not be read");
        check(|c| c.survey.sync_latency_us = None, "could not be measured");
        check(|c| c.survey.swap = None, "could not be read");
        check(|c| _ = c.survey.features.remove("seccomp"), "could not be tried");
    }
}
