//! `ringfort lab`: throwaway machines on this host. Arguments and output only; the room is
//! `ringfort-lab`.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use ringfort_lab::{
    Cut, Down, Lab, LabError, LabName, MachineKind, MachineState, Off, Overview, Places, Role,
    Shape, Wanted,
};
use ringfort_model::name::{NodeName, NotAName};
use ringfort_model::net::Family;

use super::Fault;
use super::sabotage::{self, SabotageArgs};

/// Throwaway machines on this host, to rehearse a cluster on
///
/// A lab is a number of Debian machines in systemd-nspawn, each with systemd, sshd and a file
/// system of its own, on a network that nothing outside can reach. Commands reach it by `lab run`.
/// Labs have names; several stand side by side without meeting. Machines may also be virtual ones,
/// with a kernel of their own.
///
/// Needs root. The base system is made once from this host's package sources and cached.
#[derive(Args)]
pub struct LabArgs {
    /// Where labs keep their files, other than /var/lib/ringfort-lab
    #[arg(long, env = "RINGFORT_LAB_DIR", value_name = "DIR", global = true)]
    lab_dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make a lab and switch its machines on; of a lab that is there, those that are off
    ///
    /// Exit codes: 0 all answer, 2 usage, or this host or the lab that is there does not fit, 4 something could not be
    /// done (run it again).
    Up(Up),
    /// Show the labs of this host and what runs of them
    ///
    /// Exit codes: 0 shown, 2 usage, 4 they could not be looked at.
    List {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Open a shell on a machine, or run a command there
    ///
    /// Exit codes: that of the command, 255 of ssh, 2 usage, or there is no such lab or machine, 4 it could not be entered.
    Ssh {
        /// The lab, by its name
        lab: LabName,
        /// The machine, such as cp1
        #[arg(value_parser = machine_name)]
        machine: NodeName,
        /// The command; a shell if none is given
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Run a command of this host inside the lab's network
    ///
    /// Example: ringfort lab run harbour -- ringfort up
    ///
    /// Exit codes: that of the command, 2 usage, or there is no such lab, 4 it could not be started there.
    Run {
        /// The lab, by its name
        lab: LabName,
        /// The command with its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Write a cluster.yaml for the lab's machines to standard output
    ///
    /// Exit codes: 0 written, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Hosts {
        /// The lab, by its name
        lab: LabName,
        /// The version of Kubernetes to ask for
        #[arg(long, default_value = "1.37", value_name = "VERSION")]
        kubernetes: String,
    },
    /// Switch machines off
    ///
    /// Exit codes: 0 they are off, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Stop {
        /// The lab, by its name
        lab: LabName,
        /// The machines; all if none is named
        #[arg(value_parser = machine_name)]
        machines: Vec<NodeName>,
        /// Pull the plug: everything in the machine ends at once, without warning
        #[arg(long)]
        hard: bool,
    },
    /// Switch machines on and wait until they answer
    ///
    /// Exit codes: 0 they answer, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Start {
        /// The lab, by its name
        lab: LabName,
        /// The machines; all if none is named
        #[arg(value_parser = machine_name)]
        machines: Vec<NodeName>,
    },
    /// Pull a machine's plug and empty its disks; its next start is its first
    ///
    /// Exit codes: 0 it is empty, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Wipe {
        /// The lab, by its name
        lab: LabName,
        /// The machine, such as cp1
        #[arg(value_parser = machine_name)]
        machine: NodeName,
    },
    /// Cut two machines from each other, or one from all and from the operator
    ///
    /// Exit codes: 0 cut, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Cut {
        /// The lab, by its name
        lab: LabName,
        /// The machine, such as cp1
        #[arg(value_parser = machine_name)]
        machine: NodeName,
        /// The machine that it is cut from; all others and the operator if none is named
        #[arg(value_parser = machine_name)]
        other: Option<NodeName>,
    },
    /// Heal cuts: between two machines, all of one machine, or all
    ///
    /// Exit codes: 0 healed, 2 usage, or there is no such lab or machine, 4 something could not be done.
    Heal {
        /// The lab, by its name
        lab: LabName,
        /// The machine, such as cp1; all cuts are healed if none is named
        #[arg(value_parser = machine_name)]
        machine: Option<NodeName>,
        /// The machine whose cut from it is healed; all of its cuts if none is named
        #[arg(value_parser = machine_name)]
        other: Option<NodeName>,
    },
    Sabotage(Box<SabotageArgs>),
    /// Remove labs with all that they own
    ///
    /// Exit codes: 0 none of them is there any more, 2 usage, 4 something could not be removed (run it again).
    Down {
        /// The labs, by their names
        #[arg(required = true)]
        labs: Vec<LabName>,
    },
}

