//! The machines of a spec, entered, and the ways to their API servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use ringfort_api::{ApiError, Cluster, Identity};
use ringfort_controls::workload;
use ringfort_engine::epoch;
use ringfort_host::{Door, Host, HostKeys, Sudo, Transport, Tunnel};
use ringfort_model::blueprint::Role;
use ringfort_model::bundle::HostTool;
use ringfort_model::digest::Digest;
use ringfort_model::frame::{Answer, Request};
use ringfort_model::known::KnownMachine;
use ringfort_model::name::NodeName;
use ringfort_model::reach::Port;
use ringfort_spec::{Node, POD_ENCRYPTION, Spec, on_disk};

use super::MakeError;
use crate::carriage::Abilities;
use crate::drive::fleet::{self, BINARY, FleetError, Member, OwnBinary};
use crate::drive::link::{Link, LinkError};
use crate::preflight::reach::{Part, Tried};
use crate::preflight::{self, Candidate, Finding, KernelTerms, Terms, Weight};

/// The port of API servers.
const API_PORT: u16 = 6443;
/// The port of each node's balancer, on loopback.
const BALANCER_PORT: u16 = 6444;
/// A name that every API server's certificate carries.
const SERVER_NAME: &str = "kubernetes.default.svc";

/// The machines of a spec, entered.
pub struct Site {
    /// Every machine that was entered, with its conversation.
    pub members: BTreeMap<NodeName, Member>,
    /// Every machine that was not, and why.
    pub missing: BTreeMap<NodeName, FleetError>,
}

/// Ends what outlives the items of a blueprint: what containerd kept, which preflight saw empty
/// before it came, addresses that network plugins noted, and the time that kubelet has logind wait
/// before a machine goes down. Every line is right also where there is nothing.
const CLEAR: &str = "\
    find /var/lib/containerd /var/log/pods /var/log/containers -mindepth 1 -maxdepth 1 \
        -exec rm -rf {} + 2>/dev/null; \
    if mountpoint -q /var/lib/containerd; then chmod 755 /var/lib/containerd; \
        else rmdir /var/lib/containerd 2>/dev/null; fi; \
    rm -rf /var/lib/cni/networks/ringfort /var/lib/cni/results; \
    if [ -e /etc/systemd/logind.conf.d/99-kubelet.conf ]; then \
        rm /etc/systemd/logind.conf.d/99-kubelet.conf; \
        systemctl try-restart systemd-logind; fi; \
    find /opt/containerd /var/lib/cni /etc/systemd/logind.conf.d -depth -type d -empty -delete \
        2>/dev/null; \
    find /var/lib/ringfort -xdev -mindepth 1 -maxdepth 1 ! -name seed -exec rm -rf {} +";

/// What a reset leaves as it is.
const REMAINS: [&str; 4] = [
    "entries in the machines' system journals",
    "/etc/passwd- and its like, the system's own copies of its lists of users",
    "/var/lib/ringfort/seed, which was brought and may be a mount",
    "packages of the system, since ringfort installs none",
];

/// Lists what a reset leaves as it is, on machines that were given up as well.
pub(super) fn remains(given_up: &BTreeSet<NodeName>) -> Vec<String> {
    let on = |node: &NodeName| {
        format!(
            "everything on {node}, which was given up: wipe it before it is switched on in this network again"
        )
    };
    REMAINS.map(str::to_owned).into_iter().chain(given_up.iter().map(on)).collect()
}

/// What preflight found.
pub struct Preflight {
    /// Everything to mend or to know.
    pub findings: Vec<Finding>,
    /// Whether a machine says that it belongs to the cluster.
    pub exists: bool,
    /// What the machines can do about packets of pods.
    pub abilities: Abilities,
}

/// Says which machines could not be entered, and why each.
#[derive(Debug, thiserror::Error)]
#[error("{} of the machines cannot be worked with:\n  {}", .failures.len(), lines(.failures))]
pub struct NotEntered {
    /// What went wrong, by machine.
    pub failures: BTreeMap<NodeName, FleetError>,
}

fn lines(failures: &BTreeMap<NodeName, FleetError>) -> String {
    let line = |(node, error): (&NodeName, &FleetError)| match error.to_string() {
        said if said.starts_with(node.as_str()) => said,
        said => format!("{node}: {said}"),
    };
    failures.iter().map(line).collect::<Vec<_>>().join("\n  ")
}

