//! What a machine's agent found, as it is delivered and kept.

use ringfort_audit::finding::Finding;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Something that an agent found.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reported<'r> {
    /// Names it, so that what comes twice is known.
    pub id: String,
    /// What is told of it. Where it comes from is what the agent's certificate says, not this.
    pub finding: Finding,
    /// What the agent itself wrote.
    #[serde(borrow)]
    pub line: &'r RawValue,
}

/// What stands before the name of the machine whose agent delivered something.
pub const AGENTS: &str = "agent/";
/// What detections of agents are called.
pub const DETECTIONS: &str = "integrity/";
/// That a proof changed a file of its own: kept, to show that what is found arrives, and told to nobody.
pub const OF_A_PROOF: &str = "integrity/canary";

impl<'r> Reported<'r> {
    /// Reads one; nothing comes of a line that is none.
    pub fn read(line: &'r [u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(line).ok()?;
        read.finding.detection.starts_with(DETECTIONS).then_some(read)
    }
}
