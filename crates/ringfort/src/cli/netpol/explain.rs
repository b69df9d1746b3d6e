//! `ringfort netpol explain`: whether a connection is allowed, and by what.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use ringfort_controls::network::default_deny::defaults;
use ringfort_controls::yaml;
use ringfort_policy::{End, Place, Question};
use serde_json::Value;

use super::super::{Fault, print};
use super::ends::{self, AtPort, Reached, Target, Written};
use super::report::{self, Report, RuleReport, SideReport, Verdict, WayReport, Ways};
use super::rulings::RulingReport;
use super::seen::Seen;
use super::through::{self, Proposal, Through};
use super::{json, live, manifests};

/// Explain whether a connection of a pod is allowed, and by which policies
///
/// Says of a connection whether network policies let it through where it begins and where it ends: which
/// policies close the way, which of their rules allow it, and, if none does, which policy would. Without
/// --to and --from it lists what closes the pod's ways and what is let through all the same.
///
/// A pod is NAMESPACE/NAME, or NAME in the namespace default. With -f nothing but files is read, and a
/// workload stands for the pods of its template: NAMESPACE/deployment/NAME, or NAMESPACE/NAME where only
/// one is called so. Namespaces are taken as closed, as ringfort makes them, and those that waivers open as a
/// ConfigMap kube-public/network-default among the files says. Without -f the running cluster
/// is asked.
///
/// --to may also name a Service: svc/NAME or NAMESPACE/svc/NAME, with a port of the Service unless it has only
/// one. Policies judge what a Service leads to, so its pods are judged, ready or not, each at the port that
/// targetPort means there, and one answer is told, with who refuses where some do. Unknown are a Service that
/// stands for another name (ExternalName), one without a selector of which no EndpointSlice was seen, and one
/// whose selector selects nobody. A pod of a namespace that is called svc is svc/pod/NAME.
///
/// Cluster-wide policies (policy.networking.k8s.io) are judged with them, before and behind NetworkPolicy;
/// where one says what ringfort does not understand, such as nodes or domain names as peers, the answer is
/// unknown. Where the network is the user's own, its policies of other kinds are not read, and a note says so.
///
/// A port is a number or a port's name, such as 53/udp or http; without a protocol it is TCP. What comes
/// from a pod's own machine is always let through.
///
/// Exit codes: 0 allowed, 1 refused, also if only by some of a Service's pods, 2 usage or bad input, 3 unknown, or
/// the cluster could not be looked at.
#[derive(Args)]
#[command(group = ArgGroup::new("other").args(["to", "from"]))]
pub struct ExplainArgs {
    /// The pod: NAMESPACE/NAME, with its own :PORT where --from is asked about
    #[arg(value_parser = ends::pod)]
    pod: Written,
    /// Whom the pod connects to: NAMESPACE/NAME:PORT, a Service as NAMESPACE/svc/NAME:PORT, or
    /// ADDRESS:PORT, an IPv6 address in brackets
    #[arg(long, value_name = "TARGET", value_parser = ends::reached)]
    to: Option<Reached>,
    /// Who connects to the pod: NAMESPACE/NAME or ADDRESS
    #[arg(long, value_name = "SOURCE", value_parser = ends::end)]
    from: Option<Written>,
    /// The port of whoever is connected to, such as 8080, http or 53/udp
    #[arg(long, value_name = "PORT", value_parser = ends::port, requires = "other")]
    port: Option<AtPort>,
    /// Read manifests from a file, a directory and all below it, or - for standard input; may be repeated
    ///
    /// Namespaces, pods, workloads, Services, EndpointSlices, NetworkPolicies and cluster-wide policies count,
    /// and everything else is passed over.
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The namespace of objects in the files that name none
    #[arg(short, long, requires = "files", default_value = "default")]
    namespace: String,
    /// Take namespaces as open until a policy closes them, as in clusters that ringfort did not make
    #[arg(long, requires = "files")]
    open_by_default: bool,
    /// The kubeconfig of the cluster to ask [default: KUBECONFIG, or that of ./cluster.yaml's cluster]
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    kubeconfig: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &ExplainArgs) -> Result<ExitCode, Fault> {
    let asked = asked(args)?;
    let mut seen = match args.files.is_empty() {
        true => live::read(args.kubeconfig.as_deref(), asked.service())?,
        false => manifests::read(&args.files, defaults(!args.open_by_default), &args.namespace)?,
    };
    let ends = asked.ends(&seen);
    seen.shut_outgrown(&ends.iter().collect::<Vec<_>>());
    let said = say(&seen, asked)?;
    print(&if args.json { said.json()? } else { said.people() });
    Ok(ExitCode::from(said.code()))
}

