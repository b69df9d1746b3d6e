//! Judges all rows: of machines, of objects, and of both where both were seen.

use ringfort_facts::component::Component;
use ringfort_facts::component::api_server::pod_security;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};
use ringfort_model::pod_security::Level;

use super::rows::{ENFORCED, RESTRICTED};
use super::tally::{Asked, Tallied, Tally};
use super::usage::{self, Counting};
use super::waive::Waived;
use super::{Ask, Looked, Row, rights, rows, say};

/// What a row comes to.
#[derive(Debug)]
pub struct Judged {
    /// The row.
    pub row: &'static Row,
    /// What it comes to for the cluster.
    pub whole: Judgement,
    /// What it comes to on each machine, where machines decide it.
    pub machines: Vec<OfMachine>,
    /// Who answers for it, where it fails and that is waived.
    pub waived: Option<Waived>,
}

/// What a row comes to on a machine.
#[derive(Debug)]
pub struct OfMachine {
    /// The machine's name.
    pub machine: String,
    /// What it comes to there.
    pub judgement: Judgement,
}

/// Judges every row. Rows that rest on what is not there are unknown.
pub fn judge(looked: &Looked<'_>) -> Vec<Judged> {
    rows().map(|row| one(row, looked)).collect()
}

fn one(row: &'static Row, looked: &Looked<'_>) -> Judged {
    let of_machine = |machine: &Machine<'_>| {
        let judgement = row.of(machine)?;
        Some(OfMachine { machine: machine.name().to_owned(), judgement })
    };
    let of: Vec<OfMachine> = looked.machines.iter().filter_map(of_machine).collect();
    let whole = match row.ask {
        Ask::Machine(_) | Ask::Settings(..) | Ask::Kubelet(_) => of_all(&of),
        Ask::Guidelines(guidelines) => of_objects(guidelines, looked),
        Ask::Rights(guidelines) => rights::judge(guidelines, looked),
        Ask::Callers(callers, _) => usage::judge(callers, looked, Counting::Everybody),
        Ask::Whole(_, _, judge) => judge(looked),
    };
    Judged { row, whole, machines: of, waived: None }
}

/// One verdict for all machines: a machine that fails is named.
fn of_all(of: &[OfMachine]) -> Judgement {
    let several = of.len() > 1;
    let at = |machine: &str, said: &str| match several {
        true => format!("{machine}: {said}"),
        false => said.to_owned(),
    };
    let told = of.iter().enumerate().map(|(number, OfMachine { machine, judgement })| {
        let mut named = judgement.clone();
        match &mut named {
            Ok(Decided::Pass(evidence)) => {
                let said = at(machine, &evidence.to_string());
                if let Some(of_machine) = Evidence::from_seen(said, vec![number]) {
                    *evidence = of_machine;
                }
            }
            Ok(Decided::Fail(Finding { said, .. })) | Err(Gap { said, .. }) => {
                *said = at(machine, said);
            }
            Ok(Decided::NotApplicable { .. }) => {}
        }
        named
    });
    match of.is_empty() {
        true => {
            say::unknown("no machine was looked at", "facts of every machine, by `ringfort gather`")
        }
        false => say::all(told),
    }
}

fn of_objects(guidelines: &[&'static str], looked: &Looked<'_>) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let judged = |id: &&'static str| match *id {
        ENFORCED => admission(tally, looked.machines, Level::Baseline),
        RESTRICTED => admission(tally, looked.machines, Level::Restricted),
        id => of_guideline(tally, id),
    };
    say::all(guidelines.iter().map(judged).chain(tally.blind.iter().cloned().map(Err)))
}

pub(super) fn of_guideline(tally: &Tally, id: &str) -> Judgement {
    let nothing = || say::spared(format!("there is nothing that {id} is about"));
    let Some(Tallied { passed, failed, first, gap, .. }) = tally.of.get(id) else {
        return nothing();
    };
    if *failed > 0 {
        let said = format!("{id}: {failed} objects do not keep it: {}", first.join(", "));
        return Ok(say::fail(said, &format!("ringfort explain {id}")));
    }
    if let Some(gap) = gap {
        return Err(gap.clone());
    }
    match Evidence::from_seen(format!("{passed} objects keep {id}"), (0..*passed).collect()) {
        Some(evidence) => Ok(Decided::Pass(evidence)),
        None => nothing(),
    }
}

/// Names the namespaces in which a guideline is not kept; an empty name for what is in none.
pub(super) fn failing(id: &str, tally: &Tally, looked: &Looked<'_>) -> Vec<String> {
    let least = match id {
        ENFORCED => Level::Baseline,
        RESTRICTED => Level::Restricted,
        id => {
            let of = tally.of.get(id).into_iter().flat_map(|it| it.namespaces.iter());
            return of.cloned().collect();
        }
    };
    let usual = usual_level(looked.machines).unwrap_or(Level::Privileged);
    let is_open = |asked: &&Asked| !asked.unreadable && asked.level.unwrap_or(usual) < least;
    tally.namespaces.iter().filter(is_open).map(|asked| asked.namespace.clone()).collect()
}

/// Which pods would be let in: by each namespace's label, or where it has none by what every API server
/// takes for its default. What policies and webhooks refuse besides is not known here.
fn admission(tally: &Tally, machines: &[Machine<'_>], least: Level) -> Judgement {
    let usual = usual_level(machines);
    let mut open = Vec::new();
    let mut unknown = None;
    for asked in &tally.namespaces {
        let level = match (asked.level, asked.unreadable, &usual) {
            // A level that a server cannot read is restricted for it.
            (_, true, _) => Level::Restricted,
            (Some(level), _, _) => level,
            (None, _, Ok(usual)) => *usual,
            (None, _, Err(gap)) => {
                unknown = Some(gap.clone());
                continue;
            }
        };
        if level < least {
            open.push(asked.namespace.as_str());
        }
    }
    if !open.is_empty() {
        let named = open.iter().take(4).copied().collect::<Vec<_>>().join(", ");
        let said = format!("{} namespaces enforce less than {least}: {named}", open.len());
        return match tally.besides.first() {
            None => Ok(say::fail(said, "label them with pod-security.kubernetes.io/enforce")),
            Some(one) => say::unknown(
                format!("{said}; {one} may refuse pods there, which is not evaluated"),
                "labels of Pod Security on those namespaces",
            ),
        };
    }
    if let Some(gap) = unknown {
        return Err(gap);
    }
    let count = tally.namespaces.len();
    match Evidence::from_seen(format!("{count} namespaces enforce {least}"), (0..count).collect()) {
        Some(evidence) => Ok(Decided::Pass(evidence)),
        None => say::unknown("no namespace was listed", "the right to list namespaces"),
    }
}

/// The level that holds where a namespace says none: the weakest of all API servers. One that spares
/// namespaces or runtime classes spares who may be anybody.
fn usual_level(machines: &[Machine<'_>]) -> Result<Level, Gap> {
    let mut found = None;
    for machine in machines {
        for server in machine.running(Component::ApiServer)? {
            let read = pod_security(&server).known()?.value.clone();
            let spares = &read.exemptions;
            let level = match spares.namespaces.is_empty() && spares.runtime_classes.is_empty() {
                true => read.enforce.level,
                false => Level::Privileged,
            };
            found = Some(found.map_or(level, |before: Level| before.min(level)));
        }
    }
    found.ok_or_else(|| Gap {
        said: "what API servers ask of pods where a namespace says nothing was not looked at"
            .to_owned(),
        closes: "facts of every control plane, by `ringfort gather`".to_owned(),
    })
}
