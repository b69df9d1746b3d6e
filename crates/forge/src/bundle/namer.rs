//! Makes programs for tests: they hold nothing but their name.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use ringfort_model::bundle::Source;

use super::compiler::CompilerError;
use super::pins::{Program, Release};
use super::shelf::{MakeError, Maker};

/// Makes programs that hold nothing but their name, and fails at one or makes another of it if told so.
#[derive(Default)]
pub(super) struct Namer {
    /// The program that it fails at.
    pub fails_at: Option<&'static str>,
    /// The program that it gives other bytes.
    pub alters: Option<&'static str>,
    /// What it has made.
    pub made: RefCell<Vec<String>>,
}

impl Maker for Namer {
    fn source(&self) -> Source {
        Source::Modules
    }

    fn compiler(&self) -> Option<&str> {
        Some("go1.26.8")
    }

    fn recipe(&self, release: &Release, program: &Program) -> Result<String, MakeError> {
        Ok(format!("{} {}", program.name, release.version(program.project)))
    }

    fn make(&self, _: &Release, program: &Program, out: &Path) -> Result<String, MakeError> {
        let more = if self.alters == Some(program.name) { "!" } else { "" };
        fs::write(out, format!("{}{more}", program.name)).expect("the program");
        if self.fails_at == Some(program.name) {
            let (what, output) = ("building".to_owned(), "no space".to_owned());
            return Err(CompilerError::Failed { what, output }.into());
        }
        self.made.borrow_mut().push(program.name.to_owned());
        Ok(format!("here {}", program.name))
    }
}
