//! `cargo xtask tidy`: the rules of the house that neither rustc nor clippy checks.
//!
//! Every violation is one line with file and line. Figures are printed for the reader; only the
//! limits that the rules name are enforced.

mod edges;
mod guests;
mod measure;
mod pure;
mod source;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

use self::measure::Figures;
use self::source::Source;

/// One place where a rule is not kept.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Violation {
    file: PathBuf,
    line: usize,
    message: String,
}

impl Violation {
    fn new(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

/// Checks everything, prints figures and violations.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if !arguments.is_empty() {
        return Err(Failure::usage("usage: cargo xtask tidy"));
    }
    let mut violations = Vec::new();
    let mut figures = Figures::default();
    for file in workspace.files()? {
        let path = workspace.root().join(&file);
        let bytes = fs::read(&path).map_err(|source| Failure::at("read", &path, &source))?;
        // What is not text has no words to check.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        violations.extend(words::check(&file, &text));
        if file.extension().is_some_and(|extension| extension == "rs") {
            let source = Source::new(&text);
            violations.extend(pure::check(&file, &source));
            violations.extend(figures.add(&file, &source));
        }
    }
    violations.extend(edges::check(&workspace.metadata()?));
    violations.extend(guests::check(workspace)?);
    println!("{figures}");
    for Violation { file, line, message } in &violations {
        println!("{}:{line}: {message}", file.display());
    }
    match violations.len() {
        0 => Ok(()),
        1 => Err(Failure::findings("1 rule is not kept")),
        count => Err(Failure::findings(format!("{count} rules are not kept"))),
    }
}
