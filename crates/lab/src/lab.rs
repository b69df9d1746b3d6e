//! A lab and what is done with it. Each change is made under a claim on the lab, and is such that a
//! crash in its middle leaves something that the same command, or `down`, can finish.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ringfort_model::name::NodeName;

use crate::boot::Start;
use crate::cluster;
use crate::error::LabError;
use crate::name::LabName;
use crate::os::base;
use crate::os::claim::Claim;
use crate::os::fitness;
use crate::os::power::{self, Off};
use crate::os::processes::{Supervisor, supervisors};
use crate::os::{
    clearing, hub, kernel, keys, make_directory, names_in, placing, read, remove, write_whole,
};
use crate::overview::{MachineState, Overview, Seen};
use crate::places::{Home, Places};
use crate::record::{Cut, Record};
use crate::shape::{Machine, Shape};

/// Takes one line of progress at a time, from any thread.
pub type Report<'a> = &'a (dyn Fn(&str) + Sync);

/// A lab that exists.
#[derive(Clone, Debug)]
pub struct Lab {
    places: Places,
    home: Home,
    record: Record,
}

/// What became of a lab that was to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Down {
    /// It was there and is gone.
    Gone,
    /// There was none.
    Absent,
}

impl Lab {
    /// Lists the labs of the host, those whose record is torn as well.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn list(places: &Places) -> Result<Vec<LabName>, LabError> {
        let mut names = kernel::registered(places)?;
        let directories = names_in(places.state())?;
        names.extend(directories.iter().filter_map(|name| name.parse().ok()));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Opens a lab that exists.
    ///
    /// # Errors
    /// There is none, or its record cannot be used.
    pub fn open(places: &Places, name: &LabName) -> Result<Self, LabError> {
        let home = home_of(places, name)?;
        if !home.record().exists() {
            return Err(LabError::NoLab { name: name.clone() });
        }
        let record = read_record(&home, name)?;
        Ok(Self { places: places.clone(), home, record })
    }

    /// Makes a lab with all machines off, or opens the one there is.
    ///
    /// # Errors
    /// The host cannot hold a lab, or the lab that is there has another shape.
    pub fn create(
        places: &Places,
        name: &LabName,
        shape: Shape,
        store: Option<&Path>,
        report: Report<'_>,
    ) -> Result<Self, LabError> {
        fitness::check()?;
        match Self::open(places, name) {
            Err(LabError::NoLab { .. }) => {}
            Ok(lab) if lab.record.shape == shape => return Ok(lab),
            Ok(lab) => return Err(lab.other_shape()),
            Err(other) => return Err(other),
        }
        let home = Home::new(places.state().join(name.as_str()));
        for path in [home.path(), places.cache()].into_iter().chain(store) {
            check_path(path)?;
        }
        let base = base::ready(places, &|line| report(line))?;
        make_directory(home.path())?;
        let record = Record::new(name.clone(), shape, base, store.map(Path::to_owned));
        let lab = Self { places: places.clone(), home, record };
        let claim = lab.claim()?;
        lab.write_record()?;
        lab.settle(&claim)?;
        Ok(lab)
    }

    /// Takes a lab down by its name, whatever state it is in, and removes all that it owned.
    ///
    /// # Errors
    /// Another command changes it, or something would not go.
    pub fn down(places: &Places, name: &LabName) -> Result<Down, LabError> {
        fitness::check()?;
        let home = home_of(places, name)?;
        let there = home.path().exists() || places.run_of(name).exists();
        if !there && supervisors(name)?.is_empty() && placing::groups_of(name)?.is_empty() {
            return Ok(Down::Absent);
        }
        let _claim = if home.path().exists() { Some(claim(&home, name)?) } else { None };
        let left = clearing::clear(places, name, &home)?;
        if left.is_empty() {
            return Ok(Down::Gone);
        }
        Err(LabError::Left { name: name.clone(), left: left.join(", ") })
    }

    /// Switches machines on side by side and waits until each answers; those that run are left.
    /// No names means all machines.
    ///
    /// # Errors
    /// A machine is unknown, cannot be started or does not answer; the others are started.
    pub fn start(&self, names: &[NodeName], report: Report<'_>) -> Result<(), LabError> {
        let claim = self.claim()?;
        let machines = self.machines_named(names)?;
        self.settle(&claim)?;
        let running = supervisors(self.name())?;
        side_by_side(&machines, |machine| {
            let running = running.iter().find(|found| found.machine == *machine);
            self.start_one(machine, running, report)
        })
    }

    /// Switches machines off side by side. No names means all machines.
    ///
    /// # Errors
    /// A machine is unknown or would not go off.
    pub fn stop(&self, names: &[NodeName], off: Off, report: Report<'_>) -> Result<(), LabError> {
        let _claim = self.claim()?;
        let machines = self.machines_named(names)?;
        let hub = self.hub();
        side_by_side(&machines, |machine| {
            power::stop(self.name(), machine, off, &hub)?;
            report(&format!("{}: off", machine.name));
            Ok(())
        })
    }

