//! Runs programs of the host and waits for them. Arguments never hold secrets.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};

use crate::os::Fault;

/// Runs a program and gives what it wrote to standard output.
pub(crate) fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, Fault> {
    run_with(program, arguments, Stdio::null())
}

/// Runs a program with a standard input of the caller's choice.
pub(crate) fn run_with<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    input: Stdio,
) -> Result<String, Fault> {
    let output = Command::new(program).args(arguments).stdin(input).output();
    finished(program, arguments, &output.map_err(|source| not_started(program, source))?)
}

/// Runs a program inside a network name space, feeding it a text.
pub(crate) fn run_in(network: &Path, words: &[&str], input: &str) -> Result<String, Fault> {
    let mut arguments = vec![format!("--net={}", network.display())];
    arguments.extend(words.iter().map(ToString::to_string));
    let started = Command::new("nsenter")
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|source| not_started("nsenter", source))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends before it has read all says why on standard error.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|source| not_started("nsenter", source))?;
    finished("nsenter", &arguments, &output)
}

/// Runs a program and hands each line it writes to standard output to `line`.
pub(crate) fn run_by_line(words: &[String], line: &dyn Fn(&str)) -> Result<(), Fault> {
    let (program, arguments) = words.split_first().expect("a command has a program");
    let started =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|source| not_started(program, source))?;
    let mut last = String::new();
    if let Some(pipe) = child.stdout.take() {
        for text in BufReader::new(pipe).lines().map_while(Result::ok) {
            line(&text);
            last = text;
        }
    }
    let status = child.wait().map_err(|source| not_started(program, source))?;
    if status.success() { Ok(()) } else { Err(failed(program, arguments, status, &last)) }
}

fn finished<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    output: &Output,
) -> Result<String, Fault> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(program, arguments, output.status, said.trim()))
}

fn failed<S: AsRef<OsStr>>(
    program: &str,
    arguments: &[S],
    status: ExitStatus,
    said: &str,
) -> Fault {
    let first = arguments.iter().take(4).map(|word| word.as_ref().to_string_lossy().into_owned());
    let program = [program.to_owned()].into_iter().chain(first).collect::<Vec<_>>().join(" ");
    Fault::Failed { program, status: status.to_string(), said: said.to_owned() }
}

fn not_started(program: &str, source: std::io::Error) -> Fault {
    Fault::NotStarted { program: program.to_owned(), source }
}
