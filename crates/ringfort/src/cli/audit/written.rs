//! Files that people write for the commands of logs.

use std::path::Path;

use ringfort_audit::written::Unclear;
use ringfort_facts::manifest;
use ringfort_spec::{Paint, Problem, Report};
use serde_json::Value;

use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// Reads each document of a file, and shows what is wrong where it stands.
pub(super) fn read<T>(
    file: &Path,
    what: &'static str,
    mut one: impl FnMut(&Value) -> Result<Vec<T>, Vec<Unclear>>,
) -> Result<Vec<T>, Fault> {
    let text = files::text(file).map_err(Fault::usage)?;
    let documents =
        manifest::read(&text).map_err(|error| Fault::usage(Unread::of(file, &error)))?;
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for document in &documents {
        match one(document.value()) {
            Ok(read) => all.extend(read),
            Err(unclear) => wrong.extend(unclear.into_iter().map(|it| {
                Problem::new(what, document.place(&it.pointer).value, it.why).help(it.help)
            })),
        }
    }
    if wrong.is_empty() {
        return Ok(all);
    }
    let report = Report::new(&file.display().to_string(), &text, wrong);
    Err(Fault::usage(report.render(Paint::Plain)))
}
