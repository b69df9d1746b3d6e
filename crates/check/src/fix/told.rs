//! What is told of fixing, for people and for programs.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::Serialize;

/// What came of a run, for programs.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Rises when something is taken away or means something else.
    pub version: u32,
    /// Whether nothing was written, as it was asked for.
    pub dry_run: bool,
    /// Every file in which something was put right or refused.
    pub files: Vec<ToldFile>,
    /// Files that are no objects by themselves and were not touched, such as patches, each with who reads it.
    pub left: Vec<String>,
    /// Files below a directory that could not be read, each with the reason.
    pub unread: Vec<String>,
    /// Files that could not be written and are as they were, each with the reason.
    pub unwritten: Vec<String>,
}

/// What came of a file.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldFile {
    /// Its name, as it was given or found.
    pub file: String,
    /// What was put right, or would be.
    pub fixes: Vec<Fix>,
    /// What was left as it is.
    pub refused: Vec<Left>,
    /// What was left as it is because a waiver covers it.
    pub waived: Vec<Left>,
    /// The change as a unified difference; null where there is none.
    pub difference: Option<String>,
}

/// A control that an object keeps now.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Fix {
    /// Its id.
    pub control: &'static str,
    /// The object.
    pub object: Whose,
    /// JSON pointers to what was not as it should be, from the document on.
    pub pointers: Vec<String>,
    /// The lines of the file before, from 1, where these stood or their nearest place.
    pub lines: Vec<usize>,
}

/// A control that an object does not keep, and that was left so.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Left {
    /// Its id.
    pub control: &'static str,
    /// The object.
    pub object: Whose,
    /// The line, from 1, that stands against it.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// What an object calls itself.
#[derive(Clone, Debug, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Whose {
    /// The number of its document in the file, from 0.
    pub document: usize,
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, where it names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        match &self.namespace {
            Some(namespace) => write!(f, " {namespace}/{}", self.name),
            None => write!(f, " {}", self.name),
        }
    }
}

/// Gives the JSON Schema of what is told.
pub fn schema() -> Schema {
    schemars::schema_for!(Told)
}

/// Why something is not fixed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It stands where an alias is.
    Alias,
    /// It stands where an anchor is that aliases name.
    Anchor,
    /// It stands in a map that a merge key fills.
    Merge,
    /// A comment stands where it would have to be written.
    Comment,
    /// It is written in a way that cannot be edited.
    Elsewhere,
    /// Nobody but its author knows what to write.
    Choice,
    /// Nobody but its author knows where its data would be.
    Data,
    /// The standards allow it, and the program may need it.
    Allowed,
    /// Kubernetes refuses it beside this, which another control is about.
    Beside(&'static str, &'static str),
    /// Kubernetes could not read the object.
    Unreadable,
    /// The control would still not be kept.
    Still,
    /// Another control would not be kept then.
    Worse(&'static str),
    /// What somebody answers for by a waiver of this control would change too.
    Waived(&'static str),
    /// The edited text would say something else.
    Unsound,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Alias => "an alias stands there: change what it names, or write it out",
            Self::Anchor => {
                "aliases name what stands there, so that others would change too: change it by hand"
            }
            Self::Merge => "a merge key fills what stands there: write it out",
            Self::Comment => "a comment stands in the way: move it to a line of its own",
            Self::Elsewhere => "it is not written plainly enough to be edited: change it by hand",
            Self::Choice => "what to write instead is known to its author alone",
            Self::Data => {
                "the volume holds data elsewhere: give it to the pod by a persistentVolumeClaim"
            }
            Self::Allowed => {
                "a program that listens at a port below 1024 may need NET_BIND_SERVICE, which the \
                 standards allow: leave it out where none does"
            }
            Self::Beside(beside, control) => {
                return write!(f, "Kubernetes refuses it beside {beside}: fix {control} as well");
            }
            Self::Unreadable => {
                "Kubernetes could not read the object: `ringfort check` says where; put that right first"
            }
            Self::Still => "the control would still not be kept: change it by hand",
            Self::Worse(control) => {
                return write!(f, "{control} would not be kept then: change it by hand");
            }
            Self::Waived(control) => {
                return write!(
                    f,
                    "what a waiver of {control} covers would change with it: change it by hand"
                );
            }
            Self::Unsound => {
                "the file is written in a way in which the change would say something else: change it by hand"
            }
        };
        f.write_str(said)
    }
}
