//! `ringfort audit`: the policy that API servers log by, and what their logs say. Files only; nothing here
//! speaks to a cluster.

mod logs;
mod minimal_rbac;
mod policy;
mod test;
mod who;

use std::process::ExitCode;

use super::Fault;

/// Audit logs: the policy that feeds the detections, and what is suspicious in what was logged
#[derive(clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Policy(policy::PolicyArgs),
    Test(test::TestArgs),
    Who(who::WhoArgs),
    MinimalRbac(minimal_rbac::MinimalRbacArgs),
}

/// Runs the command.
pub fn run(args: &AuditArgs) -> Result<ExitCode, Fault> {
    match &args.command {
        Command::Policy(args) => policy::run(args),
        Command::Test(args) => test::run(args),
        Command::Who(args) => who::run(args),
        Command::MinimalRbac(args) => minimal_rbac::run(args),
    }
}

/// Writes a value for programs.
fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::unable)?;
    Ok(format!("{text}\n"))
}
