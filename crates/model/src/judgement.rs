//! What may be said of a control: shown, failed, not applicable, or not looked at.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What may be said of a control. A gap is an answer of its own and never becomes a pass.
pub type Judgement = Result<Decided, Gap>;

/// What a judgement comes to, in a word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Proved,
    /// It does not hold.
    Failed,
    /// It was not looked at.
    Unknown,
    /// There is nothing it could hold for.
    NotApplicable,
}

impl From<&Judgement> for Verdict {
    fn from(judgement: &Judgement) -> Self {
        match judgement {
            Ok(Decided::Pass(_)) => Self::Proved,
            Ok(Decided::Fail(_)) => Self::Failed,
            Ok(Decided::NotApplicable { .. }) => Self::NotApplicable,
            Err(_) => Self::Unknown,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proved => "proved",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not applicable",
        })
    }
}

/// A decision that rests on something that was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decided {
    /// It holds.
    Pass(Evidence),
    /// It does not hold.
    Fail(Finding),
    /// There is nothing it could hold for.
    NotApplicable {
        /// Why.
        reason: String,
    },
}

/// What was tried and seen, in one sentence, and where it stands in the transcript.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Evidence {
    said: String,
    /// Places in the transcript, from 0.
    at: Vec<usize>,
}

impl Evidence {
    /// Rests a sentence on places of a transcript; `None` where there is none to rest on.
    pub fn from_seen(said: impl Into<String>, at: Vec<usize>) -> Option<Self> {
        (!at.is_empty()).then(|| Self { said: said.into(), at })
    }

    /// Gives the places in the transcript.
    pub fn places(&self) -> &[usize] {
        &self.at
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// What is wrong, and what to do.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// What was seen instead.
    pub said: String,
    /// What to do.
    pub fix: String,
}

/// What could not be looked at, and what would close the gap.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// What could not be looked at, and why.
    pub said: String,
    /// What would close the gap.
    pub closes: String,
}
