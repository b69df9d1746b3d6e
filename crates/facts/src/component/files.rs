//! Files that were observed, and those that were not.

use std::collections::BTreeMap;

use serde_json::Value;

use ringfort_model::judgement::Gap;

use crate::manifest::{self, Document};

/// What was seen of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileSeen {
    /// Its text.
    Text(String),
    /// It is not there.
    Absent,
    /// It could not be read, and why.
    Unreadable(String),
}

/// The files and directories of a machine that were looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Files {
    /// Files by the path that the component names them by.
    pub texts: BTreeMap<String, FileSeen>,
    /// All files below a directory, by their paths from it.
    pub directories: BTreeMap<String, Vec<String>>,
}

impl Files {
    /// Gives the text of a file that a component names.
    ///
    /// # Errors
    /// It was not observed, or is not there any more: the component has read something else.
    pub fn text(&self, path: &str) -> Result<&str, Gap> {
        let why = match self.texts.get(path) {
            Some(FileSeen::Text(text)) => return Ok(text),
            Some(FileSeen::Absent) => "is named and not there".to_owned(),
            Some(FileSeen::Unreadable(why)) => format!("could not be read: {why}"),
            None => "was not looked at".to_owned(),
        };
        Err(unseen(path, &why))
    }

    /// Gives the one document of a file, of this group and kind.
    ///
    /// # Errors
    /// The file was not observed, or holds something else.
    pub fn document(&self, path: &str, group: &str, kind: &str) -> Result<Value, Gap> {
        let document = self.settings(path)?;
        let in_group = document["apiVersion"]
            .as_str()
            .and_then(|version| version.split_once('/'))
            .is_some_and(|(found, _)| found == group);
        match in_group && document["kind"] == kind {
            true => Ok(document),
            false => Err(unseen(path, &format!("holds no {kind} of {group}"))),
        }
    }

    /// Gives the one document of a file, whatever it is of.
    ///
    /// # Errors
    /// The file was not observed, or does not hold one document.
    pub fn settings(&self, path: &str) -> Result<Value, Gap> {
        let mut documents = manifest::read(self.text(path)?)
            .map_err(|error| unseen(path, &format!("cannot be read: {error}")))?;
        match (documents.pop().map(Document::into_value), documents.is_empty()) {
            (Some(document), true) => Ok(document),
            _ => Err(unseen(path, "does not hold one document")),
        }
    }

    /// Lists the files below a directory that a component names.
    ///
    /// # Errors
    /// It was not listed.
    pub fn below(&self, path: &str) -> Result<&[String], Gap> {
        self.directories.get(path).map(Vec::as_slice).ok_or_else(|| unseen(path, "was not listed"))
    }
}

/// Says that a file is not known.
pub(crate) fn unseen(path: &str, why: &str) -> Gap {
    Gap { said: format!("{path} {why}"), closes: format!("{path} as the component has read it") }
}