#[derive(Args)]
struct Up {
    /// The lab, by its name
    lab: LabName,
    /// How many machines are for the control plane, of a new lab 3
    #[arg(long, value_name = "N")]
    control_planes: Option<u8>,
    /// How many machines are for workloads, of a new lab 3
    #[arg(long, value_name = "N")]
    workers: Option<u8>,
    /// Give the machines of a new lab IPv6 addresses, and none of IPv4
    ///
    /// They are static ones of fd00:10:77::/64. The cluster.yaml of such a lab (`lab hosts`) has them, and so makes a
    /// cluster of IPv6 alone.
    #[arg(long)]
    ipv6: bool,
    /// A directory that every machine of a new lab sees read-only at /var/lib/ringfort/seed
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Machines of a new lab that are virtual ones with a kernel of their own, such as cp3,w3
    ///
    /// They run in QEMU on the lab's network: by KVM where a kernel starts with it, else emulated,
    /// about ten times slower. Everything that is done to a lab's machines is done to them as well.
    #[arg(long = "vm", value_name = "MACHINES", value_delimiter = ',', value_parser = machine_name)]
    virtual_machines: Vec<NodeName>,
    /// The memory of each virtual machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(512..))]
    vm_memory: u32,
}

/// Does what was asked for.
pub fn run(args: LabArgs) -> Result<ExitCode, Fault> {
    let places = places(args.lab_dir)?;
    match args.verb {
        Verb::Up(up) => self::up(&places, &up)?,
        Verb::List { json } => list(&places, json)?,
        Verb::Ssh { lab, machine, command } => {
            return Err(ssh(&open(&places, &lab)?, &machine, &command));
        }
        Verb::Run { lab, command } => return Err(enter(&open(&places, &lab)?, &command)),
        Verb::Hosts { lab, kubernetes } => {
            let text = open(&places, &lab)?.cluster_yaml(&kubernetes, &in_a_month());
            print!("{text}");
        }
        Verb::Stop { lab, machines, hard } => {
            let off = if hard { Off::Hard } else { Off::Graceful };
            open(&places, &lab)?.stop(&machines, off, &report).map_err(fault)?;
        }
        Verb::Start { lab, machines } => {
            open(&places, &lab)?.start(&machines, &report).map_err(fault)?;
        }
        Verb::Wipe { lab, machine } => open(&places, &lab)?.wipe(&machine).map_err(fault)?,
        Verb::Cut { lab, machine, other } => {
            let cut = cut_of(machine, other)?;
            open(&places, &lab)?.cut(cut).map_err(fault)?;
        }
        Verb::Heal { lab, machine, other } => heal(open(&places, &lab)?, machine, other)?,
        Verb::Sabotage(args) => {
            return match &args.lab {
                None => sabotage::list(&args),
                Some(lab) => sabotage::run(&args, &open(&places, lab)?),
            };
        }
        Verb::Down { labs } => labs.iter().try_for_each(|lab| down(&places, lab))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn machine_name(text: &str) -> Result<NodeName, NotAName> {
    NodeName::new(text)
}

fn places(lab_dir: Option<PathBuf>) -> Result<Places, Fault> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let cache = cache
        .or_else(home)
        .ok_or_else(|| Fault::usage("neither XDG_CACHE_HOME nor HOME is set: set one"))?;
    let absolute = |path: PathBuf| std::path::absolute(path).map_err(Fault::usage);
    Ok(Places::new(lab_dir.map(absolute).transpose()?, &absolute(cache)?))
}

fn open(places: &Places, lab: &LabName) -> Result<Lab, Fault> {
    Lab::open(places, lab).map_err(fault)
}

fn up(places: &Places, up: &Up) -> Result<(), Fault> {
    let begun = std::time::Instant::now();
    let there = match Lab::open(places, &up.lab) {
        Ok(lab) => Some(lab),
        Err(LabError::NoLab { .. }) => None,
        Err(other) => return Err(fault(other)),
    };
    let had = there.as_ref().map(Lab::shape);
    let control_planes = up.control_planes.or(had.map(Shape::control_planes)).unwrap_or(3);
    let workers = up.workers.or(had.map(Shape::workers)).unwrap_or(3);
    let family = match up.ipv6 {
        true => Family::V6,
        false => had.map_or(Family::V4, Shape::family),
    };
    let shape = Shape::new(control_planes, workers).map_err(Fault::usage)?.over(family);
    let store = up.store.as_deref().map(store).transpose()?;
    let mut virtual_machines: BTreeSet<NodeName> = up.virtual_machines.iter().cloned().collect();
    if let Some(lab) = there.filter(|_| virtual_machines.is_empty()) {
        virtual_machines = lab.virtual_machines();
    }
    let wanted = Wanted {
        shape,
        store: store.as_deref(),
        virtual_machines: &virtual_machines,
        memory_mebibytes: up.vm_memory,
    };
    let lab = Lab::create(places, &up.lab, &wanted, &report).map_err(fault)?;
    lab.start(&[], &report).map_err(fault)?;
    report(&format!("lab {} is up after {:.1} s", up.lab, begun.elapsed().as_secs_f32()));
    Ok(())
}

fn store(path: &Path) -> Result<PathBuf, Fault> {
    let found = std::fs::canonicalize(path);
    found.map_err(|error| Fault::usage(format!("cannot use {}: {error}", path.display())))
}

fn list(places: &Places, json: bool) -> Result<(), Fault> {
    let mut overviews = Vec::new();
    for name in Lab::list(places).map_err(fault)? {
        match Lab::open(places, &name).and_then(|lab| lab.overview()) {
            Ok(overview) => overviews.push(overview),
            Err(broken) => report(&format!("lab {name}: {broken}")),
        }
    }
    if json {
        let text = serde_json::to_string_pretty(&overviews).map_err(Fault::unable)?;
        println!("{text}");
    } else if !overviews.is_empty() {
        println!("{}", table(&overviews));
    }
    Ok(())
}

fn table(overviews: &[Overview]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["LAB", "MACHINE", "FOR", "KIND", "ADDRESS", "STATE"]);
    for overview in overviews {
        for machine in &overview.machines {
            let role = match machine.role {
                Role::ControlPlane => "control plane",
                Role::Worker => "workloads",
            };
            let kind = match machine.kind {
                MachineKind::Container => "container",
                MachineKind::Virtual => "virtual",
            };
            let state = match machine.state {
                MachineState::On => "on",
                MachineState::Off => "off",
            };
            let cuts = cut_from(&overview.cuts, &machine.name);
            let (lab, name) = (overview.name.to_string(), machine.name.to_string());
            table.add_row([
                lab,
                name,
                role.into(),
                kind.into(),
                machine.address.to_string(),
                format!("{state}{cuts}"),
            ]);
        }
    }
    table
}

