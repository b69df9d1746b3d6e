//! What the operator's half is told and what it asks for.

use std::collections::BTreeMap;

use ringfort_model::api_object::ObjectKey;
use ringfort_model::certificate::CertRequest;
use ringfort_model::etcd::{Founding, Member};
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::seen::{Look, Seen};
use ringfort_model::step::{Difference, Outcome, Step};

use crate::refusal::Refusal;

/// A moment on a clock that only goes forward, in milliseconds.
pub type Tick = u64;

/// What the operator's half is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Begins. Told once, before anything else.
    Start,
    /// Answers [`Effect::Observe`].
    Observed {
        /// Which machine.
        node: NodeName,
        /// What was found there. Where single items were asked for, only these need be in it.
        seen: Seen,
    },
    /// A machine cannot be spoken with, whatever it was asked. What it was about to do is open.
    Unreachable {
        /// Which machine.
        node: NodeName,
        /// Why, in the words of whoever tried.
        why: String,
    },
    /// Answers [`Effect::Apply`].
    Applied {
        /// Which machine.
        node: NodeName,
        /// The number of the step.
        seq: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Answers [`Effect::Sign`].
    Signed {
        /// The machine that wants the certificate.
        node: NodeName,
        /// The number of the step that asked for it.
        seq: u64,
        /// The certificate in PEM, or why there is none.
        result: Result<String, String>,
    },
    /// Answers [`Effect::Members`].
    Members {
        /// The machine that was asked.
        node: NodeName,
        /// The members; `None` where etcd does not answer.
        members: Option<Vec<Member>>,
    },
    /// Answers [`ObjectAct::Look`].
    ObjectLooked {
        /// Its place in the blueprint.
        index: usize,
        /// What was found.
        seen: ObjectSeen,
    },
    /// Answers [`ObjectAct::Apply`].
    ObjectApplied {
        /// Its place in the blueprint.
        index: usize,
        /// Nothing, or why it was not done.
        result: Result<(), String>,
    },
    /// Answers [`Effect::Remember`]: it is on the disk.
    Remembered(Remember),
    /// The time that [`Effect::Wake`] named has come.
    Woke,
    /// A person wants the run to end: what is in flight is finished, nothing new is begun.
    Interrupted,
}

/// What was found of an object of the API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ObjectSeen {
    /// It is not there.
    Absent,
    /// Every field that ringfort owns is as it should be.
    Same,
    /// Some field differs.
    Differs,
    /// It could not be looked at, and why.
    Unknown(String),
}

/// What the operator's half asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Look at a machine.
    Observe {
        /// Which machine.
        node: NodeName,
        /// What to look at.
        looks: Vec<(ItemId, Look)>,
    },
    /// Have a step done on a machine.
    Apply {
        /// Which machine.
        node: NodeName,
        /// A number to answer with; no two steps of a run share one.
        seq: u64,
        /// The step.
        step: Step,
    },
    /// Sign a certificate with an authority of the keyring.
    Sign {
        /// The machine that wants it.
        node: NodeName,
        /// The number of the step that asked for it.
        seq: u64,
        /// What the certificate is to say; nothing else is taken from the signing request but its
        /// public key.
        request: CertRequest,
        /// The signing request (PKCS #10, PEM).
        csr_pem: String,
    },
    /// Ask a machine's etcd for its members.
    Members {
        /// Which machine.
        node: NodeName,
    },
    /// Look at an object of the API, or apply it.
    Object(ObjectAct),
    /// Write something down durably; nothing that depends on it is done before the answer.
    Remember(Remember),
    /// Say [`Input::Woke`] at this time. A later request takes the place of an earlier one.
    Wake {
        /// When.
        at: Tick,
    },
    /// The run ends here: going on would lose data. [`Effect::Finish`] does not follow.
    Refuse {
        /// Every reason at once.
        refusals: Vec<Refusal>,
    },
    /// The run ends here.
    Finish(Report),
}

/// What is done with an object of the API, by its place in the blueprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ObjectAct {
    /// Compare it with what the API has.
    Look {
        /// Its place.
        index: usize,
    },
    /// Apply it on the server's side, under ringfort's field manager.
    Apply {
        /// Its place.
        index: usize,
    },
}

/// What the operator must not forget.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Remember {
    /// How the data of a machine's etcd member begins. It has not started yet, so that
    /// [`Remember::Started`] is over too.
    Founding {
        /// Which machine.
        node: NodeName,
        /// How; `None` to forget a member whose machine is out of the cluster, or out of etcd
        /// until it joins anew.
        founding: Option<Founding>,
    },
    /// A machine's etcd was seen to answer: if its data is gone later, it was lost.
    Started {
        /// Which machine.
        node: NodeName,
    },
}

/// What came of a run that was not refused.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Changes in the order they were made, or would be made. Waiting is no change.
    pub changes: Vec<Planned>,
    /// What could not be done.
    pub failures: Vec<Remark>,
    /// What could not be looked at, so that a plan cannot say whether it would change.
    pub unseen: Vec<Remark>,
    /// What was not reached because something it waits for failed, or the run was interrupted.
    pub waiting: Vec<Remark>,
    /// Machines that could not be spoken with, and why.
    pub unreachable: BTreeMap<NodeName, String>,
    /// Whether a person ended the run early.
    pub interrupted: bool,
    /// Whether all passes are needed once more when this run's changes have taken hold: control
    /// planes join one after the other, and leave last.
    pub again: bool,
}

impl Report {
    /// Says whether everything is as the blueprint says. After [`crate::Goal::Membership`] look at
    /// `again` as well: then all passes have to be gone through once more.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
            && self.waiting.is_empty()
            && self.unreachable.is_empty()
            && !self.interrupted
    }
}

/// A change that was made, or would be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Planned {
    /// To a machine. A certificate's step is its request; the file that follows is not told apart.
    Machine {
        /// Which machine.
        node: NodeName,
        /// The step.
        step: Step,
    },
    /// To an object of the API.
    Object {
        /// Its place in the blueprint.
        index: usize,
        /// Its name.
        key: ObjectKey,
        /// The control that wants it.
        by: String,
        /// What differs.
        because: Difference,
    },
}

/// Something to be said about an item or an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// On which machine; absent for an object of the API.
    pub node: Option<NodeName>,
    /// The item or the object.
    pub what: String,
    /// The control that wants it.
    pub by: String,
    /// What is the matter with it.
    pub why: String,
}
