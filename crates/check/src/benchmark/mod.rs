//! The recommendations of the CIS Kubernetes Benchmark 2.0.1: what each asks, of what, and what decides it.
//!
//! A recommendation is a row. It is judged of facts, on whatever cluster: one that ringfort made, or another.
//! Ids, levels and who assesses them are the benchmark's, as public encodings of it have them; all words are
//! our own. Rows that need what no machine and no API tells are unknown and say what would decide them.
//! What ringfort's controls ask of facts besides stands beyond the benchmark, in rows that are called by them.
//!
//! Never here: input or output, waivers, what ringfort makes.

mod access;
mod audit_policy;
mod census;
mod guard;
mod intent;
mod judge;
mod members;
mod network;
mod own;
mod rights;
mod rows;
mod say;
mod tally;
mod usage;
mod waive;
mod whole;

use std::fmt;

use ringfort_facts::component::Component;
use ringfort_facts::component::kubelet::Kubelet;
use ringfort_facts::component::settings::Settings;
use ringfort_facts::machine::Machine;
use ringfort_model::judgement::Judgement;
use serde::Serialize;

use crate::admission::Heard;
use crate::guideline::Judge;
use crate::guidelines::find;
use crate::kinds::KINDS;
use guard::Guard;
use usage::Callers;

pub use intent::Intent;
pub use judge::{Judged, OfMachine, judge, judge_beyond, trials};
pub use members::Members;
pub use own::is_of_control_plane;
pub use rights::{Holder, Subject};
pub use tally::{Tallied, Tally};
pub use waive::{Waived, id, waive};

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
    /// Of API servers, or of the policies in the API: a guard is loaded.
    Guard(Guard),
    /// Of objects, by guidelines: all of them hold.
    Guidelines(&'static [&'static str]),
    /// Of bindings and of what is declared: nobody holds the right that these look for but who is meant to.
    Rights(&'static [&'static str]),
    /// Of audit logs: no caller is one of these. The same is asked of manifests by these guidelines.
    Callers(Callers, &'static [&'static str]),
    /// Of all of it together: what it rests on, what asks the same of manifests, of which objects, and how it is
    /// judged.
    Whole(Needs, &'static [&'static str], Of, fn(&Looked<'_>) -> Judgement),
}

/// Which objects a row is about that asks several things together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// None.
    Nothing,
    /// Those of these kinds.
    Kinds(&'static [&'static str]),
    /// Namespaces, and all that makes pods.
    Workloads,
}

impl Of {
    fn all(self) -> Vec<&'static str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Kinds(kinds) => kinds.to_vec(),
            Self::Workloads => making_pods().chain(["Namespace"]).collect(),
        }
    }
}

/// The kinds that give rights.
const RIGHTS: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// Names the kinds of pods and of what makes them.
fn making_pods() -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(|kind| kind.template.is_some()).map(|kind| kind.name)
}

/// Names the kinds that a guideline is asked of. What it looks up besides is its own to miss.
fn kinds_of(id: &str) -> Vec<&'static str> {
    if matches!(id, rows::ENFORCED | rows::RESTRICTED) {
        return vec!["Namespace"];
    }
    match find(id).map(|guideline| &guideline.judge) {
        Some(Judge::Standard(_) | Judge::Pod(_) | Judge::Container(_)) => making_pods().collect(),
        Some(Judge::Volumes(..)) => making_pods().chain(["PersistentVolume"]).collect(),
        Some(Judge::Grants(_)) => vec!["ClusterRole", "Role"],
        Some(Judge::Object(kinds, _)) => kinds.to_vec(),
        Some(Judge::Waiver) | None => Vec::new(),
    }
}

/// What ringfort leaves running on machines of its own clusters, as `ringfort node …`.
const LASTING: [&str; 3] = ["balance", "policy", "routes"];

/// What was seen of a cluster, and what is declared of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looked<'a> {
    /// Facts of its machines.
    pub machines: &'a [Machine<'a>],
    /// Its objects, where they were listed.
    pub objects: Option<&'a Tally>,
    /// What its `cluster.yaml` and ringfort's profile declare, where ringfort made it.
    pub intent: Option<&'a Intent>,
    /// What its API server said of pods that are expected to be let in, where it was asked.
    pub heard: Option<&'a Heard>,
}

impl Looked<'_> {
    /// Whether ringfort made the cluster: what it leaves running runs on every machine that was looked at. The program
    /// alone is everywhere where somebody gathers facts with it.
    pub(crate) fn is_of_ringfort(&self) -> bool {
        !self.machines.is_empty() && self.machines.iter().all(runs_ringfort)
    }

    /// Whether ringfort made the cluster or a machine of it, so that what its controls ask is asked of all of them: it
    /// is declared, the API says it, or what ringfort puts on a machine is there. Who stops all of its parts, or hides
    /// them, makes it nobody else's cluster.
    fn has_ringfort(&self) -> bool {
        self.intent.is_some()
            || self.objects.is_some_and(|tally| tally.census.is_of_ringfort)
            || self.machines.iter().any(|it| runs_ringfort(it) || network::is_configured(it))
    }
}