    /// Pulls a machine's plug and empties its disks; its next start is its first, under the same
    /// host key.
    ///
    /// # Errors
    /// The machine is unknown or would not go off.
    pub fn wipe(&self, name: &NodeName) -> Result<(), LabError> {
        let _claim = self.claim()?;
        let machine = self.machine(name)?;
        power::stop(self.name(), &machine, Off::Hard, &self.hub())?;
        remove(&self.home.machine(name).disk_image())?;
        power::prepare(self.name(), &machine, &self.home)?;
        Ok(())
    }

    /// Cuts the network; it stays cut when machines come back.
    ///
    /// # Errors
    /// A machine is unknown or the rules are refused.
    pub fn cut(&mut self, cut: Cut) -> Result<(), LabError> {
        for machine in cut.machines() {
            self.machine(machine)?;
        }
        self.change_cuts(|cuts| {
            cuts.insert(cut);
        })
    }

    /// Heals the cuts that a test picks out.
    ///
    /// # Errors
    /// The rules are refused.
    pub fn heal(&mut self, picked: impl Fn(&Cut) -> bool) -> Result<(), LabError> {
        self.change_cuts(|cuts| cuts.retain(|cut| !picked(cut)))
    }

    /// Gives the lab's name.
    pub fn name(&self) -> &LabName {
        &self.record.name
    }

    /// Gives the lab's directory.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Gives the number of its machines of each kind.
    pub fn shape(&self) -> Shape {
        self.record.shape
    }

    /// Lists its machines, control planes first.
    pub fn machines(&self) -> Vec<Machine> {
        self.record.shape.machines()
    }

