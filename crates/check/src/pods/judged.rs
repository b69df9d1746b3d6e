//! What comes of judging a pod.

use serde::Serialize;

use crate::fault::{Fault, Unreadable};

/// What was found of a pod. A check that rests on something unreadable finds nothing, so what failed
/// has failed whatever stands there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Judged {
    /// The checks that failed: those of baseline, then those of restricted, each by their ids.
    pub failures: Vec<Failure>,
    /// What could not be read as Kubernetes would have to.
    pub unreadable: Vec<Unreadable>,
}

impl Judged {
    /// Says what it comes to: a failure stands, and without one nothing passes that was not read.
    pub fn verdict(&self) -> Verdict {
        match (self.failures.as_slice(), self.unreadable.as_slice()) {
            ([], []) => Verdict::Pass,
            ([], _) => Verdict::Unknown,
            _ => Verdict::Fail,
        }
    }
}

/// What judging comes to, in a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The policy allows the pod.
    Pass,
    /// It does not.
    Fail,
    /// The pod could not be read.
    Unknown,
}

/// A check that failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// Its id, which is Kubernetes' own.
    pub check: &'static str,
    /// What it asks for, as a sentence.
    pub asks: &'static str,
    /// Where it is not kept, at least once.
    pub faults: Vec<Fault>,
}
