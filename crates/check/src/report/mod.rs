//! What judging came to: one model for all formats, of manifests, of live clusters and of nodes. As JSON it
//! is a contract: what is taken away or means something else raises the version.

mod baseline;
mod collect;
mod fingerprint;
mod html;
mod junit;
mod left_out;
mod markdown;
mod oscal;
mod place;
mod rows;
mod sarif;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::severity::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::guideline::Guideline;
use crate::profile::{BENCHMARKS, Profile};
use crate::waivers::Waiver;
use crate::world::World;

pub use baseline::{Baseline, Compared, Gone, NotABaseline};
pub use collect::{Asked, Detail, Locate, Located, Named, Part};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use html::html;
pub use junit::junit;
pub use left_out::{LeftOut, Why};
pub use markdown::markdown;
pub use oscal::Oscal;
pub use place::{InFile, InObject, OnNode, Place, Span, Whose};
pub use rows::{Rows, Said};
pub use sarif::Sarif;

pub(crate) use place::field;

const VERSION: u32 = 1;

/// Everything that is said.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this shape: it rises when something is taken away or means something else.
    version: u32,
    /// Whether what was not given may be there nevertheless.
    pub world: Completeness,
    /// Which controls were asked: `all`, or the benchmark that names them.
    pub profile: String,
    /// How many objects were judged.
    pub objects: usize,
    /// What was left out of a cluster, by why: what Kubernetes makes by itself, and what is being deleted.
    pub left_out: Vec<LeftOut>,
    /// A row for each control that was asked, by id.
    pub controls: Vec<Row>,
    /// Places that are not as they should be, object by object in the order of the files.
    pub findings: Vec<Finding>,
    /// What could not be decided, and what would decide it.
    pub unknown: Vec<Unknown>,
    /// Findings that somebody answers for.
    pub waived: Vec<Waived>,
    /// What was not known, or not there, in a run before; null where none was given.
    pub baseline: Option<Compared>,
    /// What passed, with what it rests on; null where it was not asked for.
    pub passed: Option<Vec<Passed>>,
    /// What nothing is asked of, and why; null where it was not asked for.
    pub not_applicable: Option<Vec<NotApplicable>>,
    /// What could not be read, each with the reason.
    pub unread: Vec<String>,
}

/// Whether what was not given is not there.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completeness {
    /// What was not given is not there.
    Closed,
    /// Nobody knows.
    Open,
}

/// What a control came to.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The control's id.
    pub control: &'static str,
    /// What holds when it is kept.
    pub title: &'static str,
    /// How much is at stake.
    #[schemars(schema_with = "severity")]
    pub severity: Severity,
    /// What it comes to over all objects: the worst counts.
    pub verdict: Verdict,
    /// How many objects came to what.
    #[serde(flatten)]
    pub counts: Counts,
    /// Where others ask for it.
    pub answers: Vec<Answers>,
    /// What a person reads of it.
    #[serde(skip)]
    pub about: About,
}

/// How many objects came to what.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// It is kept.
    pub passed: usize,
    /// It is not kept.
    pub failed: usize,
    /// Nobody can say.
    pub unknown: usize,
    /// It asks nothing of them.
    pub not_applicable: usize,
    /// It is not kept, and somebody answers for all of it.
    pub waived: usize,
}

/// What may be said of a control.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is not kept somewhere.
    Fail,
    /// It could not be decided somewhere, and is kept wherever it could.
    Unknown,
    /// It is not kept, and somebody answers for all of it.
    Waived,
    /// It is kept, and that rests on something seen.
    Pass,
    /// There is nothing that it asks anything of.
    NotApplicable,
}

/// A recommendation of others that a control answers.
#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Answers {
    /// The benchmark.
    pub benchmark: &'static str,
    /// The recommendation in it.
    pub id: &'static str,
}

/// What a person reads of a control.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Why it matters, in one sentence without a full stop.
    pub why: String,
    /// Its page, in Markdown.
    pub doc: &'static str,
    /// Where others ask for it, as they are written.
    pub references: Vec<String>,
}

