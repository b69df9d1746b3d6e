//! The programs of the machine that this room calls: systemctl, ctr, etcdctl, useradd, ip, nft.
//!
//! No secret is ever an argument or in the environment of one.

use std::io;
use std::process::{Command, Stdio};

/// Runs programs of the machine.
pub trait Tools: Send + Sync {
    /// Runs a program to its end and gives what it said.
    ///
    /// # Errors
    /// The program could not be started.
    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<Said>;
}

/// What a program said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// Whether it ended with 0.
    pub well: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// Gives the last line of what it complained about.
    pub fn complaint(&self) -> &str {
        let spoken = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        spoken.trim().lines().last().unwrap_or("it said nothing")
    }
}

/// Says that a program failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("{program} could not be started: {why}")]
    Absent {
        /// Which program.
        program: String,
        /// What the system said.
        why: String,
    },
    /// It ended with another code than 0.
    #[error("{command}: {why}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// What it complained about.
        why: String,
    },
}

/// Runs a program to its end, well or not, and gives what it said.
///
/// # Errors
/// It could not be started.
pub fn tell(tools: &dyn Tools, program: &str, arguments: &[&str]) -> Result<Said, ToolError> {
    tools
        .run(program, arguments)
        .map_err(|error| ToolError::Absent { program: program.to_owned(), why: error.to_string() })
}

/// Runs a program that must end well, and gives its standard output.
///
/// # Errors
/// It could not be started, or failed.
pub fn run(tools: &dyn Tools, program: &str, arguments: &[&str]) -> Result<String, ToolError> {
    let said = tell(tools, program, arguments)?;
    if said.well {
        return Ok(said.stdout);
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(ToolError::Failed { command, why: said.complaint().to_owned() })
}

/// The programs as the machine has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostTools;

/// Where programs are looked for: those of the blueprint first, whatever the caller's setting.
const SEARCH: &str = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Tools for HostTools {
    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<Said> {
        let program = find(program).ok_or(io::ErrorKind::NotFound)?;
        let output = Command::new(program)
            .args(arguments)
            .env("PATH", SEARCH)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()?;
        Ok(Said {
            well: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// Finds a program where this room looks for programs.
pub(crate) fn find(program: &str) -> Option<std::path::PathBuf> {
    SEARCH.split(':').map(|dir| std::path::Path::new(dir).join(program)).find(|path| path.is_file())
}