/// What is asked, before the pods were seen.
pub enum Asked {
    /// What closes the ways of a pod.
    Ways(End),
    /// Whether a connection is allowed.
    Connection {
        /// Who begins it.
        from: End,
        /// Who is reached.
        to: End,
        /// Where.
        at: AtPort,
    },
    /// Whether a connection to a Service is allowed.
    Service {
        /// Who begins it.
        from: End,
        /// Which Service.
        service: Place,
        /// At which port of it; without one, at the one that it has.
        at: Option<AtPort>,
    },
}

impl Asked {
    /// Gives the Service that is asked about.
    fn service(&self) -> Option<&Place> {
        match self {
            Self::Service { service, .. } => Some(service),
            Self::Ways(_) | Self::Connection { .. } => None,
        }
    }

    /// Gives the ends whose nodes' rules matter.
    fn ends(&self, seen: &Seen) -> Vec<End> {
        match self {
            Self::Ways(end) => vec![end.clone()],
            Self::Connection { from, to, .. } => vec![from.clone(), to.clone()],
            Self::Service { from, service, at } => through::ends(seen, from, service, at.as_ref()),
        }
    }
}

fn asked(args: &ExplainArgs) -> Result<Asked, Fault> {
    let (from, reached, written) = match (&args.to, &args.from) {
        (Some(Reached { target, port }), _) => (&args.pod, target.clone(), port),
        (None, Some(from)) => (from, Target::End(args.pod.end.clone()), &args.pod.port),
        (None, None) => {
            return match args.pod.port {
                None => Ok(Asked::Ways(args.pod.end.clone())),
                Some(_) => Err(Fault::usage("a port is asked about with --from only")),
            };
        }
    };
    if from.port.is_some() {
        return Err(Fault::usage(
            "a port stands at whoever begins the connection: write the port of whoever is reached",
        ));
    }
    let at = match (written, &args.port) {
        (Some(_), Some(_)) => {
            return Err(Fault::usage("the port is written twice: leave out --port"));
        }
        (Some(at), None) | (None, Some(at)) => Some(at.clone()),
        (None, None) => None,
    };
    let from = from.end.clone();
    match (reached, at) {
        (Target::Service(service), at) => Ok(Asked::Service { from, service, at }),
        (Target::End(to), Some(at)) => Ok(Asked::Connection { from, to, at }),
        (Target::End(_), None) => {
            Err(Fault::usage("no port is asked about: add one with --port, such as 8080"))
        }
    }
}

/// What is said.
pub enum Said {
    /// Of a connection.
    Connection(Box<Report>),
    /// Of a connection to a Service.
    Through(Box<Through>),
    /// Of a pod's ways.
    Ways(Box<Ways>),
}

/// Answers from what was seen.
pub fn say(seen: &Seen, asked: Asked) -> Result<Said, Fault> {
    match asked {
        Asked::Ways(end) => {
            let End::Pod(place) = seen.find(end)? else {
                return Err(Fault::usage("an address has no policies"));
            };
            let pod = &seen.world.pods[&place];
            Ok(Said::Ways(Box::new(report::ways(seen, &place, pod))))
        }
        Asked::Connection { from, to, at: AtPort { port, protocol } } => {
            let (from, to) = (seen.find(from)?, seen.find(to)?);
            let protocol = protocol.unwrap_or_default();
            let question = Question { from, to, protocol, port };
            let report = report::connection(seen, &question).map_err(Fault::usage)?;
            Ok(Said::Connection(Box::new(report)))
        }
        Asked::Service { from, service, at } => {
            through::say(seen, &seen.find(from)?, &service, at.as_ref())
        }
    }
}

impl Said {
    /// Gives the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Connection(report) => code(report.verdict),
            Self::Through(through) => code(through.verdict),
            Self::Ways(ways) if ways.unknown.is_some() => 3,
            Self::Ways(_) => 0,
        }
    }

    fn json(&self) -> Result<String, Fault> {
        match self {
            Self::Connection(report) => json(report),
            Self::Through(through) => json(through),
            Self::Ways(ways) => json(ways),
        }
    }

    /// Writes it for people.
    pub fn people(&self) -> String {
        match self {
            Self::Connection(report) => connection(report, None),
            Self::Through(through) => match through.backends.as_slice() {
                [one] => connection(one, Some(through.as_ref())),
                _ => self::through(through),
            },
            Self::Ways(ways) => self::ways(ways),
        }
    }
}

fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allowed => 0,
        Verdict::Refused | Verdict::Partly => 1,
        Verdict::Unknown => 3,
    }
}

/// Writes what is said of a connection, or of the only end that a Service leads it to.
fn connection(report: &Report, through: Option<&Through>) -> String {
    let Report { from, to, protocol, port, .. } = report;
    let mut text = format!("{}: {from} to {to} at {protocol} {port}\n", report.verdict.word());
    if let Some(why) = &report.why {
        text.push_str(&format!("  because {why}\n"));
    }
    text.extend(through.iter().map(|it| format!("  {}\n", it.service.words())));
    side(&mut text, &format!("leaving {from}"), &report.egress);
    side(&mut text, &format!("reaching {to}"), &report.ingress);
    let mut all_notes = report.notes.clone();
    add(&mut all_notes, through.iter().flat_map(|it| &it.notes));
    notes(&mut text, &all_notes);
    for (what, end, side) in [("leave", from, &report.egress), ("reach", to, &report.ingress)] {
        if let Some(policy) = &side.would_allow {
            would_allow(&mut text, &format!("{what} {end}"), policy);
        }
    }
    text
}

