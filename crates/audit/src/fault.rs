//! Why something in a log could not be judged. A fault never repeats what stands there: it may be a secret.

use serde::Serialize;

/// Why something could not be judged.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "why")]
pub enum Why {
    /// Bytes that are no text.
    #[error("byte {byte} of the line is no UTF-8")]
    NotText {
        /// The first of them.
        byte: usize,
    },
    /// Zeros, as a machine that loses power leaves them.
    #[error("{count} zero bytes stand where events should: the machine may have lost power")]
    Zeros {
        /// How many.
        count: usize,
    },
    /// The line ends too early.
    #[error("the event is cut off after {bytes} bytes")]
    Cut {
        /// Its length.
        bytes: usize,
    },
    /// No JSON.
    #[error("it is no JSON from byte {byte} on")]
    NotJson {
        /// Where it goes wrong.
        byte: usize,
    },
    /// A key that stands twice, so that two readers may see two events.
    #[error("a key stands twice, the second at byte {byte}: readers may differ on which counts")]
    Twice {
        /// Behind the second.
        byte: usize,
    },
    /// A field is of another type than Kubernetes writes.
    #[error("a field at byte {byte} is of another type than an API server writes")]
    Mistyped {
        /// Behind it.
        byte: usize,
    },
    /// JSON, and no audit event.
    #[error("it is no audit event in any envelope that is known")]
    NotAnEvent,
    /// Too long to be read.
    #[error("it is longer than {most} bytes")]
    TooLong {
        /// The most that is read.
        most: usize,
    },
    /// The event was judged, but not its body, which a detection asked for.
    #[error("its body could not be judged: {0}")]
    Body(Box<Why>),
    /// Patches that could not be applied to what was there before.
    #[error(
        "its patch does not fit what is known of what was there before, so only the patch was judged"
    )]
    Patch,
    /// An expression of somebody's own cannot be evaluated.
    #[error(
        "{detection} cannot be evaluated for it: it asks for what is not there, or is of another type"
    )]
    Expression {
        /// The detection.
        detection: &'static str,
    },
}

impl Why {
    /// Says what is wrong with JSON, without a word of it. Lines are one line long.
    pub(crate) fn of(error: &serde_json::Error, length: usize) -> Self {
        let byte = error.column();
        match error.classify() {
            serde_json::error::Category::Eof => Self::Cut { bytes: length },
            serde_json::error::Category::Data
                if error.to_string().starts_with("duplicate field") =>
            {
                Self::Twice { byte }
            }
            serde_json::error::Category::Data => Self::Mistyped { byte },
            _ => Self::NotJson { byte },
        }
    }
}
