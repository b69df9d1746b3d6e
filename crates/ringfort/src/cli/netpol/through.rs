//! What is said of a connection to a Service: what policies make of it at each end that it leads to, as one
//! answer. Pure.

use std::net::IpAddr;

use ringfort_policy::{
    Backend, Call, End, IpFamily, NotTranslated, Nowhere, Place, PortWanted, Question, TargetPort,
    Translated, translate,
};
use serde::Serialize;
use serde_json::Value;

use super::super::Fault;
use super::ends::{AtPort, of_pod};
use super::explain::Said;
use super::missing::joined;
use super::report::{self, Report, SideReport, Verdict, name};
use super::seen::{Seen, of_service};

/// How many names are told before the rest is counted.
const NAMES: usize = 5;

/// How many ends that are not judged alike are told of to people.
const GROUPS: usize = 5;

/// What is said of a connection to a Service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Through {
    pub version: u32,
    pub verdict: Verdict,
    /// Why nothing can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub from: String,
    /// The Service, as it is asked about.
    pub to: String,
    pub service: ServiceReport,
    /// What is said of each end that it leads to, as if it had been asked about.
    pub backends: Vec<Report>,
    pub notes: Vec<String>,
}

/// A Service that is asked about.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    pub name: String,
    /// The port of it that is asked about, unless nobody knows where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<ServicePortReport>,
    /// How many ends it leads to.
    pub backends_count: usize,
}

/// A port of a Service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePortReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub protocol: String,
    pub port: u16,
    pub target_port: TargetPort,
}

/// Ends that are judged alike.
pub struct Alike<'a> {
    /// What is said of the first of them.
    pub first: &'a Report,
    all: Vec<&'a Report>,
}

/// The policy that would let a connection through at one end.
pub struct Proposal<'a> {
    /// The policy.
    pub policy: Value,
    /// The ends of the Service that it does that for.
    names: Vec<&'a str>,
    /// How many others there are, each with another policy.
    pub others: usize,
}

/// Gives the ends of a connection to a Service: who begins it and all that it may lead to.
pub fn ends(seen: &Seen, from: &End, place: &Place, at: Option<&AtPort>) -> Vec<End> {
    let mut ends = vec![from.clone()];
    if let Ok(from) = seen.find(from.clone())
        && let Ok(call) = call(seen, &from, place)
        && let Ok(translated) = led(seen, &call, at)
    {
        ends.extend(translated.backends.into_iter().map(|backend| backend.end));
    }
    ends
}

/// Says what comes of a connection to a Service.
///
/// # Errors
/// The Service is not there or cannot be read, or it is not said which of its ports is meant.
pub fn say(seen: &Seen, from: &End, place: &Place, at: Option<&AtPort>) -> Result<Said, Fault> {
    let call = call(seen, from, place)?;
    let translated = match led(seen, &call, at) {
        Ok(translated) => translated,
        Err(NotTranslated::Port(why)) => {
            return Err(Fault::usage(format!("Service {place} {why}")));
        }
        Err(NotTranslated::Nowhere(why)) => {
            return Ok(Said::Through(Box::new(nowhere(seen, from, place, &why))));
        }
    };
    let narrowed = call.service.family.map(|family| narrowed(seen, family, from, &translated));
    let judged = narrowed.as_ref().unwrap_or(seen);
    let mut backends = Vec::new();
    for Backend { end, port } in &translated.backends {
        let question = Question {
            from: from.clone(),
            to: end.clone(),
            protocol: translated.port.protocol,
            port: PortWanted::Number(*port),
        };
        backends.push(report::connection(judged, &question).map_err(Fault::usage)?);
    }
    let notes = notes(&call, &translated);
    let service = ServiceReport {
        name: place.to_string(),
        port: Some(ServicePortReport {
            name: translated.port.name,
            protocol: translated.port.protocol.to_string(),
            port: translated.port.number,
            target_port: translated.port.target,
        }),
        backends_count: backends.len(),
    };
    Ok(Said::Through(Box::new(Through {
        version: report::VERSION,
        verdict: verdict(&backends),
        why: unknown(&backends),
        from: name(from),
        to: of_service(place),
        service,
        notes: seen.notes.iter().cloned().chain(notes).collect(),
        backends,
    })))
}

