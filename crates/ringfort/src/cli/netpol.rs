//! `ringfort netpol`: network policies for people. One file says whether a connection is allowed and
//! by what, another shows what a node enforces.

pub(super) mod closing;
mod ends;
mod explain;
mod live;
mod manifests;
mod missing;
mod report;
mod rulings;
mod seen;
mod show;
#[cfg(test)]
mod tests;
mod through;

use std::process::ExitCode;

use super::Fault;

/// Network policies: who may talk to whom, and what a node enforces
#[derive(clap::Args)]
pub struct NetpolArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Explain(Box<explain::ExplainArgs>),
    Show(show::ShowArgs),
}

/// Runs the command.
pub fn run(args: NetpolArgs) -> Result<ExitCode, Fault> {
    match args.command {
        Command::Explain(args) => explain::run(&args),
        Command::Show(args) => show::run(&args),
    }
}

/// Writes a value for programs.
fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::unable)?;
    Ok(format!("{text}\n"))
}