/// A place that is not as it should be.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The control.
    pub control: &'static str,
    /// How much is at stake.
    #[schemars(schema_with = "severity")]
    pub severity: Severity,
    /// What should hold.
    pub title: &'static str,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What stands there, as JSON, covered where it is a secret; null where nothing does.
    pub found: Option<Box<str>>,
    /// What to change.
    pub fix: Cow<'static, str>,
    /// Names it from run to run.
    pub fingerprint: Fingerprint,
    /// Whether a run before had it; null where none was given.
    pub since: Option<Since>,
}

/// Whether a run before had something.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// It had not.
    New,
    /// It had.
    Before,
}

/// Something that could not be decided.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unknown {
    /// The control; null where it is the object that cannot be read, for every control.
    pub control: Option<&'static str>,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What could not be looked at, and why.
    pub said: String,
    /// What would close the gap: the fact, and the permission or the path that supplies it.
    pub closes: String,
    /// Names it from run to run.
    pub fingerprint: Fingerprint,
    /// Whether a run before had it; null where none was given.
    pub since: Option<Since>,
}

/// A finding that somebody answers for.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Waived {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Who answers for it, why, and until when.
    pub waiver: Answer,
}

/// Who answers for a finding, why, and until when.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Answer {
    /// Who.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, as YYYY-MM-DD.
    pub expires: String,
}

/// An object that a control is kept by.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Passed {
    /// The control.
    pub control: &'static str,
    /// The object.
    pub object: Whose,
    /// Where that was seen.
    pub rests: Vec<Place>,
}

/// An object that a control asks nothing of.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct NotApplicable {
    /// The control.
    pub control: &'static str,
    /// The object.
    pub object: Whose,
    /// Why.
    pub reason: &'static str,
}

/// What makes a run fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailOn {
    /// Any finding.
    Any,
    /// A finding that the run before had not.
    New,
}

