//! `ringfort integrity watch`: the agent of one machine.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use ringfort_integrity::os::{Hooks, Settings, WatchFault, watch};
use ringfort_model::item::ItemId;
use ringfort_node::{Root, note_misread};

use crate::cli::{Fault, print};

/// Watch this machine's protected files, and tell each change with who made it and why
///
/// Runs as root until it is ended; `ringfort up` puts it on every machine as the unit
/// ringfort-integrity.service. It hears from the kernel what changes on whole file systems and which program
/// is about to run, looks at what changed, and looks at everything when it begins, when something may have
/// been missed, and once in a while. It holds nobody up: a program begins whatever happens here.
///
/// Each line that it writes is an object, and stands in its journal as well: a chain in which no line can be
/// changed or left out unnoticed. What files hold is never in it.
///
/// Where the baseline has a list of files to put back (`integrity: { repair: automatic }` in cluster.yaml), it puts
/// these back by itself. It starts nothing anew.
///
/// Exit codes: 2 usage, or the baseline is not to be believed, 3 the kernel does not tell what changes, 4 the
/// directory cannot be written.
#[derive(Args)]
pub struct WatchArgs {
    /// This machine's name in cluster.yaml: a baseline of another is refused
    #[arg(long, value_name = "NAME")]
    node: String,
    /// What should be here, signed
    #[arg(long, value_name = "FILE", default_value = "/etc/ringfort/integrity/baseline")]
    baseline: PathBuf,
    /// The public half of the key that signs baselines
    #[arg(long, value_name = "FILE", default_value = "/etc/ringfort/integrity/key.pub")]
    key: PathBuf,
    /// The agent's own directory: its journal, and what it knew last
    #[arg(long, value_name = "DIR", default_value = super::STATE)]
    state: PathBuf,
    /// The root of the files that are watched
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Read so many megabytes a second at most when everything is looked at once in a while
    #[arg(long, value_name = "MEGABYTES", default_value_t = 20)]
    rate: u64,
    /// Look at everything again after so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    every: u64,
}

/// The journal of ringfort's own steps on a machine, what is locked as long as it acts, and its store.
const STEPS: &str = "/var/lib/ringfort/journal";
const LOCK: &str = "/var/lib/ringfort/lock";
const STORE: &str = "/var/lib/ringfort/store/sha256";

/// Notes for the next `ringfort up` which units and components may have read a file that is put back.
fn misread(readers: &BTreeSet<ItemId>) -> io::Result<()> {
    readers.iter().try_for_each(|reader| match reader {
        ItemId::Unit(name) | ItemId::Serving(name) => note_misread(&Root::new("/"), name),
        _ => Ok(()),
    })
}

/// Watches.
///
/// # Errors
/// There is no agent, or it cannot go on.
pub fn run(args: &WatchArgs) -> Result<ExitCode, Fault> {
    let settings = Settings {
        node: args.node.clone(),
        root: args.root.clone(),
        baseline: args.baseline.clone(),
        key: args.key.clone(),
        state: args.state.clone(),
        steps: PathBuf::from(STEPS),
        lock: PathBuf::from(LOCK),
        store: PathBuf::from(STORE),
        bytes_per_second: args.rate.saturating_mul(1 << 20),
        every: Duration::from_secs(args.every.max(1) * 60),
        programs: None,
    };
    let hooks = Hooks {
        ready: &ringfort_node::ready,
        alive: ringfort_node::alive,
        line: &|line: &str| print(&format!("{line}\n")),
        misread: &misread,
    };
    let never = AtomicBool::new(false);
    watch(&settings, hooks, &never).map_err(|fault| match fault {
        WatchFault::Baseline { .. } => Fault::usage(fault),
        WatchFault::Listen(_) => Fault::blind(fault),
        _ => Fault::unable(fault),
    })?;
    Ok(ExitCode::SUCCESS)
}
