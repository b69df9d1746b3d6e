//! Judges all rows: of machines, of objects, and of both where both were seen.

use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};
use serde_json::Value;

use super::rows::{ENFORCED, RESTRICTED};
use super::tally::{Tallied, Tally};
use super::usage::{self, Counting};
use super::waive::Waived;
use super::{Ask, Looked, Row, beyond, rights, rows, say};
use crate::admission::{Outcome, Security, Trial};

/// What a row comes to.
#[derive(Debug)]
pub struct Judged {
    /// The row.
    pub row: &'static Row,
    /// What it comes to for the cluster.
    pub whole: Judgement,
    /// What it comes to on each machine, where machines decide it.
    pub machines: Vec<OfMachine>,
    /// The first objects that do not keep it, where guidelines of objects decide it.
    pub objects: Vec<String>,
    /// Who answers for it, where it fails and that is waived.
    pub waived: Option<Waived>,
    /// A pod that is let in and is not to be, where that is what fails.
    pub example: Option<Value>,
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

/// Judges what ringfort's controls ask beyond the benchmark, where ringfort made the cluster.
pub fn judge_beyond(looked: &Looked<'_>) -> Vec<Judged> {
    match looked.has_ringfort() {
        true => beyond().map(|row| one(row, looked)).collect(),
        false => Vec::new(),
    }
}

fn one(row: &'static Row, looked: &Looked<'_>) -> Judged {
    let of_machine = |machine: &Machine<'_>| {
        let judgement = row.of(machine)?;
        Some(OfMachine { machine: machine.name().to_owned(), judgement })
    };
    let of: Vec<OfMachine> = looked.machines.iter().filter_map(of_machine).collect();
    let mut example = None;
    let whole = match row.ask {
        Ask::Guard(guard) if of.len() < looked.machines.len() => {
            // Those whose guards are files are judged beside the others.
            let by_files = of.iter().map(|it| it.judgement.clone());
            let whole = say::all(by_files.chain([guard.stored(looked)]));
            say::unless(whole, looked.every_known_machine())
        }
        Ask::Machine(_) | Ask::Settings(..) | Ask::Kubelet(_) | Ask::Guard(_) => {
            say::unless(of_all(&of), looked.every_known_machine())
        }
        Ask::Guidelines(guidelines) => of_objects(row, guidelines, looked, &mut example),
        Ask::Rights(guidelines) => rights::judge(guidelines, looked),
        Ask::Callers(callers, _) => usage::judge(callers, looked, Counting::Everybody),
        Ask::Whole(_, _, _, judge) => judge(looked),
    };
    let seen = looked.objects.map_or(Ok(()), |tally| tally.sees(&row.kinds()));
    let objects = looked.objects.map(|tally| first(row, tally)).unwrap_or_default();
    let whole = say::unless(whole, seen);
    Judged { row, whole, machines: of, objects, waived: None, example }
}

