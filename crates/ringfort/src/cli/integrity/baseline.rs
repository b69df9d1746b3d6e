//! `ringfort integrity baseline`: writes down what a machine's files should be.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use ringfort_integrity::baseline::{Entries, Header, write};
use ringfort_integrity::protected::{Protection, named};
use ringfort_model::machine::MachineFacts;
use ringfort_pki::Ed25519Key;

use super::text;
use crate::cli::render::{BlueprintArgs, rendered};
use crate::cli::{Fault, print};

/// Write a signed baseline of a machine: what its files should be, from cluster.yaml and not from a look
///
/// It holds every file that ringfort writes there, with its content where that is known before it exists,
/// and what every machine of its role has that is worth protecting. With facts of the machine, as
/// `ringfort gather` gives them, it holds the files as well that flags of running components name.
///
/// A baseline has a number. Whoever has seen one of a machine refuses those with lower numbers, so raise it
/// with each.
///
/// Exit codes: 0 well, 2 usage, or cluster.yaml, the bundle, the facts or the key are wrong, 3 the facts do
/// not say where a file lies, 4 the baseline cannot be written.
#[derive(clap::Args)]
pub struct BaselineArgs {
    #[command(flatten)]
    blueprint: BlueprintArgs,
    /// The machine
    #[arg(long, value_name = "NAME")]
    node: String,
    /// The key that signs it, as `ringfort integrity key` makes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its number
    #[arg(long, value_name = "NUMBER")]
    counter: u64,
    /// What `ringfort gather` said of the machine
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the baseline.
///
/// # Errors
/// Something that it is made from is wrong, or it cannot be written.
pub fn run(args: &BaselineArgs) -> Result<ExitCode, Fault> {
    let key = Ed25519Key::read(&text(&args.key)?).map_err(Fault::usage)?;
    let blueprint = rendered(&args.blueprint)?.blueprint;

    let mut machines = blueprint.machines.iter();
    let Some((_, machine)) = machines.find(|(name, _)| name.to_string() == args.node) else {
        let known: Vec<String> = blueprint.machines.keys().map(ToString::to_string).collect();
        let why = format!("{} is no machine of it: {}", args.node, known.join(", "));
        return Err(Fault::usage(why));
    };
    let (paths, gaps) = match &args.facts {
        Some(file) => named(&MachineFacts::read(&text(file)?).map_err(Fault::usage)?),
        None => Default::default(),
    };
    let entries = Entries::of(&Protection::derive(Some(machine), &paths, machine.role));
    let header = Header {
        cluster: blueprint.cluster.to_string(),
        node: args.node.clone(),
        counter: args.counter,
        entries: 0,
    };
    let bytes = write(&header, &entries, &key).map_err(Fault::unable)?;
    fs::write(&args.out, bytes)
        .map_err(|error| Fault::unable(format!("{}: {error}", args.out.display())))?;
    let known = entries.iter().filter(|entry| entry.expected.is_some()).count();
    print(&format!(
        "{} paths of {}, of which {known} files with their contents, number {}\n",
        entries.len(),
        args.node,
        args.counter
    ));
    gaps.iter().for_each(|gap| eprintln!("not protected: {gap}"));
    Ok(ExitCode::from(if gaps.is_empty() { 0 } else { 3 }))
}