/// Whether something that ringfort leaves running runs on a machine.
fn runs_ringfort(machine: &Machine<'_>) -> bool {
    LASTING.into_iter().any(|part| machine.runs_part(["node", part]).is_ok_and(|runs| runs))
}

impl Row {
    /// Says what it rests on.
    pub fn needs(&self) -> Needs {
        match self.ask {
            Ask::Machine(_) | Ask::Settings(..) | Ask::Kubelet(_) | Ask::Guard(_) => {
                Needs::Machines
            }
            Ask::Guidelines(_) => Needs::Objects,
            Ask::Rights(_) => Needs::Intent,
            Ask::Callers(..) => Needs::AuditLog,
            Ask::Whole(needs, ..) => needs,
        }
    }

    /// Names the guidelines that ask the same of objects.
    pub fn guidelines(&self) -> &'static [&'static str] {
        match self.ask {
            Ask::Guidelines(ids)
            | Ask::Rights(ids)
            | Ask::Callers(_, ids)
            | Ask::Whole(_, ids, ..) => ids,
            Ask::Machine(_) | Ask::Settings(..) | Ask::Kubelet(_) | Ask::Guard(_) => &[],
        }
    }

    /// Names the guidelines that ask it of manifests. That of a namespace's level is asked by one row, and
    /// rests in the others on what pods are.
    pub fn of_manifests(&self) -> impl Iterator<Item = &'static str> {
        let ids = self.guidelines();
        let is_one =
            move |id: &&str| *id != rows::RESTRICTED && (*id != rows::ENFORCED || ids.len() == 1);
        ids.iter().copied().filter(is_one)
    }

    /// Names the kinds of objects that it rests on: of one that could not be listed nothing passes.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        match self.ask {
            Ask::Machine(_)
            | Ask::Settings(..)
            | Ask::Kubelet(_)
            | Ask::Guard(_)
            | Ask::Callers(..) => Vec::new(),
            Ask::Rights(_) => RIGHTS.to_vec(),
            Ask::Guidelines(ids) => ids.iter().flat_map(|id| kinds_of(id)).collect(),
            Ask::Whole(_, _, kinds, _) => kinds.all(),
        }
    }

    /// Names the guidelines that look for the right which it is about, if it is about one.
    pub(crate) fn rights(&self) -> Option<&'static [&'static str]> {
        match self.ask {
            Ask::Rights(ids) => Some(ids),
            _ => None,
        }
    }

    /// Judges a machine; none where no machine decides it by itself.
    pub fn of(&self, machine: &Machine<'_>) -> Option<Judgement> {
        Some(match self.ask {
            Ask::Machine(ask) => ask(machine),
            Ask::Settings(component, ask) => {
                say::each(machine, component, || machine.running(component), ask)
            }
            Ask::Kubelet(ask) => say::each(machine, Component::Kubelet, || machine.kubelets(), ask),
            Ask::Guard(guard) => return guard.of(machine),
            _ => return None,
        })
    }
}

/// Gives every row, in the order of the benchmark.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    rows::SECTIONS.iter().flat_map(|section| section.rows.iter())
}

/// Gives what ringfort's controls ask beyond the benchmark: rows that are called by their controls.
pub fn beyond() -> impl Iterator<Item = &'static Row> {
    rows::beyond::ROWS.iter()
}

/// How facts decide a control of ringfort's.
#[derive(Debug)]
pub enum ByFacts {
    /// By these rows, of the benchmark and beyond it: at least one.
    Rows(Vec<&'static Row>),
    /// Not at all, for this reason.
    Nothing(&'static str),
}

/// Says how facts decide a control; none where nothing is said of it, or two things are.
pub fn by_facts(control: &str) -> Option<ByFacts> {
    let names = |row: &&'static Row| row.kept.control() == Some(control);
    let own: Vec<&'static Row> = rows().chain(beyond()).filter(names).collect();
    let why = rows::beyond::BY_BEHAVIOUR.iter().find(|(id, _)| *id == control);
    match (own.is_empty(), why) {
        (false, None) => Some(ByFacts::Rows(own)),
        (true, Some((_, why))) => Some(ByFacts::Nothing(why)),
        (false, Some(_)) | (true, None) => None,
    }
}

/// What the section of rows beyond the benchmark is called.
const BEYOND: &str = "what ringfort's controls ask besides";

/// Whether a row is one beyond the benchmark, by its id.
pub fn is_beyond(id: &str) -> bool {
    id.contains('/')
}

/// Names the section of a row, in our own words.
pub fn section(id: &str) -> &'static str {
    if is_beyond(id) {
        return BEYOND;
    }
    let is_its = |section: &&rows::Section| {
        id.strip_prefix(section.id).is_some_and(|rest| rest.starts_with('.'))
    };
    rows::SECTIONS.iter().find(is_its).map_or("", |section| section.title)
}

#[cfg(test)]
mod tests;
