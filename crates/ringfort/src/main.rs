//! The `ringfort` program: reads the command line, hands over to the room that was asked for and
//! turns its answer into an exit code. Nothing is decided here.

mod cli;
mod report;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ringfort_node::leave_no_core_files();
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(fault) => fault.show(),
    }
}
