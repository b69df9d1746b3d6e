//! `ringfort audit`: the policy that API servers log by, what their logs say, and the store that keeps them.
//! Nothing here speaks to a cluster's API.

mod asked;
mod bring;
mod collect;
mod count;
mod follow;
mod logs;
mod minimal_rbac;
mod policy;
#[cfg(feature = "nats")]
mod queue;
mod receivers;
mod search;
mod sigma;
pub mod site;
mod stored;
mod tell;
mod test;
mod verify;
mod waivers;
mod who;
mod witness;
mod written;

use std::path::Path;
use std::process::ExitCode;

use ringfort_store::os::{Directory, Intake};

use super::Fault;
use super::files::Unread;

pub(super) use tell::COUNTED;

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
    Collect(collect::CollectArgs),
    Follow(Box<follow::FollowArgs>),
    #[cfg(feature = "nats")]
    Queue(queue::QueueArgs),
    Search(search::SearchArgs),
    Sigma(sigma::SigmaArgs),
    Verify(verify::VerifyArgs),
    Witness(Box<witness::WitnessArgs>),
}

/// Runs the command.
pub fn run(args: &AuditArgs) -> Result<ExitCode, Fault> {
    match &args.command {
        Command::Policy(args) => policy::run(args),
        Command::Test(args) => test::run(args),
        Command::Who(args) => who::run(args),
        Command::MinimalRbac(args) => minimal_rbac::run(args),
        Command::Collect(args) => collect::run(args),
        Command::Follow(args) => follow::run(args),
        #[cfg(feature = "nats")]
        Command::Queue(args) => queue::run(args),
        Command::Search(args) => search::run(args),
        Command::Sigma(args) => sigma::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Witness(args) => witness::run(args),
    }
}

/// Opens the directory that what others delivered goes through to a collector.
fn intake(at: &Path) -> Result<Intake<Directory>, Fault> {
    let intake = Directory::new(at).and_then(Intake::open);
    intake.map_err(|error| Fault::unable(Unread::of(at, &error)))
}

/// Writes a value for programs.
fn json(value: &impl serde::Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string_pretty(value).map_err(Fault::unable)?;
    Ok(format!("{text}\n"))
}

/// Writes a value for programs, on one line.
fn line(value: &impl serde::Serialize) -> Result<String, Fault> {
    let text = serde_json::to_string(value).map_err(Fault::unable)?;
    Ok(format!("{text}\n"))
}

/// Text without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// The time of day, in microseconds of the Unix epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
