//! The recommendations of the CIS Kubernetes Benchmark 2.0.1: what each asks, of what, and what decides it.
//!
//! A recommendation is a row. It is judged of facts, on whatever cluster: one that ringfort made, or another.
//! Ids, levels and who assesses them are the benchmark's, as public encodings of it have them; all words are
//! our own. Rows that need what no machine and no API tells are unknown and say what would decide them.
//!
//! Never here: input or output, waivers, what ringfort makes.

mod access;
mod audit_policy;
mod judge;
mod rows;
mod say;
mod tally;

use std::fmt;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::{Gap, Judgement};
use serde::Serialize;

pub use judge::{Judged, OfMachine, judge};
pub use tally::{Asked, Tallied, Tally};

/// What the benchmark is called here.
pub const NAME: &str = "cis-2.0.1";

/// A recommendation.
#[derive(Debug)]
pub struct Row {
    /// Its number in the benchmark.
    pub id: &'static str,
    /// What holds when it is kept, in our own words.
    pub title: &'static str,
    /// Its level: 1 for everybody, 2 for who takes more trouble.
    pub level: u8,
    /// Who assesses it, by the benchmark.
    pub assessed: Assessed,
    /// How ringfort's own clusters come to it.
    pub kept: Kept,
    pub(crate) ask: Ask,
}

/// Who assesses a recommendation, by the benchmark.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assessed {
    /// A program.
    Automated,
    /// A person.
    Manual,
}

/// How ringfort's own clusters come to a recommendation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// A control of ringfort's makes it so.
    By(&'static str),
    /// A control makes something else in its place, for this reason.
    Otherwise(&'static str, &'static str),
    /// A control of ringfort's is about a part of it.
    Partly(&'static str, &'static str),
    /// No control is about it.
    Not(&'static str),
}

impl Kept {
    /// Names the control, if there is one.
    pub fn control(&self) -> Option<&'static str> {
        match self {
            Self::By(id) | Self::Otherwise(id, _) | Self::Partly(id, _) => Some(id),
            Self::Not(_) => None,
        }
    }
}

/// What a row rests on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// What runs on machines, and their files.
    Machines,
    /// Objects of the API.
    Objects,
    /// What `cluster.yaml` means to allow.
    Intent,
    /// Who asked for what, over time.
    AuditLog,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machines => "machines",
            Self::Objects => "API objects",
            Self::Intent => "declared intent",
            Self::AuditLog => "audit log",
        })
    }
}

/// What is asked, and of what.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// Of a machine.
    Machine(fn(&Machine<'_>) -> Judgement),
    /// Of each process of a component.
    Settings(Component, fn(&Settings) -> Judgement),
    /// Of each kubelet.
    Kubelet(fn(&Kubelet) -> Judgement),
    /// Of objects, by guidelines: all of them hold.
    Guidelines(&'static [&'static str]),
    /// Of objects: nobody decides it yet, and this would.
    Undecided(&'static str),
    /// Of what is declared: this would have to be.
    Intent(&'static str),
    /// Of the audit log: this would have to be seen.
    AuditLog(&'static str),
}

impl Row {
    /// Says what it rests on.
    pub fn needs(&self) -> Needs {
        match self.ask {
            Ask::Machine(_) | Ask::Settings(..) | Ask::Kubelet(_) => Needs::Machines,
            Ask::Guidelines(_) | Ask::Undecided(_) => Needs::Objects,
            Ask::Intent(_) => Needs::Intent,
            Ask::AuditLog(_) => Needs::AuditLog,
        }
    }

    /// Names the guidelines that decide it, for those of objects.
    pub fn guidelines(&self) -> &'static [&'static str] {
        match self.ask {
            Ask::Guidelines(ids) => ids,
            _ => &[],
        }
    }

    /// Judges a machine; none where no machine decides it.
    pub fn of(&self, machine: &Machine<'_>) -> Option<Judgement> {
        Some(match self.ask {
            Ask::Machine(ask) => ask(machine),
            Ask::Settings(component, ask) => {
                say::each(machine, component, || machine.running(component), ask)
            }
            Ask::Kubelet(ask) => say::each(machine, Component::Kubelet, || machine.kubelets(), ask),
            _ => return None,
        })
    }

    /// Says what is missing to decide it, where neither machines nor guidelines do.
    pub fn undecided(&self) -> Option<Gap> {
        let (said, closes) = match self.ask {
            Ask::Undecided(closes) => ("no judge of objects decides it yet", closes),
            Ask::Intent(closes) => ("what is meant to be allowed is declared nowhere", closes),
            Ask::AuditLog(closes) => ("the audit log was not read", closes),
            _ => return None,
        };
        Some(Gap { said: said.to_owned(), closes: closes.to_owned() })
    }
}

/// Gives every row, in the order of the benchmark.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    rows::SECTIONS.iter().flat_map(|section| section.rows.iter())
}

/// Names the section of a row, in our own words.
pub fn section(id: &str) -> &'static str {
    let is_its = |section: &&rows::Section| {
        id.strip_prefix(section.id).is_some_and(|rest| rest.starts_with('.'))
    };
    rows::SECTIONS.iter().find(is_its).map_or("", |section| section.title)
}

#[cfg(test)]
mod tests;