/// Names the first objects that do not keep a row. Which pods are let in is told by an example.
fn first(row: &Row, tally: &Tally) -> Vec<String> {
    let Ask::Guidelines(guidelines) = row.ask else { return Vec::new() };
    let decides = guidelines.iter().filter(|id| !matches!(**id, ENFORCED | RESTRICTED));
    let mut first: Vec<String> = Vec::new();
    for name in decides.filter_map(|id| tally.of.get(id)).flat_map(|it| &it.first) {
        if !first.contains(name) {
            first.push(name.clone());
        }
    }
    first
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

fn of_objects(
    row: &Row,
    guidelines: &[&'static str],
    looked: &Looked<'_>,
    example: &mut Option<Value>,
) -> Judgement {
    let Some(tally) = looked.objects else { return say::no_objects() };
    let judged = |id: &&'static str| match *id {
        ENFORCED | RESTRICTED => {
            let outcome = outcome(row, tally, looked);
            *example = outcome.open.first().map(|open| open.pod.clone());
            admission(outcome)
        }
        id => of_guideline(tally, id),
    };
    say::all(guidelines.iter().map(judged))
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

/// Gives what API servers ask of pods. Of one that was not looked at, nobody knows whom it exempts.
fn security(looked: &Looked<'_>) -> Security {
    Security::of(looked.machines, looked.every_server().err())
}

/// Gives what becomes of the pods that a row wants refused, as far as an API server said nothing else.
fn outcome(row: &Row, tally: &Tally, looked: &Looked<'_>) -> Outcome {
    let mut outcome = tally.doors.try_row(row.id, &security(looked));
    if let Some(heard) = looked.heard {
        outcome.hear(row.id, heard);
    }
    outcome
}

/// Gives the pods that are expected to be let in, for whoever can ask an API server about them.
pub fn trials(looked: &Looked<'_>) -> Vec<Trial> {
    let Some(tally) = looked.objects else { return Vec::new() };
    let is_of_pods =
        |row: &&Row| row.guidelines().iter().any(|id| matches!(*id, ENFORCED | RESTRICTED));
    let security = security(looked);
    let of_row = |row: &'static Row| {
        let outcome = tally.doors.try_row(row.id, &security);
        outcome.trials(row.id).collect::<Vec<_>>()
    };
    rows().filter(is_of_pods).flat_map(of_row).collect()
}

/// Names the namespaces in which a guideline of a row is not kept; an empty name for what is in none.
pub(super) fn failing(row: &Row, id: &str, tally: &Tally, looked: &Looked<'_>) -> Vec<String> {
    if matches!(id, ENFORCED | RESTRICTED) {
        return outcome(row, tally, looked).open.into_iter().map(|open| open.namespace).collect();
    }
    let of = tally.of.get(id).into_iter().flat_map(|it| it.namespaces.iter());
    of.cloned().collect()
}

/// Says what is not known of the objects that a row is about, whatever fails of others.
pub(super) fn unknown(row: &Row, tally: &Tally, looked: &Looked<'_>) -> Option<Gap> {
    let of_guideline = |id: &&'static str| match *id {
        ENFORCED | RESTRICTED => outcome(row, tally, looked).gaps.into_iter().next(),
        id => tally.of.get(id).and_then(|it| it.gap.clone()),
    };
    let of_objects = || match row.ask {
        Ask::Guidelines(ids) | Ask::Whole(_, ids, ..) => ids.iter().find_map(of_guideline),
        Ask::Rights(ids) => rights::unknown(ids, tally),
        _ => None,
    };
    tally.sees(&row.kinds()).err().or_else(of_objects)
}

/// How many namespaces are named before the rest is counted.
const NAMED: usize = 4;

/// Asks that every namespace refuses the pods that a row wants refused.
fn admission(outcome: Outcome) -> Judgement {
    let Outcome { namespaces, pods, open, gaps, by, .. } = outcome;
    if !open.is_empty() {
        let named = open.iter().take(NAMED);
        let named = named.map(|it| format!("{} ({})", it.namespace, it.how));
        let named = named.collect::<Vec<_>>().join(", ");
        let said = format!("{} of {namespaces} namespaces let such a pod in: {named}", open.len());
        let fix =
            "pod-security.kubernetes.io/enforce on them, no exemption, or a policy that refuses it";
        return Ok(say::fail(said, fix));
    }
    if let Some(first) = gaps.first() {
        let said = match gaps.len() {
            1 => first.said.clone(),
            more => format!("{}; the same of {} more", first.said, more - 1),
        };
        return Err(Gap { said, closes: first.closes.clone() });
    }
    let by = by.into_iter().collect::<Vec<_>>().join(", ");
    let said = match pods {
        1 => format!("{namespaces} namespaces refuse such a pod: {by}"),
        pods => format!("{namespaces} namespaces refuse {pods} such pods: {by}"),
    };
    match Evidence::from_seen(said, (0..namespaces).collect()) {
        Some(evidence) => Ok(Decided::Pass(evidence)),
        None => say::unknown("no namespace was listed", "the right to list namespaces"),
    }
}