/// Says from whom a machine is cut.
fn cut_from(cuts: &[Cut], machine: &NodeName) -> String {
    let other = |cut: &Cut| match cut {
        Cut::Alone(_) => "all".to_owned(),
        Cut::Between(one, other) => (if one == machine { other } else { one }).to_string(),
    };
    let others: Vec<String> = cuts.iter().filter(|cut| cut.concerns(machine)).map(other).collect();
    if others.is_empty() { String::new() } else { format!(", cut from {}", others.join(" and ")) }
}

fn ssh(lab: &Lab, machine: &NodeName, command: &[String]) -> Fault {
    match lab.ssh_arguments(machine) {
        Ok(arguments) => {
            let mut ssh = Command::new("ssh");
            ssh.args(arguments).args((!command.is_empty()).then_some("--")).args(command);
            fault(lab.become_inside(ssh))
        }
        Err(unknown) => fault(unknown),
    }
}

fn enter(lab: &Lab, words: &[OsString]) -> Fault {
    let (program, arguments) = words.split_first().expect("the command line demands one word");
    let mut command = Command::new(program);
    command.args(arguments);
    fault(lab.become_inside(command))
}

fn heal(mut lab: Lab, machine: Option<NodeName>, other: Option<NodeName>) -> Result<(), Fault> {
    for name in machine.iter().chain(&other) {
        lab.machine(name).map_err(fault)?;
    }
    let healed = match (machine, other) {
        (Some(one), Some(other)) => {
            let cut = cut_of(one, Some(other))?;
            lab.heal(|found| *found == cut)
        }
        (Some(one), None) => lab.heal(|found| found.concerns(&one)),
        (None, _) => lab.heal(|_| true),
    };
    healed.map_err(fault)
}

fn cut_of(machine: NodeName, other: Option<NodeName>) -> Result<Cut, Fault> {
    match other {
        None => Ok(Cut::Alone(machine)),
        Some(other) => Cut::between(machine, other)
            .ok_or_else(|| Fault::usage("a machine has no link to itself: name two machines")),
    }
}

fn down(places: &Places, lab: &LabName) -> Result<(), Fault> {
    match Lab::down(places, lab).map_err(fault)? {
        Down::Gone => report(&format!("lab {lab} is gone")),
        Down::Absent => report(&format!("there is no lab {lab}")),
    }
    Ok(())
}

fn report(line: &str) {
    anstream::eprintln!("{line}");
}

/// A lab is not for long; what it waives ends by itself.
fn in_a_month() -> String {
    let today = jiff::Zoned::now().date();
    today.saturating_add(jiff::Span::new().months(1)).to_string()
}

/// Sorts what went wrong into whose turn it is.
pub fn fault(error: LabError) -> Fault {
    use LabError::{NoLab, NoMachine, OddPath, OtherShape, Unfit};

    match error {
        NoLab { .. } | NoMachine { .. } | OddPath { .. } | OtherShape { .. } | Unfit(_) => {
            Fault::usage(error)
        }
        _ => Fault::unable(error),
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::{Cut, LabArgs, NodeName, cut_from};

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    #[test]
    fn the_command_line_is_sound() {
        LabArgs::augment_args(clap::Command::new("lab")).debug_assert();
    }

    #[test]
    fn a_machine_is_shown_with_those_it_is_cut_from() {
        let cuts = [Cut::between(node("cp1"), node("w1")).unwrap(), Cut::Alone(node("w1"))];
        for (machine, expected) in
            [("cp1", ", cut from w1"), ("w1", ", cut from cp1 and all"), ("w2", "")]
        {
            assert_eq!(cut_from(&cuts, &node(machine)), expected);
        }
    }
}