fn would_allow(text: &mut String, what: &str, policy: &Value) {
    let policy = yaml::document(policy);
    text.push_str(&format!("\nthis policy would let it {what}:\n\n{policy}"));
}

/// Adds notes that are not there yet.
fn add<'a>(notes: &mut Vec<String>, more: impl IntoIterator<Item = &'a String>) {
    for note in more {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
}

/// Writes what is said of all that a Service leads to; what is the same of several is written once.
fn through(through: &Through) -> String {
    let mut text = format!("{}: {}\n", through.verdict.word(), through.asked());
    if let Some(why) = through.because() {
        text.push_str(&format!("  because {why}\n"));
    }
    if !through.backends.is_empty() {
        text.push_str(&format!("  {}\n", through.service.words()));
    }
    text.extend(through.apart().iter().map(|line| format!("  {line}\n")));
    let (told, untold) = through.alike();
    let mut all_notes = through.notes.clone();
    for group in &told {
        let (from, to) = (&group.first.from, group.names());
        side(&mut text, &format!("leaving {from} for {to}"), &group.first.egress);
        side(&mut text, &format!("reaching {to}"), &group.first.ingress);
        add(&mut all_notes, &group.first.notes);
    }
    if untold > 0 {
        text.push_str(&format!("{untold} more are judged in other ways: --json tells of each\n"));
    }
    notes(&mut text, &all_notes);
    for group in &told {
        let leave = format!("leave {} for", group.first.from);
        proposed(&mut text, &leave, group.proposal(|it| &it.egress));
        proposed(&mut text, "reach", group.proposal(|it| &it.ingress));
    }
    text
}

/// Writes the policy that would let it through at ends that are judged alike, and of how many it does not.
fn proposed(text: &mut String, what: &str, proposal: Option<Proposal<'_>>) {
    let Some(proposal) = proposal else { return };
    would_allow(text, &format!("{what} {}", proposal.names()), &proposal.policy);
    match proposal.others {
        0 => {}
        1 => text.push_str("\n1 more needs a policy of its own: --json tells of it\n"),
        others => {
            text.push_str(&format!(
                "\n{others} more need policies of their own: --json tells of each\n"
            ));
        }
    }
}

fn side(text: &mut String, what: &str, side: &SideReport) {
    text.push_str(&format!("{what}: {}\n", side.verdict.word()));
    rulings(text, &side.rulings);
    closed_by(text, &side.closed_by);
    rules(text, "allowed by", &side.allowed_by);
    rules(text, "let through by", &side.lets_through);
    if side.allowed_by.is_empty() {
        text.push_str(&format!("  {}\n", side.why));
    }
}

fn ways(ways: &Ways) -> String {
    let mut text = String::new();
    if let Some(why) = &ways.unknown {
        text.push_str(&format!("unknown: {why}\n"));
    }
    if ways.host_network {
        let pod = &ways.pod;
        text.push_str(&format!("{pod} uses its machine's own network, where no policy holds\n"));
    }
    for (what, way) in [("leaving", &ways.egress), ("reaching", &ways.ingress)] {
        self::way(&mut text, &format!("{what} {}", ways.pod), way);
    }
    notes(&mut text, &ways.notes);
    text
}

fn way(text: &mut String, what: &str, way: &WayReport) {
    if way.closed_by.is_empty() {
        text.push_str(&format!("{what}: open\n"));
        rulings(text, &way.rulings);
        text.push_str(match way.rulings.is_empty() {
            true => "  no policy closes this way\n",
            false => "  what is left is let through\n",
        });
        return;
    }
    text.push_str(&format!("{what}: closed\n"));
    rulings(text, &way.rulings);
    closed_by(text, &way.closed_by);
    rules(text, "let through by", &way.lets_through);
    if way.lets_through.is_empty() {
        text.push_str("  nothing is let through\n");
    }
}

fn rulings(text: &mut String, rulings: &[RulingReport]) {
    text.extend(rulings.iter().map(|ruling| format!("  {}\n", ruling.words())));
}

fn closed_by(text: &mut String, policies: &[String]) {
    text.extend(policies.iter().map(|policy| format!("  closed by {policy}\n")));
}

fn rules(text: &mut String, begin: &str, rules: &[RuleReport]) {
    let line = |it: &RuleReport| format!("  {begin} {}, {}: {}\n", it.policy, it.rule, it.allows);
    text.extend(rules.iter().map(line));
}

fn notes(text: &mut String, notes: &[String]) {
    text.extend(notes.iter().map(|note| format!("note: {note}\n")));
}