    /// Finds a machine by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn machine(&self, name: &NodeName) -> Result<Machine, LabError> {
        let machines = self.machines();
        let known = machines.iter().map(|m| m.name.to_string()).collect::<Vec<_>>().join(", ");
        let found = machines.into_iter().find(|machine| machine.name == *name);
        let absent = || {
            let (name, machine) = (self.name().clone(), name.clone());
            LabError::NoMachine { name, machine, known }
        };
        found.ok_or_else(absent)
    }

    /// Tells what the lab is and what of it runs.
    ///
    /// # Errors
    /// The host's processes cannot be read.
    pub fn overview(&self) -> Result<Overview, LabError> {
        let running = supervisors(self.name())?;
        let see = |machine: Machine| {
            let on = running.iter().any(|found| found.machine == machine);
            let state = if on { MachineState::On } else { MachineState::Off };
            Seen { name: machine.name, role: machine.role, address: machine.address, state }
        };
        Ok(Overview {
            name: self.name().clone(),
            home: self.home.path().to_owned(),
            machines: self.machines().into_iter().map(see).collect(),
            cuts: self.record.cuts.iter().cloned().collect(),
        })
    }

    /// Writes the `cluster.yaml` for a cluster of the given version on all machines, with what a
    /// lab's machines cannot have waived until a date.
    pub fn cluster_yaml(&self, kubernetes: &str, waived_until: &str) -> String {
        let (lab, shape) = (self.name(), self.record.shape);
        cluster::cluster_yaml(lab, shape, &self.home, kubernetes, waived_until)
    }

    /// Gives the arguments of `ssh` that reach a machine from inside the lab; host keys are checked
    /// and the user's own configuration plays no part.
    ///
    /// # Errors
    /// The machine is unknown.
    pub fn ssh_arguments(&self, machine: &NodeName) -> Result<Vec<String>, LabError> {
        let machine = self.machine(machine)?;
        let identity = self.home.identity().to_string_lossy().into_owned();
        let known = format!("UserKnownHostsFile=\"{}\"", self.home.known_hosts().display());
        let options = [&known, "GlobalKnownHostsFile=none", "StrictHostKeyChecking=yes"];
        let mut words = vec!["-F".to_owned(), "none".to_owned(), "-i".to_owned(), identity];
        for option in options.into_iter().chain(["IdentitiesOnly=yes", "ConnectTimeout=5"]) {
            words.extend(["-o".to_owned(), option.to_owned()]);
        }
        words.push(format!("root@{}", machine.address));
        Ok(words)
    }

    /// Gives a command that runs a program inside the lab's network.
    pub fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.hub().display())).arg(program);
        command
    }

    /// Replaces this process by a program inside the lab's network; returns only if that fails.
    pub fn become_inside(&self, command: Command) -> LabError {
        match hub::is_mounted(&self.hub()) {
            Ok(false) => LabError::Asleep { name: self.name().clone() },
            _ => hub::become_inside(&self.hub(), command).into(),
        }
    }

    fn start_one(
        &self,
        machine: &Machine,
        running: Option<&Supervisor>,
        report: Report<'_>,
    ) -> Result<(), LabError> {
        let begun = Instant::now();
        let pid = match running {
            Some(supervisor) => supervisor.pid,
            None => self.boot(machine)?,
        };
        if self.record.cuts.contains(&Cut::Alone(machine.name.clone())) {
            report(&format!("{}: on, and cut off", machine.name));
            return Ok(());
        }
        if !power::wait_for_ssh(&self.hub(), machine, pid, LONGEST_BOOT) {
            return Err(self.silent(machine, begun.elapsed()));
        }
        let (name, address) = (&machine.name, machine.address);
        let took = begun.elapsed().as_secs_f32();
        report(&format!("{name}: answers at {address} after {took:.1} s"));
        Ok(())
    }

    fn boot(&self, machine: &Machine) -> Result<u32, LabError> {
        power::prepare(self.name(), machine, &self.home)?;
        let start = Start {
            lab: self.name(),
            machine,
            home: &self.home.machine(&machine.name),
            base: &self.record.base,
            store: self.record.store.as_deref(),
            placement: placing::placement()?,
        };
        Ok(power::start(&start, &self.hub())?)
    }

    fn silent(&self, machine: &Machine, waited: Duration) -> LabError {
        let console = power::console_end(&self.home.machine(&machine.name));
        LabError::Silent { machine: machine.name.clone(), waited, console }
    }

    /// Brings about what the lab needs beside its machines; after a restart of the host, again.
    fn settle(&self, claim: &Claim) -> Result<(), LabError> {
        let elsewhere = kernel::register(&self.places, self.name(), self.home.path())?;
        if let Some(home) = elsewhere {
            return Err(LabError::Elsewhere { name: self.name().clone(), home });
        }
        keys::make(&self.home, &self.machines())?;
        hub::make(&self.hub(), claim)?;
        hub::apply_cuts(&self.hub(), &self.record.cuts, &self.machines())?;
        Ok(())
    }

    fn change_cuts(&mut self, change: impl FnOnce(&mut BTreeSet<Cut>)) -> Result<(), LabError> {
        let _claim = self.claim()?;
        self.record = read_record(&self.home, self.name())?;
        change(&mut self.record.cuts);
        self.write_record()?;
        Ok(hub::apply_cuts(&self.hub(), &self.record.cuts, &self.machines())?)
    }

    fn machines_named(&self, names: &[NodeName]) -> Result<Vec<Machine>, LabError> {
        if names.is_empty() {
            return Ok(self.machines());
        }
        names.iter().map(|name| self.machine(name)).collect()
    }

    fn claim(&self) -> Result<Claim, LabError> {
        claim(&self.home, self.name())
    }

    fn hub(&self) -> PathBuf {
        self.places.hub_of(self.name())
    }

    fn write_record(&self) -> Result<(), LabError> {
        Ok(write_whole(&self.home.record(), self.record.to_text().as_bytes())?)
    }

    fn other_shape(&self) -> LabError {
        let (name, shape) = (self.name().clone(), self.record.shape);
        let (control_planes, workers) = (shape.control_planes(), shape.workers());
        LabError::OtherShape { name, control_planes, workers }
    }
}

/// Does something with every machine at once; one that fails does not hold up the others.
fn side_by_side(
    machines: &[Machine],
    act: impl Fn(&Machine) -> Result<(), LabError> + Sync,
) -> Result<(), LabError> {
    let outcomes: Vec<Result<(), LabError>> = thread::scope(|scope| {
        let act = &act;
        let begin = |machine| scope.spawn(move || act(machine));
        let threads: Vec<_> = machines.iter().map(begin).collect();
        threads.into_iter().map(|thread| thread.join().expect("no act panics")).collect()
    });
    outcomes.into_iter().collect()
}

fn home_of(places: &Places, name: &LabName) -> Result<Home, LabError> {
    let registered = kernel::home_of(places, name)?;
    Ok(Home::new(registered.unwrap_or_else(|| places.state().join(name.as_str()))))
}

fn claim(home: &Home, name: &LabName) -> Result<Claim, LabError> {
    Claim::take(home.path())?.ok_or_else(|| LabError::Busy { name: name.clone() })
}

fn read_record(home: &Home, name: &LabName) -> Result<Record, LabError> {
    let path = home.record();
    let torn = |source| LabError::Record { path: home.record(), name: name.clone(), source };
    Record::parse(&read(&path)?).map_err(torn)
}

fn check_path(path: &Path) -> Result<(), LabError> {
    let odd = path.to_string_lossy().contains([':', ',', '\\']);
    if odd { Err(LabError::OddPath { path: path.to_owned() }) } else { Ok(()) }
}

const LONGEST_BOOT: Duration = Duration::from_secs(120);
