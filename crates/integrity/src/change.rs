//! A change, as it is told: what, where, who and why. Pure. Digests and metadata only: what files hold is
//! never in it.

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::judge::Difference;
use crate::layers::Drift;
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::Class;
use crate::state::State;
use crate::why::Why;

/// The version of what is written of changes and scans.
pub const VERSION: u32 = 1;

/// Something that is not as it should be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Where.
    pub path: FilePath,
    /// How it may change.
    pub class: Class,
    /// What is at stake.
    pub severity: Severity,
    /// In what it differs.
    pub differences: Vec<Difference>,
}

/// Something that could not be compared.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Unknown {
    /// Where.
    pub path: FilePath,
    /// Why not.
    pub why: String,
}

/// A change that was seen when it happened, or by a look after it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Names it.
    pub id: String,
    /// What changed. Without differences it was written to and is as it was, or came and went.
    #[serde(flatten)]
    pub finding: Finding,
    /// Whether it is now as the baseline says, where that says all of it.
    pub is_right: bool,
    /// How it was; absent if nothing was there, or nobody had looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<State>,
    /// How it is; absent if nothing is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<State>,
    /// Of something in a container's own root: in which way it is not as its image has it, and whose root it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Who did it.
    pub who: Who,
    /// Why.
    pub why: Why,
}

impl Change {
    /// Gives what the same drift is known by in every container of the same image; none, where it is none.
    pub fn drift_key(&self) -> Option<String> {
        self.drift.as_ref()?.key(self.after.as_ref())
    }
}

/// Names a change by what it is and when it was told, with the number of its line.
pub fn id(at: u64, seq: u64, path: &FilePath) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&at.to_le_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(path.as_bytes());
    hasher.finalize().to_hex()[..12].to_owned()
}

/// A time in which changes may have been missed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Blind {
    /// From when, in seconds since 1970.
    pub from: u64,
    /// Until when: everything that is protected was looked at after it began.
    pub until: u64,
    /// Why.
    pub why: String,
}