fn call<'a>(seen: &'a Seen, from: &'a End, place: &'a Place) -> Result<Call<'a>, Fault> {
    let service = seen.find_service(place)?;
    Ok(Call { from, place, service, slices: seen.find_slices(place, service)? })
}

fn led(seen: &Seen, call: &Call<'_>, at: Option<&AtPort>) -> Result<Translated, NotTranslated> {
    translate(&seen.world, call, at.map(|at| (&at.port, at.protocol)))
}

/// Leaves pods at both ends only their addresses of the Service's one family, where they have any: what comes through
/// it goes from and to no other.
fn narrowed(seen: &Seen, family: IpFamily, from: &End, translated: &Translated) -> Seen {
    let mut seen = seen.clone();
    for end in translated.backends.iter().map(|it| &it.end).chain([from]) {
        let End::Pod(place) = end else { continue };
        let Some(pod) = seen.world.pods.get_mut(place) else { continue };
        let is_used = |address: &IpAddr| IpFamily::of(*address) == family;
        if pod.addresses.iter().any(is_used) {
            pod.addresses.retain(is_used);
        }
    }
    seen
}

/// Says that it is not known where a Service leads.
fn nowhere(seen: &Seen, from: &End, place: &Place, why: &Nowhere) -> Through {
    Through {
        version: report::VERSION,
        verdict: Verdict::Unknown,
        why: Some(format!("Service {place} {why}")),
        from: name(from),
        to: of_service(place),
        service: ServiceReport { name: place.to_string(), port: None, backends_count: 0 },
        backends: Vec::new(),
        notes: seen.notes.clone(),
    }
}

/// Gives what is to be noted of how a Service leads.
fn notes(call: &Call<'_>, translated: &Translated) -> Vec<String> {
    let Call { from, place, service, .. } = *call;
    let mut notes = Vec::new();
    if !translated.without_port.is_empty() {
        let without: Vec<String> = translated.without_port.iter().map(of_pod).collect();
        notes.push(format!(
            "Service {place} does not lead to {}: without {} it is no end of it",
            few(&without),
            translated.port.target
        ));
    }
    notes.extend(translated.passed_over.iter().map(|it| passed_over(place, translated, it)));
    if translated.is_node_unknown {
        notes.push(format!(
            "Service {place} leads to what is on the caller's own node and nowhere else (internalTrafficPolicy: \
             Local), and it is not known of all that are judged here whether they are there"
        ));
    }
    if service.external_local && !service.internal_local {
        notes.push(format!(
            "externalTrafficPolicy: Local of Service {place} is about connections from outside of the cluster: \
             pods are led to every node"
        ));
    }
    // A workload stands for several pods, and only each with itself is what nothing refuses.
    let is_own = |backend: &Backend| backend.end == *from;
    if let End::Pod(own) = from
        && own.name.contains('/')
        && translated.backends.iter().any(is_own)
    {
        notes.push(format!(
            "{own} is led to itself, which is always let through: what one of its pods says to another is not \
             judged here"
        ));
    }
    notes
}

/// Says that a headless Service leads whoever asks for its port by name elsewhere.
fn passed_over(place: &Place, translated: &Translated, target: &TargetPort) -> String {
    let number = translated.port.number;
    let way = match &translated.port.name {
        Some(name) => {
            format!("whoever asks DNS for {name} is sent there, so name {name} to ask about it")
        }
        None => "ask about its number if that is meant".to_owned(),
    };
    format!(
        "Service {place} is headless and translates nothing: port {number} of its pods is judged and not {target} \
         (targetPort); {way}"
    )
}

fn verdict(reports: &[Report]) -> Verdict {
    let has = |verdict| reports.iter().any(|it| it.verdict == verdict);
    match (has(Verdict::Allowed), has(Verdict::Refused), has(Verdict::Unknown)) {
        (true, true, _) | (_, true, true) => Verdict::Partly,
        (true, false, false) => Verdict::Allowed,
        (false, true, false) => Verdict::Refused,
        (_, false, true) | (false, false, false) => Verdict::Unknown,
    }
}

/// Says of which ends nothing can be said, and why not of the first.
fn unknown(reports: &[Report]) -> Option<String> {
    let unknown = of(reports, Verdict::Unknown);
    let first = unknown.first()?;
    let why = first.why.as_deref().unwrap_or("it cannot be said");
    let names: Vec<String> = unknown.iter().map(|it| it.to.clone()).collect();
    match unknown.len() == reports.len() {
        true => Some(why.to_owned()),
        false => Some(format!("of {} it cannot be said: {why}", few(&names))),
    }
}