impl Report {
    /// Begins with what was asked, and of what.
    pub fn new(world: World, profile: Profile, controls: &[&'static Guideline]) -> Self {
        Self {
            version: VERSION,
            world: match world {
                World::Closed => Completeness::Closed,
                World::Open => Completeness::Open,
            },
            profile: profile.to_string(),
            objects: 0,
            left_out: Vec::new(),
            controls: controls.iter().map(|guideline| Row::of(guideline)).collect(),
            findings: Vec::new(),
            unknown: Vec::new(),
            waived: Vec::new(),
            baseline: None,
            passed: None,
            not_applicable: None,
            unread: Vec::new(),
        }
    }

    /// Gives the row of a control.
    pub fn row(&self, control: &str) -> Option<&Row> {
        let found = self.controls.binary_search_by_key(&control, |row| row.control);
        found.ok().map(|at| &self.controls[at])
    }

    /// Sums a count over all controls.
    pub fn sum(&self, of: impl Fn(&Counts) -> usize) -> usize {
        self.controls.iter().map(|row| of(&row.counts)).sum()
    }

    /// Gives the namespaces that findings and what is unknown lie in.
    pub fn namespaces(&self) -> BTreeSet<&str> {
        let places = self.findings.iter().map(|it| &it.place);
        let places = places.chain(self.unknown.iter().map(|it| &it.place));
        places
            .chain(self.waived.iter().map(|it| &it.finding.place))
            .filter_map(Place::namespace)
            .collect()
    }

    /// Says it in a line, for people.
    pub fn in_a_line(&self) -> String {
        let world = match self.world {
            Completeness::Closed => "closed",
            Completeness::Open => "open",
        };
        let waived = match self.sum(|it| it.waived) {
            0 => String::new(),
            waived => format!(", waived {waived}"),
        };
        let compared = self.baseline.as_ref().map(|it| format!("; {}", it.in_a_line()));
        format!(
            "{world} world: objects {}{}, controls {}; passed {}, failed {}, unknown {}, not applicable \
             {}{waived}{}",
            self.objects,
            self.more(),
            self.controls.len(),
            self.sum(|it| it.passed),
            self.sum(|it| it.failed),
            self.sum(|it| it.unknown),
            self.sum(|it| it.not_applicable),
            compared.unwrap_or_default(),
        )
    }

    /// Says of everything that is found, or not known, in objects which are called as Kubernetes' own how they differ
    /// from those, by the files that stand for them.
    pub fn tell_changed(&mut self, changed: &BTreeMap<&str, &str>) {
        for it in &mut self.unknown {
            if let Some(how) = it.place.file().and_then(|file| changed.get(file)) {
                it.said = format!("{}; {how}", it.said);
            }
        }
        let waived = self.waived.iter_mut().map(|it| &mut it.finding);
        for it in self.findings.iter_mut().chain(waived) {
            if let Some(how) = it.place.file().and_then(|file| changed.get(file)) {
                it.fix = format!("{}; {how}", it.fix).into();
            }
        }
    }

    /// Gives the exit code: 1 with findings that count, else 3 with anything unknown that counts.
    pub fn code(&self, fail_on: FailOn) -> u8 {
        let counts = |since: Option<Since>| match fail_on {
            FailOn::Any => true,
            FailOn::New => since != Some(Since::Before),
        };
        let is_unknown = self.unknown.iter().any(|it| counts(it.since));
        match self.findings.iter().any(|it| counts(it.since)) {
            true => 1,
            false if is_unknown || !self.unread.is_empty() => 3,
            false => 0,
        }
    }
}

impl Row {
    /// Begins the row of a guideline.
    pub fn of(guideline: &Guideline) -> Self {
        let Guideline { id, title, severity, refs, doc, .. } = *guideline;
        let answers = BENCHMARKS.iter().flat_map(|benchmark| {
            benchmark.of(id).map(|row| Answers { benchmark: benchmark.id, id: row })
        });
        Self {
            control: id,
            title,
            severity,
            verdict: Verdict::NotApplicable,
            counts: Counts::default(),
            answers: answers.collect(),
            about: About {
                why: guideline.why(),
                doc,
                references: refs.iter().map(ToString::to_string).collect(),
            },
        }
    }

    pub(crate) fn settle(&mut self) {
        self.verdict = self.counts.verdict();
    }
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.not_applicable += other.not_applicable;
        self.waived += other.waived;
    }

    /// What they come to: a failure stands whatever else is unknown, and what is unknown is no pass.
    fn verdict(&self) -> Verdict {
        let by_rank = [
            (self.failed, Verdict::Fail),
            (self.unknown, Verdict::Unknown),
            (self.waived, Verdict::Waived),
            (self.passed, Verdict::Pass),
        ];
        let worst = by_rank.into_iter().find(|(count, _)| *count > 0);
        worst.map_or(Verdict::NotApplicable, |(_, verdict)| verdict)
    }
}

impl Verdict {
    /// Gives the word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "failed",
            Self::Unknown => "unknown",
            Self::Waived => "waived",
            Self::Pass => "passed",
            Self::NotApplicable => "not applicable",
        }
    }
}

impl Answer {
    fn said(&self) -> String {
        format!("waived by {} until {}: {}", self.owner, self.expires, self.reason)
    }
}

impl From<&Waiver> for Answer {
    fn from(waiver: &Waiver) -> Self {
        let Waiver { owner, reason, expires, .. } = waiver;
        Self { owner: owner.clone(), reason: reason.clone(), expires: expires.to_string() }
    }
}

/// Gives the JSON Schema of a report.
pub fn schema() -> Schema {
    schemars::schema_for!(Report)
}

fn severity(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<String> = Severity::ALL.iter().map(ToString::to_string).collect();
    json_schema!({ "enum": words })
}

/// The version of the program that says it.
pub(crate) const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A title as a part of a sentence.
pub fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
