//! What went wrong in a task, in words for the person who ran it. Nothing is decided here.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;

/// The result of anything a task does.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A task that could not be finished.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit: u8,
}

impl Failure {
    /// Something was looked at and found wanting: exit code 1.
    pub(crate) fn findings(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: 1 }
    }

    /// Something was found wanting, and everything has been said about it: exit code 1.
    pub(crate) fn told() -> Self {
        Self::findings("")
    }

    /// Whether there is nothing left to say.
    pub(crate) fn is_told(&self) -> bool {
        self.message.is_empty()
    }

    /// The command line was wrong: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: 2 }
    }

    /// The task could not act: exit code 4.
    pub(crate) fn stuck(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: 4 }
    }

    /// A file or directory could not be worked with: exit code 4.
    pub(crate) fn at(doing: &str, path: &Path, source: &io::Error) -> Self {
        Self::stuck(format!("cannot {doing} {}: {source}", path.display()))
    }

    /// The exit code that tells the kind of failure.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }
}

impl Display for Failure {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}
