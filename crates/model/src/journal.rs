//! What a machine remembers of the steps that were begun and finished on it.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::item::ItemId;

/// Version of the journal, in its header.
pub const JOURNAL_VERSION: u32 = 1;

/// One line of a machine's journal, synced before the step it speaks of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    /// Counts up from 1.
    pub seq: u64,
    /// The epoch of the operator that asked.
    pub epoch: u64,
    /// What is changed.
    pub item: ItemId,
    /// Whether the step begins or has ended.
    pub phase: Phase,
    /// Digest of the step as it was asked for, secrets left out.
    pub digest: Digest,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is about to begin.
    Intent,
    /// It is done.
    Done,
    /// The item was taken away again and what was there before is back.
    Undone,
}