/// Says how each machine of a spec is entered. Paths are read from the spec's own directory.
pub fn doors(spec: &Spec, home: &Path, beside: &Path) -> BTreeMap<NodeName, Door> {
    let door = |node: &Node| door(&known(node), home, beside);
    spec.nodes.iter().map(|(name, node)| (name.clone(), door(node))).collect()
}

/// Says what has to be remembered of a machine to enter it when the spec no longer names it.
pub(super) fn known(node: &Node) -> KnownMachine {
    let ssh = &node.ssh;
    KnownMachine {
        name: node.name.clone(),
        address: node.address,
        role: node.role,
        user: ssh.user.clone(),
        port: ssh.port,
        identity: ssh.identity.clone(),
        host_key: ssh.host_key.clone(),
        known_hosts: ssh.known_hosts.clone(),
        sudo: ssh.sudo,
        openssh: ssh.transport == ringfort_spec::Transport::Openssh,
        given_up: None,
    }
}

/// Says how a known machine is entered.
pub(super) fn door(machine: &KnownMachine, home: &Path, beside: &Path) -> Door {
    let host_keys = match &machine.host_key {
        Some(key) => HostKeys::Pinned(vec![key.clone()]),
        None => HostKeys::File(on_disk(&machine.known_hosts, home, beside)),
    };
    Door {
        address: machine.address,
        port: machine.port,
        user: machine.user.clone(),
        identity: machine.identity.as_deref().map(|path| on_disk(path, home, beside)),
        host_keys,
        sudo: if machine.sudo { Sudo::Yes } else { Sudo::No },
        transport: if machine.openssh { Transport::OpenSsh } else { Transport::Builtin },
    }
}

/// How long a run that was just ended is waited for, and how often it is asked about.
const MOMENT: Duration = Duration::from_secs(10);
const MOMENT_PACE: Duration = Duration::from_millis(300);

impl Site {
    /// Enters every machine, to look only.
    pub async fn enter(doors: &BTreeMap<NodeName, Door>, own: &OwnBinary, operator: &str) -> Self {
        let (mut members, mut missing) = (BTreeMap::new(), BTreeMap::new());
        for (node, entered) in fleet::enter(doors, own, 0, operator).await {
            match entered {
                Ok(member) => drop(members.insert(node, member)),
                Err(error) => drop(missing.insert(node, error)),
            }
        }
        Self { members, missing }
    }

    /// Wants every machine but those that are given up, which must not answer: one that can be entered can be emptied.
    ///
    /// # Errors
    /// Names every machine that could not be entered, and every one that need not be given up.
    pub fn without(mut self, given_up: &BTreeSet<NodeName>) -> Result<Self, NotEntered> {
        let mut failures = std::mem::take(&mut self.missing);
        failures.retain(|node, _| !given_up.contains(node));
        for node in given_up.iter().filter(|node| self.members.contains_key(*node)) {
            failures.insert(node.clone(), FleetError::Answers { node: node.clone() });
        }
        if failures.is_empty() { Ok(self) } else { Err(NotEntered { failures }) }
    }

    /// Wants most control planes, so that no second run can act, and of the others only that nobody
    /// answers for them: what is known to be wrong there has to be mended first.
    ///
    /// # Errors
    /// Names every machine that could not be entered.
    pub fn most(self, spec: &Spec) -> Result<Self, NotEntered> {
        let is_silence =
            |error: &FleetError| matches!(error, FleetError::Door(error) if error.is_silence());
        let most = has_most(spec, |node| self.members.contains_key(node));
        match most && self.missing.values().all(is_silence) {
            true => Ok(self),
            false => Err(NotEntered { failures: self.missing }),
        }
    }

    /// Waits a moment for runs that have ended: they still finish on machines what they had begun.
    pub async fn outlast(&mut self, operator: &str, has_ended: fn(&str) -> bool) {
        let end = Instant::now() + MOMENT;
        let lingers = |member: &Member| member.busy.as_deref().is_some_and(has_ended);
        while Instant::now() < end && self.members.values().any(lingers) {
            tokio::time::sleep(MOMENT_PACE).await;
            let busy = self.members.iter_mut().filter(|(_, member)| member.busy.is_some());
            let asked = busy.map(|(node, member)| async move {
                // Who does not answer now stays busy, and the run ends with that.
                if let Ok((link, epoch, busy)) = fleet::greet(node, &member.host, 0, operator).await
                {
                    (member.link, member.epoch, member.busy) = (link, epoch, busy);
                }
            });
            join_all(asked).await;
        }
    }