fn of(reports: &[Report], verdict: Verdict) -> Vec<&Report> {
    reports.iter().filter(|it| it.verdict == verdict).collect()
}

/// Names some, and counts the others.
fn few(names: &[String]) -> String {
    let told = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => told,
        1 => format!("{told} and 1 other"),
        others => format!("{told} and {others} others"),
    }
}

impl ServiceReport {
    /// Writes it for people.
    pub fn words(&self) -> String {
        let Self { name, port, backends_count } = self;
        let to = match backends_count {
            1 => "1 backend".to_owned(),
            count => format!("{count} backends"),
        };
        match port {
            None => format!("through Service {name}"),
            Some(ServicePortReport { protocol, port, target_port, .. }) => {
                format!("through Service {name}, {protocol} {port}, to {target_port} of {to}")
            }
        }
    }
}

impl Through {
    /// Says what was asked.
    pub fn asked(&self) -> String {
        let Self { from, service: ServiceReport { name, port, .. }, .. } = self;
        match port {
            None => format!("{from} to Service {name}"),
            Some(ServicePortReport { protocol, port, .. }) => {
                format!("{from} to Service {name} at {protocol} {port}")
            }
        }
    }

    /// Says why nothing can be said of any end.
    pub fn because(&self) -> Option<&str> {
        let unknown = of(&self.backends, Verdict::Unknown);
        self.why.as_deref().filter(|_| unknown.len() == self.backends.len())
    }

    /// Says which ends refuse it, and of which nothing can be said, where it is not all of them.
    pub fn apart(&self) -> Vec<String> {
        let all = self.backends.len();
        let mut lines = Vec::new();
        for verdict in [Verdict::Refused, Verdict::Unknown] {
            let some = of(&self.backends, verdict);
            if some.is_empty() || some.len() == all {
                continue;
            }
            let names: Vec<String> = some.iter().map(|it| it.to.clone()).collect();
            let why = some.iter().find_map(|it| it.why.as_ref());
            let why = why.map(|why| format!(", because {why}")).unwrap_or_default();
            let (word, count) = (verdict.word(), some.len());
            lines.push(format!("{word} at {count} of {all}: {}{why}", few(&names)));
        }
        lines
    }

    /// Puts ends together that are judged alike, those that refuse first, and counts the ends that are left out.
    pub fn alike(&self) -> (Vec<Alike<'_>>, usize) {
        let mut groups: Vec<Alike<'_>> = Vec::new();
        for verdict in [Verdict::Refused, Verdict::Unknown, Verdict::Allowed] {
            for first in of(&self.backends, verdict) {
                match groups.iter_mut().find(|group| group.first.is_like(first)) {
                    Some(group) => group.all.push(first),
                    None => groups.push(Alike { first, all: vec![first] }),
                }
            }
        }
        let untold = groups.iter().skip(GROUPS).map(|group| group.all.len()).sum();
        groups.truncate(GROUPS);
        (groups, untold)
    }
}

impl<'a> Alike<'a> {
    /// Names the first end and counts the others.
    pub fn names(&self) -> String {
        counted(&self.all.iter().map(|it| it.to.as_str()).collect::<Vec<_>>())
    }

    /// Gives the policy that would let the connection through at a side of as many ends as one policy can mean.
    pub fn proposal(&self, side: impl Fn(&Report) -> &SideReport) -> Option<Proposal<'a>> {
        let of_end = |it: &'a Report| Some((it.to.as_str(), side(it).would_allow.as_ref()?));
        let all: Vec<(&str, &Value)> = self.all.iter().copied().filter_map(of_end).collect();
        let policies: Vec<&Value> = all.iter().map(|(_, policy)| *policy).collect();
        let (policy, joined) = joined(&policies)?;
        let others = all.len() - joined.len();
        Some(Proposal { policy, names: joined.into_iter().map(|at| all[at].0).collect(), others })
    }
}

impl Proposal<'_> {
    /// Names the first end that it is for and counts the others.
    pub fn names(&self) -> String {
        counted(&self.names)
    }
}

fn counted(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, _] => format!("{first} and 1 other"),
        [first, others @ ..] => format!("{first} and {} others", others.len()),
    }
}
