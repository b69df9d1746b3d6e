//! The section `integrity`: whether an agent puts files back by itself, and which.
//!
//! Never here: which files there are; a blueprint says that.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::format;
use crate::written::List;

/// How files of machines stay as they are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Integrity {
    /// Who puts a file back.
    pub repair: Repair,
}

/// Who puts a file back that ringfort wrote and somebody changed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Repair {
    /// The next `ringfort up`.
    Up,
    /// The machine's agent, at once.
    Automatic {
        /// What it puts back of what ringfort wrote: these files, and those below these directories. All of it
        /// where there are none.
        paths: Vec<String>,
    },
}

/// How files of machines stay as they are.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Integrity")]
pub(crate) struct Written {
    /// Who puts a file back that ringfort wrote and somebody changed. Either way the change is told and stays
    /// unexplained.
    pub repair: WrittenRepair,
    /// Files, and directories with all files below them, that the agent puts back; of these, what ringfort wrote.
    /// Default: everything that ringfort wrote and of which the baseline says what it holds.
    #[schemars(schema_with = "paths")]
    pub paths: List<String>,
}

/// Who puts a file back.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Repair")]
pub(crate) enum WrittenRepair {
    /// The next `ringfort up`.
    #[default]
    Up,
    /// The machine's agent, at once. It may write to the directories of these files then.
    Automatic,
}

/// Gives what was written; `None` only if something was wrong with it.
pub(crate) fn resolve(written: &Written) -> Option<Integrity> {
    let repair = match written.repair {
        WrittenRepair::Up => Repair::Up,
        WrittenRepair::Automatic => {
            Repair::Automatic { paths: written.paths.iter().cloned().collect::<Option<_>>()? }
        }
    };
    Some(Integrity { repair })
}

fn paths(generator: &mut SchemaGenerator) -> Schema {
    let item = format::machine_path(generator);
    json_schema!({ "type": "array", "items": item, "examples": [["/etc/kubernetes"]] })
}
