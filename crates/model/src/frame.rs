//! What the operator and a machine say to each other over one SSH channel.
//!
//! A frame is a length (u32, big endian), a length of its JSON head (u32), the head, and a tail of
//! raw bytes. The version is said first by both and must be equal.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::etcd::Member;
use crate::item::ItemId;
use crate::seen::{Look, Seen};
use crate::step::{Outcome, Step};

/// Version of the frames. Operator and machine run the same binary, so no other is read.
pub const FRAME_VERSION: u32 = 1;

/// The largest frame that is read, in bytes.
pub const FRAME_LIMIT: usize = 8 << 20;

/// What the operator says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Begins: nothing else is heard before. The machine refuses an older epoch than it has seen
    /// and a second operator while the first one's channel lives.
    Hello {
        /// Version of the frames.
        version: u32,
        /// The epoch that the operator acts in; 0 to look without acting.
        epoch: u64,
        /// The operator's name, for messages to another one.
        operator: String,
    },
    /// Asks what a machine is like, before anything is changed.
    Survey,
    /// Asks what is there.
    Observe {
        /// What to look at.
        looks: Vec<(ItemId, Look)>,
    },
    /// Asks which of these files the machine's store lacks.
    Lacks {
        /// The digests.
        digests: Vec<Digest>,
    },
    /// Brings a piece of a file for the store; the piece is the frame's tail.
    Store {
        /// The whole file's digest.
        digest: Digest,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// Whether the file ends with it.
        last: bool,
        /// Whether the tail is compressed (zlib).
        packed: bool,
    },
    /// Has a step done. A secret, where the step needs one, is the frame's tail.
    Apply {
        /// A number to answer with.
        seq: u64,
        /// The step.
        step: Step,
    },
    /// Asks for etcd's members.
    Members,
    /// Ends the conversation.
    Bye,
}

/// What a machine says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Answers `Hello`.
    Welcome {
        /// Version of the frames.
        version: u32,
        /// The epoch that the machine has seen before.
        epoch: u64,
    },
    /// Answers `Survey` with facts about the machine.
    Surveyed(crate::survey::Survey),
    /// Answers `Observe`.
    Observed(Seen),
    /// Answers `Lacks`.
    Lacking(Vec<Digest>),
    /// Answers the last piece of a `Store`.
    Stored(Digest),
    /// Answers `Apply`.
    Applied {
        /// The step's number.
        seq: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// Answers `Members`; `None` where etcd does not answer.
    Members(Option<Vec<Member>>),
    /// Refuses the last request.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}
