//! What a detection is: plain data, with what it needs to be written down, and how it judges.

use ringfort_model::severity::Severity;

use crate::event::{Level, Stage};
use crate::feeds::Feed;
use crate::own::Own;
use crate::scene::Scene;

/// Something suspicious or unauthorised that is looked for.
#[derive(Debug)]
pub struct Detection {
    /// Names it, such as `detect/privileged-container`.
    pub id: &'static str,
    /// Says in one sentence what has happened when it is found.
    pub title: &'static str,
    /// How grave it is,
    pub severity: Severity,
    /// and why.
    pub because: &'static str,
    /// The techniques of MITRE ATT&CK that it is a sign of, in version [`ATTACK`].
    pub attack: &'static [&'static str],
    /// What it needs to be written down. It is asked about nothing else.
    pub needs: &'static [Need],
    /// Why, evidence, false positives, response and examples, in Markdown.
    pub doc: &'static str,
    pub(crate) judge: Judge,
}

/// A detection that has to be told something beside events, and is not asked before.
#[derive(Debug)]
pub struct Fed {
    /// What it has to be told.
    pub feed: Feed,
    /// The detection.
    pub detection: Detection,
}

/// The version of MITRE ATT&CK whose numbers are given.
pub const ATTACK: &str = "v18";

/// Requests that a detection needs to see.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// By whom.
    pub who: Who,
    /// What is done; empty means anything.
    pub verbs: &'static [&'static str],
    /// To what.
    pub of: Of,
    /// How much of it has to be written down.
    pub level: Level,
    /// The stages that it judges.
    pub stages: &'static [Stage],
}

/// By whom a request is made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Who {
    /// By anyone.
    Anyone,
    /// By anyone but the cluster's own components, see [`crate::caller::is_component`].
    Others,
    /// By those who gave no name.
    Anonymous,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// Objects of these groups and resources, `pods/exec` for a part of one.
    Resources(&'static [(&'static str, &'static str)]),
    /// Objects of any kind.
    AnyResource,
    /// Paths that are no objects; a star at the end stands for anything.
    Paths(&'static [&'static str]),
    /// Anything but the paths of health.
    Anything,
}

/// The stages of an answer: every request reaches one of them.
pub const ANSWERED: &[Stage] = &[Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];

/// How a detection judges.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Judge {
    /// Every event by itself: says what was found.
    Each(fn(&Scene<'_>) -> Option<String>),
    /// Many within a while.
    Burst(Burst),
    /// Something that somebody who is known has not done before.
    First(First),
    /// One thing, and soon after it another.
    Then(Then),
    /// A name that stands for two things.
    Reuse(Reuse),
    /// Roles and bindings together: says for whom they open a way to every right.
    Paths,
    /// By an expression of somebody's own.
    Own(&'static Own),
}

/// Many within a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    /// Whose they are counted as, and which of different ones this is: what was counted is not counted again.
    pub(crate) counts: fn(&Scene<'_>) -> Option<(u64, u64)>,
    /// How many are too many.
    pub(crate) many: usize,
    /// Within how many seconds.
    pub(crate) seconds: i64,
    /// What there are many of.
    pub(crate) what: &'static str,
}

/// Something that somebody who is known has not done before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct First {
    /// Who, and what of different things.
    pub(crate) of: fn(&Scene<'_>) -> Option<(u64, u64)>,
    /// What is said of something new.
    pub(crate) said: &'static str,
    /// For how many seconds somebody has to be known before anything counts as new.
    pub(crate) known_seconds: i64,
}

/// One thing, and soon after it another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Then {
    /// Whose the first is.
    pub(crate) first: fn(&Scene<'_>) -> Option<u64>,
    /// Whose the second is.
    pub(crate) second: fn(&Scene<'_>) -> Option<u64>,
    /// What is said of it.
    pub(crate) said: &'static str,
    /// Within how many seconds.
    pub(crate) seconds: i64,
}

/// A name that stands for two things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reuse {
    /// The name, and what it stands for.
    pub(crate) of: fn(&Scene<'_>) -> Option<(u64, u64)>,
    /// What that means.
    pub(crate) what: &'static str,
}

impl Judge {
    /// Whether what failed, or stores nothing, says something to it as well.
    pub(crate) fn hears_failures(&self) -> bool {
        !matches!(self, Self::Each(_) | Self::Paths)
    }

    /// Whether it goes by when events were written, so that one that comes behind newer ones takes nothing back.
    pub(crate) fn goes_by_time(&self) -> bool {
        matches!(self, Self::Burst(_) | Self::First(_) | Self::Then(_))
    }
}

impl Detection {
    /// Whether it reads bodies.
    pub fn reads_bodies(&self) -> bool {
        self.needs.iter().any(|need| need.level >= Level::Request)
    }

    /// Whether it remembers events, so that it finds more where it is shown what other servers logged as well.
    pub fn remembers(&self) -> bool {
        !matches!(self.judge, Judge::Each(_) | Judge::Own(_))
    }

    /// Gives a section of its page.
    pub fn section(&self, name: &str) -> &'static str {
        let begin = format!("## {name}\n");
        let section = self.doc.split(begin.as_str()).nth(1).unwrap_or_default();
        section.split("\n## ").next().unwrap_or_default().trim()
    }
}