    /// Gives the epoch to act in, which has to be written down before [`Site::act`] asks for it;
    /// `None` is remembered where the trust facts are lost.
    ///
    /// # Errors
    /// Names every machine on which somebody acts, or acted later than is remembered.
    pub fn next_epoch(&self, remembered: Option<u64>) -> Result<u64, MakeError> {
        let acts = self.members.iter().filter_map(|(node, member)| {
            Some(format!(
                "{node}: {} is at work here: wait until that run has ended",
                member.busy.as_ref()?
            ))
        });
        let busy: Vec<String> = acts.collect();
        if !busy.is_empty() {
            return Err(MakeError::Other(format!("nothing was changed:\n  {}", busy.join("\n  "))));
        }
        let seen = self.members.iter().map(|(node, member)| (node.clone(), member.epoch));
        epoch::next(remembered, &seen.collect()).map_err(MakeError::Refused)
    }

    /// Starts acting: every machine grants an epoch.
    ///
    /// # Errors
    /// Names every machine that refuses, because another operator is at work for example.
    pub async fn act(&mut self, epoch: u64, operator: &str) -> Result<(), NotEntered> {
        let greeted = self.members.iter().map(|(node, member)| async move {
            (node.clone(), fleet::greet(node, &member.host, epoch, operator).await)
        });
        let greeted = join_all(greeted).await;
        let mut failures = BTreeMap::new();
        for (node, answer) in greeted {
            match (answer, self.members.get_mut(&node)) {
                (Ok((link, ..)), Some(member)) => member.link = link,
                (Err(error), _) => drop(failures.insert(node, error)),
                (Ok(_), None) => {}
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(NotEntered { failures }) }
    }

    /// Judges the machines before anything is written to them. One of the cluster that may not be worked with as it is
    /// is left out, as those are that do not answer.
    pub async fn preflight(
        &mut self,
        spec: &Spec,
        tools: &[HostTool],
        now_ms: fn() -> i64,
    ) -> Preflight {
        let terms = terms(spec, tools);
        let surveyed = self.members.iter().map(|(node, member)| async move {
            let survey = match member.link.ask(&Request::Survey, &[]).await {
                Ok(Answer::Surveyed(survey)) => Ok(*survey),
                Ok(_) => Err("it answered something else".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            (node, survey, now_ms())
        });
        let mut findings = Vec::new();
        let mut candidates = BTreeMap::new();
        for (node, survey, asked_ms) in join_all(surveyed).await {
            let machine = &spec.nodes[node];
            let (role, address) = (machine.role, machine.address);
            let kernel = kernel_terms(spec, machine);
            match survey {
                Ok(survey) => {
                    let candidate = Candidate { role, address, survey, asked_ms, kernel };
                    candidates.insert(node.clone(), candidate);
                }
                Err(why) => findings.push(Finding {
                    node: Some(node.clone()),
                    text: format!("it could not be surveyed: {why}"),
                    weight: Weight::Machine,
                }),
            }
        }
        findings.extend(preflight::judge(&terms, &candidates));
        let reached = self.reach(&preflight::reach::parts(&terms, &candidates), spec).await;
        findings.extend(preflight::reach::judge(&terms, &candidates, &reached));
        let name = spec.name.to_string();
        let exists = candidates.values().any(|c| c.survey.cluster.as_ref() == Some(&name));
        self.leave_out(spec, &mut findings);
        // A cluster that is there is mended as far as it can be; a new one needs all of them.
        findings.extend(self.missing.iter().map(|(node, error)| Finding {
            node: Some(node.clone()),
            text: match exists {
                true => format!("nothing is done there in this run: {error}"),
                false => error.to_string(),
            },
            weight: if exists { Weight::Advice } else { Weight::Run },
        }));
        let here = candidates.iter().filter(|(node, _)| self.members.contains_key(*node));
        let surveys = here.map(|(node, it)| (node, it.address, &it.survey));
        let is_partial = !self.missing.is_empty();
        let abilities = Abilities { is_partial, ..Abilities::read(surveys) };
        Preflight { findings, exists, abilities }
    }

    /// Leaves out the machines that cannot be worked with as they are.
    fn leave_out(&mut self, spec: &Spec, findings: &mut Vec<Finding>) {
        for (node, why) in left_out(spec, findings, |node| self.members.contains_key(node)) {
            self.members.remove(&node);
            self.missing.insert(node, FleetError::LeftOut { why });
        }
    }

    /// Picks out the digests of files that some machine lacks.
    ///
    /// # Errors
    /// A machine could not be asked.
    pub async fn lacking(&self, digests: &[Digest]) -> Result<BTreeSet<Digest>, LinkError> {
        let asked = self.members.values().map(|member| async move {
            let request = Request::Lacks { digests: digests.to_vec() };
            match member.link.ask(&request, &[]).await? {
                Answer::Lacking(lacking) => Ok(lacking),
                other => Err(member.link.astray("lacks", &other)),
            }
        });
        let answers: Result<Vec<_>, LinkError> = join_all(asked).await.into_iter().collect();
        Ok(answers?.into_iter().flatten().collect())
    }

    /// Has machines try the ports that they will need of each other. A machine that does not answer
    /// is missing in what is given.
    async fn reach(&self, parts: &BTreeMap<NodeName, Part>, spec: &Spec) -> Tried {
        let closed = self.listen(parts, spec, |part| part.opens.clone()).await;
        let tried = parts.iter().map(|(node, part)| async move {
            let request = Request::Reach { targets: part.tries.clone() };
            match self.members[node].link.ask(&request, &[]).await {
                Ok(Answer::Reached(reached)) => Some((node.clone(), reached)),
                _ => None,
            }
        });
        let reached = join_all(tried).await.into_iter().flatten().collect();
        self.listen(parts, spec, |_| Vec::new()).await;
        Tried { reached, closed }
    }

    /// Opens ports of machines for the test, and gives those that could not be opened. A machine that
    /// does not answer is found by those who try it.
    async fn listen(
        &self,
        parts: &BTreeMap<NodeName, Part>,
        spec: &Spec,
        ports: fn(&Part) -> Vec<Port>,
    ) -> BTreeMap<NodeName, Vec<(Port, String)>> {
        let with_ports = parts.iter().filter(|(_, part)| !part.opens.is_empty());
        let opened = with_ports.map(|(node, part)| async move {
            let request = Request::Listen { address: spec.nodes[node].address, ports: ports(part) };
            match self.members[node].link.ask(&request, &[]).await {
                Ok(Answer::Listening(closed)) if !closed.is_empty() => Some((node.clone(), closed)),
                _ => None,
            }
        });
        join_all(opened).await.into_iter().flatten().collect()
    }

    /// Takes the last traces from machines after a reset: what containerd kept, and ringfort's own
    /// state. A seed that is mounted there stays.
    ///
    /// # Errors
    /// A machine could not be cleared; a reset can be run again.
    pub async fn clear(&self) -> Result<(), FleetError> {
        let cleared = self.members.iter().map(|(node, member)| async move {
            let done = member.host.run(CLEAR, &[]).await?;
            match done.ok() {
                true => Ok(()),
                false => Err(FleetError::NotCleared { node: node.clone(), why: done.complaint() }),
            }
        });
        join_all(cleared).await.into_iter().collect()
    }

    /// Gives each machine's conversation.
    pub fn links(&self) -> BTreeMap<NodeName, Link> {
        self.members.iter().map(|(node, member)| (node.clone(), member.link.clone())).collect()
    }

    /// Gives each machine's door.
    pub fn hosts(&self) -> BTreeMap<NodeName, Arc<Host>> {
        self.members.iter().map(|(node, m)| (node.clone(), Arc::clone(&m.host))).collect()
    }
}

/// Takes out the findings that stand in the way of work at their machines alone, and gives these machines, each with what
/// is to be mended there. Where too few control planes would be left to go on with, they stand in the way of all.
fn left_out(
    spec: &Spec,
    findings: &mut Vec<Finding>,
    is_here: impl Fn(&NodeName) -> bool,
) -> BTreeMap<NodeName, String> {
    let mut out: BTreeMap<NodeName, Vec<String>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.weight == Weight::Machine) {
        if let Some(node) = &finding.node {
            out.entry(node.clone()).or_default().push(finding.text.clone());
        }
    }
    if !has_most(spec, |node| is_here(node) && !out.contains_key(node)) {
        let ends = findings.iter_mut().filter(|finding| finding.weight == Weight::Machine);
        ends.for_each(|finding| finding.weight = Weight::Run);
        return BTreeMap::new();
    }
    findings.retain(|finding| finding.weight != Weight::Machine);
    out.into_iter().map(|(node, why)| (node, why.join("; "))).collect()
}

/// Says whether these are most of the control planes: no second run can then act.
fn has_most(spec: &Spec, is_here: impl Fn(&NodeName) -> bool) -> bool {
    let here = spec.control_planes().filter(|node| is_here(&node.name)).count();
    2 * here > spec.control_planes().count()
}

fn terms(spec: &Spec, tools: &[HostTool]) -> Terms {
    Terms {
        cluster: spec.name.to_string(),
        own_network: spec.network.provider == ringfort_spec::Provider::Ringfort,
        encrypts: !spec.waives(POD_ENCRYPTION),
        routes: spec.network.routes,
        tools: tools.to_vec(),
    }
}

fn kernel_terms(spec: &Spec, machine: &Node) -> KernelTerms {
    let mapping = workload::user_namespaces::CONTROL.id;
    KernelTerms {
        cgroup_v1: !machine.runtime.fail_cgroup_v1,
        apparmor: machine.runtime.app_armor,
        user_namespaces: spec.kubernetes.minor.has_mutating_policies() && !spec.waives(mapping),
    }
}

/// The ways to a cluster's API, through SSH alone. Open as long as this lives.
pub struct Ways {
    /// Each API server, by its control plane.
    pub servers: BTreeMap<NodeName, Arc<Cluster>>,
    /// Each API server, without a name.
    pub strangers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The API through each machine's balancer.
    pub balancers: BTreeMap<NodeName, Arc<Cluster>>,
    _tunnels: Vec<Tunnel>,
}

/// Says why no way to the API could be made.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// No port of loopback could be had.
    #[error("no port of loopback could be opened")]
    Port {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
    /// The identity is none.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Ways {
    /// Opens the ways as one identity. Nothing is sent yet.
    ///
    /// # Errors
    /// No port of loopback could be had, or the identity is none.
    pub async fn open(site: &Site, spec: &Spec, identity: &Identity) -> Result<Self, NoWay> {
        let mut ways = Self {
            servers: BTreeMap::new(),
            strangers: BTreeMap::new(),
            balancers: BTreeMap::new(),
            _tunnels: Vec::new(),
        };
        for (node, member) in &site.members {
            let machine = &spec.nodes[node];
            let mut open = async |to: SocketAddr, connections| {
                let command = format!("exec {BINARY} node connect {to}");
                let tunnel = Tunnel::open(Arc::clone(&member.host), command, connections).await?;
                let at = tunnel.at();
                ways._tunnels.push(tunnel);
                Ok::<_, NoWay>(at)
            };
            let balancer = SocketAddr::new(LOOPBACK, BALANCER_PORT);
            let connections = match machine.role {
                Role::ControlPlane => BALANCER_CONNECTIONS,
                Role::Worker => NAMED_CONNECTIONS,
            };
            let balancer = open(balancer, connections).await?;
            let balancer = Cluster::open(balancer, SERVER_NAME, identity)?;
            if machine.role == Role::ControlPlane {
                let server = SocketAddr::new(machine.address, API_PORT);
                let named = open(server, NAMED_CONNECTIONS).await?;
                let named = Cluster::open(named, SERVER_NAME, identity)?;
                // Connections that rest would hold all channels of a tunnel that both shared.
                let unnamed = open(server, UNNAMED_CONNECTIONS).await?;
                let authority = &identity.authority_pem;
                let unnamed = Cluster::open_unnamed(unnamed, SERVER_NAME, authority)?;
                ways.servers.insert(node.clone(), Arc::new(named));
                ways.strangers.insert(node.clone(), Arc::new(unnamed));
            }
            ways.balancers.insert(node.clone(), Arc::new(balancer));
        }
        Ok(ways)
    }
}

/// Connections to one API server at a time: with ringfort's name, without, and through a control plane's own
/// balancer.
const NAMED_CONNECTIONS: usize = 4;
const UNNAMED_CONNECTIONS: usize = 2;
const BALANCER_CONNECTIONS: usize = 2;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests;
