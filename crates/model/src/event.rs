//! What a run tells while it goes on: one line of JSON each, or a line for people.

use serde::{Deserialize, Serialize};

use crate::judgement::Verdict;
use crate::name::NodeName;

/// Version of the events.
pub const EVENT_VERSION: u32 = 2;

/// What a run tells.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first line.
    Started {
        /// Version of the events.
        version: u32,
        /// The cluster; absent if its specification could not be read.
        cluster: Option<String>,
        /// What was asked for: `up`, `plan`, `reset`.
        command: String,
    },
    /// A decision against a control, that holds or has ended.
    Waiver {
        /// The control.
        control: String,
        /// What it is limited to.
        scope: String,
        /// Why it is right.
        reason: String,
        /// Who answers for it.
        owner: String,
        /// The last day on which it holds.
        expires: String,
        /// Whether it holds today.
        holds: bool,
    },
    /// A stage of the run begins.
    Stage {
        /// Its name.
        name: String,
        /// Seconds since the start.
        seconds: f64,
    },
    /// A finding of preflight.
    Preflight {
        /// The node, if it concerns one.
        node: Option<NodeName>,
        /// What was found and what to do.
        finding: String,
        /// Whether it stops the run.
        fatal: bool,
    },
    /// A step was taken, or would be (`plan`).
    Step {
        /// The node; absent for objects of the API.
        node: Option<NodeName>,
        /// What is changed.
        item: String,
        /// The control that wants it.
        by: String,
        /// What differs.
        because: String,
        /// Seconds since the start.
        seconds: f64,
        /// How long it took, in seconds.
        took: f64,
        /// Whether it counts as a change: to wait for something, or to ask for a certificate that is
        /// written in a step of its own, does not.
        change: bool,
        /// Why it was not done, if it was not.
        failed: Option<String>,
    },
    /// Something could not be looked at, so that nobody knows whether it would change (`plan`).
    Unseen {
        /// The node; absent for objects of the API and for what is no single machine's.
        node: Option<NodeName>,
        /// What was to be looked at; `machine` for all of it.
        item: String,
        /// The control that wants it.
        by: String,
        /// Why it could not be looked at.
        why: String,
        /// Seconds since the start.
        seconds: f64,
    },
    /// Pods that run and that network policies close, one way or both, with nothing that opens them, as they did not so
    /// far: told before they do (`up`), or of what would come (`plan`).
    Closes {
        /// All of them, by namespace and name.
        pods: Vec<ClosedPod>,
        /// Seconds since the start.
        seconds: f64,
    },
    /// What a reset leaves as it is.
    Remains {
        /// Each thing, and why where it is not plain.
        things: Vec<String>,
    },
    /// A proof was made.
    Proof {
        /// The control.
        control: String,
        /// What it came to.
        verdict: Verdict,
        /// What was tried and seen.
        detail: String,
        /// How often it was made in this run: not at all where what was shown before counts, twice where it
        /// could not be shown at first.
        attempts: u32,
        /// Seconds since the start.
        seconds: f64,
    },
    /// The last line.
    Finished {
        /// Seconds from start to end.
        seconds: f64,
        /// Changes made, or that would be made (`plan`), also where the run was stopped later.
        changes: u64,
        /// Controls proved.
        proved: u64,
        /// Proofs that failed.
        failed: u64,
        /// Proofs that could not be made.
        unknown: u64,
        /// Controls that there was nothing to show of.
        not_applicable: u64,
        /// What could not be looked at (`plan`).
        unseen: u64,
        /// Where the kubeconfig is, if one was issued.
        kubeconfig: Option<String>,
        /// What stopped the run, if something did.
        error: Option<String>,
    },
}

/// A pod that is closed, and by what.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClosedPod {
    /// Its namespace and name.
    pub pod: String,
    /// What closes the way to it; nothing where that is not closed, or was before.
    pub ingress: Vec<String>,
    /// What closes the way from it, as above.
    pub egress: Vec<String>,
}
