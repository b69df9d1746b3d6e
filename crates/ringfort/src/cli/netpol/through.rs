//! What is said of a connection to a Service: what policies make of it at each end that it leads to, as one
//! answer. Pure.

use ringfort_policy::{
    Backend, Call, End, NotTranslated, Nowhere, Place, PortWanted, Question, Service, TargetPort,
    Translated, translate,
};
use serde::Serialize;

use super::super::Fault;
use super::ends::AtPort;
use super::explain::Said;
use super::report::{self, Report, Verdict, name};
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
    pub backends: usize,
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
    names: Vec<&'a str>,
}

/// Gives the ends of a connection to a Service: who begins it and all that it may lead to.
pub fn ends(seen: &Seen, from: &End, place: &Place, at: Option<&AtPort>) -> Vec<End> {
    let mut ends = vec![from.clone()];
    if let (Ok(from), Ok(service)) = (seen.find(from.clone()), seen.find_service(place))
        && let Ok(translated) = led(seen, &from, (place, service), at)
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
    let service = seen.find_service(place)?;
    let translated = match led(seen, from, (place, service), at) {
        Ok(translated) => translated,
        Err(NotTranslated::Port(why)) => {
            return Err(Fault::usage(format!("Service {place} {why}")));
        }
        Err(NotTranslated::Nowhere(why)) => {
            return Ok(Said::Through(Box::new(nowhere(seen, from, place, &why))));
        }
    };
    let mut backends = Vec::new();
    for Backend { end, port } in &translated.backends {
        let question = Question {
            from: from.clone(),
            to: end.clone(),
            protocol: translated.port.protocol,
            port: PortWanted::Number(*port),
        };
        backends.push(report::connection(seen, &question).map_err(Fault::usage)?);
    }
    let notes = notes(from, (place, service), &translated);
    let service = ServiceReport {
        name: place.to_string(),
        port: Some(ServicePortReport {
            name: translated.port.name,
            protocol: translated.port.protocol.to_string(),
            port: translated.port.number,
            target_port: translated.port.target,
        }),
        backends: backends.len(),
    };
    if backends.len() == 1
        && let Some(mut report) = backends.pop()
    {
        report.service = Some(service);
        report.notes.extend(notes);
        return Ok(Said::Connection(Box::new(report)));
    }
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

fn led(
    seen: &Seen,
    from: &End,
    (place, service): (&Place, &Service),
    at: Option<&AtPort>,
) -> Result<Translated, NotTranslated> {
    let call = Call { from, place, service, slices: &seen.slices };
    translate(&seen.world, &call, at.map(|at| (&at.port, at.protocol)))
}

/// Says that it is not known where a Service leads.
fn nowhere(seen: &Seen, from: &End, place: &Place, why: &Nowhere) -> Through {
    Through {
        version: report::VERSION,
        verdict: Verdict::Unknown,
        why: Some(format!("Service {place} {why}")),
        from: name(from),
        to: of_service(place),
        service: ServiceReport { name: place.to_string(), port: None, backends: 0 },
        backends: Vec::new(),
        notes: seen.notes.clone(),
    }
}

/// Gives what is to be noted of how a Service leads.
fn notes(from: &End, (place, service): (&Place, &Service), translated: &Translated) -> Vec<String> {
    let mut notes = Vec::new();
    if !translated.without_port.is_empty() {
        let without: Vec<String> =
            translated.without_port.iter().map(ToString::to_string).collect();
        notes.push(format!(
            "Service {place} does not lead to {}: without {} it is no end of it",
            few(&without),
            translated.port.target
        ));
    }
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

fn verdict(reports: &[Report]) -> Verdict {
    let has = |verdict| reports.iter().any(|it| it.verdict == verdict);
    match (has(Verdict::Allowed), has(Verdict::Refused), has(Verdict::Unknown)) {
        (true, true, _) => Verdict::Partly,
        (true, false, false) => Verdict::Allowed,
        (false, true, false) => Verdict::Refused,
        (_, _, true) | (false, false, false) => Verdict::Unknown,
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
        let Self { name, port, backends, .. } = self;
        let to =
            if *backends == 1 { "1 backend".to_owned() } else { format!("{backends} backends") };
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

    /// Says which ends refuse it, where it is not all or none of them.
    pub fn refused(&self) -> Option<String> {
        let refused = of(&self.backends, Verdict::Refused);
        let names: Vec<String> = refused.iter().map(|it| it.to.clone()).collect();
        let (count, all) = (names.len(), self.backends.len());
        (count > 0 && count < all).then(|| format!("refused at {count} of {all}: {}", few(&names)))
    }

    /// Puts ends together that are judged alike, those that refuse first, and counts the ends that are left out.
    pub fn alike(&self) -> (Vec<Alike<'_>>, usize) {
        let mut groups: Vec<Alike<'_>> = Vec::new();
        for verdict in [Verdict::Refused, Verdict::Unknown, Verdict::Allowed] {
            for first in of(&self.backends, verdict) {
                match groups.iter_mut().find(|group| group.first.is_like(first)) {
                    Some(group) => group.names.push(first.to.as_str()),
                    None => groups.push(Alike { first, names: vec![first.to.as_str()] }),
                }
            }
        }
        let untold = groups.iter().skip(GROUPS).map(|group| group.names.len()).sum();
        groups.truncate(GROUPS);
        (groups, untold)
    }
}

impl Alike<'_> {
    /// Names the first end and counts the others.
    pub fn names(&self) -> String {
        match self.names.as_slice() {
            [] | [_] => self.first.to.clone(),
            [first, _] => format!("{first} and 1 other"),
            [first, others @ ..] => format!("{first} and {} others", others.len()),
        }
    }
}
