//! The chores of this repository: `cargo xtask <task>`.
//!
//! It runs Cargo, the built command and a few system programs, and depends on none of ringfort's
//! crates, so that it compiles in seconds on a machine that has nothing yet.

mod bench;
mod demo;
mod dist;
mod failure;
mod generate;
mod interrupt;
mod packages;
mod process;
mod sbom;
mod stages;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::env;
use std::process::ExitCode;

use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[&str]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "demo",
        about: "boot six throwaway machines and make a cluster on them (--down takes it away)",
        run: demo::task,
    },
    Task {
        name: "test",
        about: "everything that CI runs, or the stages named (--list, --quick)",
        run: test::task,
    },
    Task {
        name: "tidy",
        about: "check the rules of the house that no other tool checks",
        run: tidy::task,
    },
    Task {
        name: "generate",
        about: "write what is derived from the command: schema, reference (--check compares)",
        run: generate::task,
    },
    Task {
        name: "setup",
        about: "install the system packages that are missing (--list names them)",
        run: setup,
    },
    Task {
        name: "bench",
        about: "measure: bench create, bench netpol [lab], bench conformance, bench simulate",
        run: bench::task,
    },
    Task {
        name: "dist",
        about: "make the release: static binary, checksums, bill of materials, signature",
        run: dist::task,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_told() {
                eprintln!("error: {failure}");
            }
            ExitCode::from(failure.exit())
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<()> {
    let Some((&name, rest)) = arguments.split_first() else {
        return Err(Failure::usage(format!("no task was named\n\n{}", help())));
    };
    if matches!(name, "help" | "--help" | "-h") {
        println!("{}", help());
        return Ok(());
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        return Err(Failure::usage(format!("there is no task {name:?}\n\n{}", help())));
    };
    (task.run)(&Workspace::find()?, rest)
}

fn help() -> String {
    let lines: Vec<_> =
        TASKS.iter().map(|task| format!("  {:<9} {}", task.name, task.about)).collect();
    format!("cargo xtask <task>\n\n{}", lines.join("\n"))
}

/// Installs what the machine lacks, or lists what is needed.
fn setup(_: &Workspace, arguments: &[&str]) -> Result<()> {
    match arguments {
        ["--list"] => {
            for package in packages::PACKAGES {
                println!("{:<18} {}", package.name, package.why);
            }
            Ok(())
        }
        [] => {
            let installed = packages::install(&packages::missing())?;
            match installed.as_slice() {
                [] => eprintln!("every system package that is needed is there"),
                names => eprintln!("installed: {}", names.join(" ")),
            }
            Ok(())
        }
        _ => Err(Failure::usage("usage: cargo xtask setup [--list]")),
    }
}
