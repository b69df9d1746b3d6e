//! A change, as it is told: what, where, who and why. Pure. Digests and metadata only: what files hold is
//! never in it.

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::judge::Difference;
use crate::path::FilePath;
use crate::process::Who;
use crate::protected::Class;
use crate::why::Why;

/// The version of what is written of changes and scans.
pub const VERSION: u32 = 1;

/// Something that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
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
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The version of this form.
    pub version: u32,
    /// Names it.
    pub id: String,
    /// When it was told, in seconds since 1970.
    pub at: String,
    /// What is not as it should be.
    #[serde(flatten)]
    pub finding: Finding,
    /// Who did it.
    pub who: Who,
    /// Why.
    pub why: Why,
}

/// Names a change by what it is and when it was told. Two that say the same at the same time are one.
pub fn id(at: &str, finding: &Finding) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(at.as_bytes());
    hasher.update(finding.path.as_bytes());
    for each in &finding.differences {
        hasher.update(each.of.to_string().as_bytes());
        hasher.update(each.found.as_bytes());
        hasher.update(b"\0");
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

/// A time in which changes may have been missed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Blind {
    /// From when.
    pub from: String,
    /// Until when: everything that is protected was looked at after it began.
    pub until: String,
    /// Why.
    pub why: String,
}
