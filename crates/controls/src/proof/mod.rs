//! How a control is shown by behaviour.
//!
//! A proof is a pure function of what was done and seen so far. It says what to do next, or its
//! judgement; a driver does it. So the same function judges a recorded transcript again, and can be
//! tried on clusters that were never there.

pub(crate) mod accounts;
pub(crate) mod certificates;
mod course;
pub(crate) mod each;
pub(crate) mod errand;
pub(crate) mod fence;
pub(crate) mod inside;
pub(crate) mod pod;
pub(crate) mod port;
mod scene;
#[cfg(test)]
mod tests;
pub(crate) mod tries;
pub(crate) mod written;

use ringfort_model::act::{Next, Seen, Transcript};
use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};

use crate::sabotage::Sabotage;

pub(crate) use course::{Course, course};
pub use pod::opening;
pub(crate) use scene::CONTROL_PLANE_PROGRAMS;
pub use scene::{AuthorityMark, PodTraffic, Scene, Signed};

/// How one control is shown.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// When it is made, and what it disturbs.
    pub phase: Phase,
    /// What it says next, from what was seen so far.
    pub next: fn(&Scene, &Transcript) -> Next,
    /// The ways in which the control is broken on purpose, to see the proof fail.
    pub sabotage: &'static [Sabotage],
}

/// When a proof is made. Those of one phase do not hear of each other, so they are made side by side
/// unless they disturb.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// First: without it the others would only say the same in other words.
    Ground,
    /// It disturbs nobody.
    Gentle,
    /// Last, one by one: it stops something on its way.
    Disruptive,
    /// The same, and only when it is asked for: a hand-over does not wait for it.
    Asked,
}

impl Phase {
    /// Says whether proofs of it stop something.
    pub fn stops(self) -> bool {
        matches!(self, Self::Disruptive | Self::Asked)
    }
}

/// Passes on the strength of everything that was seen.
pub(crate) fn pass(said: String, transcript: &Transcript) -> Next {
    let places = (0..transcript.len()).collect();
    match Evidence::from_seen(said, places) {
        Some(evidence) => done(Ok(Decided::Pass(evidence))),
        None => gap("nothing was seen", "run ringfort up again"),
    }
}

pub(crate) fn fail(said: impl Into<String>, fix: impl Into<String>) -> Next {
    done(Ok(Decided::Fail(Finding { said: said.into(), fix: fix.into() })))
}

pub(crate) fn gap(said: impl Into<String>, closes: impl Into<String>) -> Next {
    done(Err(Gap { said: said.into(), closes: closes.into() }))
}

pub(crate) fn done(judgement: Judgement) -> Next {
    Next::Done(judgement)
}

/// What could not be seen. It is told in the end only, since a failure that was seen weighs more.
#[derive(Default)]
pub(crate) struct Gaps(Vec<String>);

impl Gaps {
    pub(crate) fn add(&mut self, said: String) {
        self.0.push(said);
    }

    /// Ends the proof as unknown if there is a gap.
    pub(crate) fn close(self) -> Result<(), Next> {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => Err(gap(format!("not shown: {only}"), AGAIN)),
            [first, rest @ ..] => {
                Err(gap(format!("not shown: {first}, and {} more", rest.len()), AGAIN))
            }
        }
    }
}

/// What closes most gaps: what was silent may answer, and what is missing is mended.
pub(crate) const AGAIN: &str = "ringfort up";

/// Says in words what was seen, for gaps.
pub(crate) fn words(seen: &Seen) -> String {
    match seen {
        Seen::Refused { status, message } => format!("the server answered {status}: {message}"),
        Seen::Failed { why } => why.clone(),
        Seen::Absent => "there is no such thing".to_owned(),
        other => {
            let text = format!("{other:?}");
            text.chars().take(80).collect()
        }
    }
}
