//! Rules of other libraries with their own cases: what answers each here, and where that says something else.
//!
//! A ledger has a line for every rule: the controls or the rows that answer it, or why none does. Where a case
//! comes to something else here, another line gives the reason. A difference without a line fails, and so does
//! a line without a difference: whoever makes a judge better or worse sees it in the ledger.

mod cel;
mod gatekeeper;
mod ledger;
mod machines;
mod regolibrary;

use ringfort_check::benchmark::{self, Looked};
use ringfort_check::guidelines::find;
use ringfort_check::judge::judge;
use ringfort_check::judgement::Judgement;
use ringfort_check::pods::pods;
use ringfort_check::world::{Objects, Origin, World};
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Verdict;
use ringfort_model::pod_security::{Level, Policy, Version};
use ringfort_model::version::Minor;
use serde_json::Value;

/// What a case comes to: the first of these that is there counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Comes {
    Fail,
    Unknown,
    Pass,
}

/// What answers a rule.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// A control of what is written.
    Guideline(String),
    /// A row of the benchmark, asked of machines.
    Row(String),
    /// A check of the Pod Security Standards at a level.
    Standard(Level, String),
}

impl By {
    /// Judges documents.
    fn judge(&self, documents: &[Value]) -> Comes {
        match self {
            Self::Guideline(id) => by_guideline(id, documents),
            Self::Row(id) => by_row(id, documents),
            Self::Standard(level, check) => by_standard(*level, check, documents),
        }
    }
}

fn by_guideline(id: &str, documents: &[Value]) -> Comes {
    let guideline = find(id).unwrap_or_else(|| panic!("there is no control {id}"));
    let mut objects = Objects::new(World::Closed, Some("default"));
    for (document, value) in documents.iter().enumerate() {
        objects.add(Origin { file: 0, document }, value);
    }
    let mut comes = Comes::Pass;
    for number in 0..objects.iter().count() {
        for (_, judgement) in judge(&objects, number, &[guideline]).judgements {
            comes = comes.min(match judgement {
                Judgement::Fail(_) => Comes::Fail,
                Judgement::Unknown(_) => Comes::Unknown,
                Judgement::Pass(_) | Judgement::NotApplicable(_) => Comes::Pass,
            });
        }
    }
    comes
}

fn by_standard(level: Level, check: &str, documents: &[Value]) -> Comes {
    let policy = Policy { level, version: Version::Latest };
    let judged: Vec<_> = documents.iter().flat_map(pods).map(|pod| pod.judge(policy)).collect();
    let mut failures = judged.iter().flat_map(|it| &it.failures);
    match failures.any(|it| it.check == check) {
        true => Comes::Fail,
        false if judged.iter().all(|it| it.unreadable.is_empty()) => Comes::Pass,
        false => Comes::Unknown,
    }
}

fn by_row(id: &str, documents: &[Value]) -> Comes {
    let mut comes = Comes::Pass;
    let is_theirs = |document: &&Value| document["kind"] != "Conventions";
    let documents: Vec<Value> = documents.iter().filter(is_theirs).cloned().collect();
    for facts in machines::machines(&documents) {
        let machine = Machine::new(&facts, Some(Minor::V1_36));
        let judged = benchmark::judge(&Looked { machines: &[machine], ..Looked::default() });
        let judged = judged.into_iter().find(|judged| judged.row.id == id);
        let judged = judged.unwrap_or_else(|| panic!("there is no row {id}"));
        comes = comes.min(match Verdict::from(&judged.whole) {
            Verdict::Failed => Comes::Fail,
            Verdict::Unknown => Comes::Unknown,
            Verdict::Proved | Verdict::NotApplicable => Comes::Pass,
        });
    }
    comes
}
