//! What a run before said, and what is new, gone and still there since.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Report, Since, Whose};

/// What a run before said.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<Gone>,
    unknown: Vec<Left>,
}

/// Something of a run before that is known by its fingerprint alone.
#[derive(Debug, Deserialize)]
struct Left {
    fingerprint: Fingerprint,
}

/// Says why a text is no report of a run before.
#[derive(Debug, thiserror::Error)]
pub enum NotABaseline {
    /// It has another shape.
    #[error("it is not what `--format json` writes: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of a later or an earlier version.
    #[error("it is of version {0}, and this program reads {VERSION}", VERSION = super::VERSION)]
    Version(u32),
}

/// A finding of a run before that is not there any more.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Gone {
    /// The control.
    pub control: String,
    /// What should hold.
    pub title: String,
    /// The file, if it was in one.
    #[serde(default)]
    pub file: Option<String>,
    /// The machine, if it was on one.
    #[serde(default)]
    pub node: Option<String>,
    /// The object, if it was in one.
    #[serde(default)]
    pub object: Option<Was>,
    /// The field, the flag or the key.
    pub field: String,
    /// Names it from run to run.
    pub fingerprint: Fingerprint,
}

/// The object that a finding was in.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Was {
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// What changed since a run before.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Compared {
    /// How many findings it had not.
    pub new: usize,
    /// How many findings it had.
    pub still: usize,
    /// The findings that it had and that are not there any more, nor waived.
    pub gone: Vec<Gone>,
}

impl Baseline {
    /// Reads what `--format json` wrote.
    ///
    /// # Errors
    /// It has another shape, or is of another version.
    pub fn read(text: &str) -> Result<Self, NotABaseline> {
        let baseline: Self = serde_json::from_str(text)?;
        match baseline.version {
            super::VERSION => Ok(baseline),
            other => Err(NotABaseline::Version(other)),
        }
    }
}

impl Report {
    /// Says of everything whether a run before had it. What is not known now is not gone, nor what was in an object of
    /// a kind that was not listed.
    pub fn compare(&mut self, baseline: &Baseline, unlisted: &[&str]) {
        let had: BTreeSet<Fingerprint> =
            baseline.findings.iter().map(|it| it.fingerprint).collect();
        let unsure: BTreeSet<Fingerprint> =
            baseline.unknown.iter().map(|it| it.fingerprint).collect();
        let since = |known: bool| Some(if known { Since::Before } else { Since::New });
        for finding in &mut self.findings {
            finding.since = since(had.contains(&finding.fingerprint));
        }
        for waived in &mut self.waived {
            waived.finding.since = since(had.contains(&waived.finding.fingerprint));
        }
        for unknown in &mut self.unknown {
            unknown.since = since(unsure.contains(&unknown.fingerprint));
        }
        let waived = self.waived.iter().map(|it| &it.finding);
        let unknown = self.unknown.iter().map(|it| it.fingerprint);
        let now: BTreeSet<Fingerprint> =
            self.findings.iter().chain(waived).map(|it| it.fingerprint).chain(unknown).collect();
        let is_unseen =
            |it: &Gone| it.object.as_ref().is_some_and(|was| unlisted.contains(&was.kind.as_str()));
        let new = self.findings.iter().filter(|it| it.since == Some(Since::New)).count();
        let gone = baseline.findings.iter();
        let gone = gone.filter(|it| !now.contains(&it.fingerprint) && !is_unseen(it));
        let gone = gone.cloned().collect();
        self.baseline = Some(Compared { new, still: self.findings.len() - new, gone });
    }
}

impl Compared {
    pub(crate) fn in_a_line(&self) -> String {
        format!("new {}, still there {}, gone {}", self.new, self.still, self.gone.len())
    }
}

impl Gone {
    /// Says where it was.
    pub fn said(&self) -> String {
        let object = self.object.as_ref().map(|it| {
            let Was { kind, namespace, name } = it.clone();
            Whose { kind, namespace, name }.said()
        });
        let place = [self.node.as_deref(), self.file.as_deref(), object.as_deref()];
        let place: Vec<&str> = place.into_iter().flatten().filter(|it| !it.is_empty()).collect();
        place.join(", ")
    }
}
