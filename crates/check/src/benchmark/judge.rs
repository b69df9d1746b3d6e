//! Judges all rows: of machines, of objects, and of both where both were seen.

use std::collections::BTreeMap;

use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};

use super::{Row, rows, say};

/// What a row comes to.
#[derive(Debug)]
pub struct Judged {
    /// The row.
    pub row: &'static Row,
    /// What it comes to for the cluster.
    pub whole: Judgement,
    /// What it comes to on each machine, where machines decide it.
    pub machines: Vec<OfMachine>,
}

/// What a row comes to on a machine.
#[derive(Debug)]
pub struct OfMachine {
    /// The machine's name.
    pub machine: String,
    /// What it comes to there.
    pub judgement: Judgement,
}

/// What guidelines came to for the objects of a cluster.
#[derive(Debug, Default)]
pub struct Tally {
    /// By guideline.
    pub of: BTreeMap<&'static str, Tallied>,
    /// What could not be listed.
    pub blind: Vec<Gap>,
}

/// What one guideline came to.
#[derive(Debug, Default)]
pub struct Tallied {
    /// How many objects keep it.
    pub passed: usize,
    /// How many do not.
    pub failed: usize,
    /// The first objects that do not.
    pub first: Vec<String>,
    /// The first thing that could not be read.
    pub gap: Option<Gap>,
}

/// Judges every row. Without objects, rows that rest on them are unknown.
pub fn judge(machines: &[Machine<'_>], objects: Option<&Tally>) -> Vec<Judged> {
    rows().map(|row| one(row, machines, objects)).collect()
}

fn one(row: &'static Row, machines: &[Machine<'_>], objects: Option<&Tally>) -> Judged {
    let of_machine = |machine: &Machine<'_>| {
        let judgement = row.of(machine)?;
        Some(OfMachine { machine: machine.name().to_owned(), judgement })
    };
    let of: Vec<OfMachine> = machines.iter().filter_map(of_machine).collect();
    let whole = match (row.undecided(), row.guidelines()) {
        (Some(gap), _) => Err(gap),
        (None, []) => of_all(&of),
        (None, guidelines) => of_objects(guidelines, objects),
    };
    Judged { row, whole, machines: of }
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

fn of_objects(guidelines: &[&'static str], objects: Option<&Tally>) -> Judgement {
    let Some(tally) = objects else {
        return say::unknown(
            "objects of the API were not read",
            "--kubeconfig of an administrator",
        );
    };
    let of_guideline = |id: &&'static str| {
        let Some(tallied) = tally.of.get(id) else {
            return say::spared(format!("there is nothing that {id} is about"));
        };
        let Tallied { passed, failed, first, gap } = tallied;
        if *failed > 0 {
            let said = format!("{id}: {failed} objects do not keep it: {}", first.join(", "));
            return Ok(say::fail(said, &format!("ringfort explain {id}")));
        }
        if let Some(gap) = gap {
            return Err(gap.clone());
        }
        match Evidence::from_seen(format!("{passed} objects keep {id}"), (0..*passed).collect()) {
            Some(evidence) => Ok(Decided::Pass(evidence)),
            None => say::spared(format!("there is nothing that {id} is about")),
        }
    };
    say::all(guidelines.iter().map(of_guideline).chain(tally.blind.iter().cloned().map(Err)))
}
