//! A lab and what is done with it. Each change is made under a claim on the lab, and is such that a
//! crash in its middle leaves something that the same command, or `down`, can finish.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;

use crate::boot::{Body, Start};
use crate::cluster;
use crate::error::LabError;
use crate::name::LabName;
use crate::os::base;
use crate::os::claim::Claim;
use crate::os::fitness;
use crate::os::power::{self, Off};
use crate::os::processes::{Supervisor, supervisors};
use crate::os::{
    clearing, hub, image, kernel, keys, make_directory, names_in, placing, read, remove,
    write_whole,
};
use crate::overview::{MachineKind, MachineState, Overview, Seen};
use crate::places::{Home, MachineHome, Places};
use crate::recipe::Base;
use crate::record::{Cut, Record};
use crate::shape::{Machine, Shape};
use crate::virtual_machine::{Acceleration, Emulator, Image, VirtualMachines};

/// Takes one line of progress at a time, from any thread.
pub type Report<'a> = &'a (dyn Fn(&str) + Sync);

/// A lab that exists.
#[derive(Clone, Debug)]
pub struct Lab {
    places: Places,
    home: Home,
    record: Record,
}

/// What a lab is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// How many machines of each kind, and the family of their addresses.
    pub shape: Shape,
    /// A directory that every machine sees read-only; virtual ones as it was when the lab was made.
    pub store: Option<&'a Path>,
    /// Those that are virtual.
    pub virtual_machines: &'a BTreeSet<NodeName>,
    /// The memory of each virtual machine.
    pub memory_mebibytes: u32,
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
        wanted: &Wanted<'_>,
        report: Report<'_>,
    ) -> Result<Self, LabError> {
        fitness::check()?;
        match Self::open(places, name) {
            Err(LabError::NoLab { .. }) => {}
            Ok(lab) => return lab.if_same(wanted),
            Err(other) => return Err(other),
        }
        let home = Home::new(places.state().join(name.as_str()));
        for path in [home.path(), places.cache()].into_iter().chain(wanted.store) {
            check_path(path)?;
        }
        if wanted.shape.family() == Family::V6 {
            fitness::check_ipv6()?;
        }
        let base = base::ready(places, Base::Container, &|line| report(line))?;
        let store = wanted.store.map(Path::to_owned);
        let mut record = Record::new(name.clone(), wanted.shape, base, store);
        record.virtual_machines = virtual_machines(places, name, wanted, report)?;
        make_directory(home.path())?;
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
            let running = running.iter().find(|found| found.machine == machine.name);
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
        side_by_side(&machines, |machine| {
            power::stop(&self.places, self.name(), machine, off)?;
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
        power::stop(&self.places, self.name(), &machine, Off::Hard)?;
        remove(&self.home.machine(name).disk_image())?;
        self.prepare(&machine)
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

    /// Gives the number of its machines of each kind, and the family of their addresses.
    pub fn shape(&self) -> Shape {
        self.record.shape
    }

    /// Names those of its machines that are virtual.
    pub fn virtual_machines(&self) -> BTreeSet<NodeName> {
        self.record.virtual_names()
    }

    /// Lists its machines, control planes first.
    pub fn machines(&self) -> Vec<Machine> {
        self.record.shape.machines()
    }

    /// Says whether this process is in the lab's network, where its addresses mean its machines.
    pub fn is_inside(&self) -> bool {
        hub::is_own(&self.hub())
    }

    /// Finds a machine by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn machine(&self, name: &NodeName) -> Result<Machine, LabError> {
        find(&self.machines(), self.name(), name)
    }

    /// Tells what the lab is and what of it runs.
    ///
    /// # Errors
    /// The host's processes cannot be read.
    pub fn overview(&self) -> Result<Overview, LabError> {
        let running = supervisors(self.name())?;
        let see = |machine: Machine| {
            let on = running.iter().any(|found| found.machine == machine.name);
            let state = if on { MachineState::On } else { MachineState::Off };
            let kind = match self.record.made_virtual(&machine.name) {
                Some(_) => MachineKind::Virtual,
                None => MachineKind::Container,
            };
            Seen { name: machine.name, role: machine.role, address: machine.address, kind, state }
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
        let release = kernel::release();
        cluster::cluster_yaml(&self.record, &self.home, &release, (kubernetes, waived_until))
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
        let longest = match self.record.made_virtual(&machine.name) {
            Some(_) => LONGEST_VIRTUAL_BOOT,
            None => LONGEST_BOOT,
        };
        if !power::wait_for_ssh(&self.hub(), machine, pid, longest) {
            return Err(self.silent(machine, begun.elapsed()));
        }
        let (name, address) = (&machine.name, machine.address);
        let took = begun.elapsed().as_secs_f32();
        report(&format!("{name}: answers at {address} after {took:.1} s"));
        Ok(())
    }

    fn boot(&self, machine: &Machine) -> Result<u32, LabError> {
        let made = self.record.made_virtual(&machine.name);
        self.prepare(machine)?;
        let home = self.home.machine(&machine.name);
        let body = match made {
            Some(made) => self.virtual_body(machine, made, &home),
            None => Body::Container {
                base: &self.record.base,
                store: self.record.store.as_deref(),
                placement: placing::placement()?,
            },
        };
        let start = Start { lab: self.name(), machine, home: &home, body };
        Ok(power::start(&start, &self.hub())?)
    }

    fn prepare(&self, machine: &Machine) -> Result<(), LabError> {
        let made = self.record.made_virtual(&machine.name);
        let store = self.record.store.as_deref();
        Ok(power::prepare(self.name(), machine, &self.home, made, store)?)
    }

    fn virtual_body<'a>(
        &'a self,
        machine: &'a Machine,
        made: &'a VirtualMachines,
        home: &MachineHome,
    ) -> Body<'a> {
        let emulator = Emulator {
            mark: self.name().machine_mark(&machine.name),
            machine,
            made,
            disk: home.disk_image(),
            store: self.record.store.as_ref().map(|_| self.home.store_disk()),
            orders: self.places.orders_of(self.name(), &machine.name),
        };
        Body::Virtual { emulator, hub: self.hub() }
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
        if let (Some(store), Some(_)) = (&self.record.store, &self.record.virtual_machines) {
            image::make_store(store, &self.home.store_disk())?;
        }
        hub::make(&self.hub(), self.record.shape.family(), claim)?;
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

    /// Gives the lab if it is what is wanted.
    fn if_same(self, wanted: &Wanted<'_>) -> Result<Self, LabError> {
        let (name, shape) = (self.name().clone(), self.record.shape);
        let virtual_machines = self.record.virtual_names();
        if shape == wanted.shape && virtual_machines == *wanted.virtual_machines {
            return Ok(self);
        }
        let names: Vec<&str> = virtual_machines.iter().map(NodeName::as_str).collect();
        let virtual_machines = match names.as_slice() {
            [] => "none of them virtual".to_owned(),
            names => format!("{} virtual", names.join(", ")),
        };
        let (control_planes, workers) = (shape.control_planes(), shape.workers());
        let family = shape.family();
        Err(LabError::OtherShape { name, control_planes, workers, family, virtual_machines })
    }
}

/// Decides what a new lab's virtual machines are made of.
fn virtual_machines(
    places: &Places,
    lab: &LabName,
    wanted: &Wanted<'_>,
    report: Report<'_>,
) -> Result<Option<VirtualMachines>, LabError> {
    let machines = wanted.shape.machines();
    for name in wanted.virtual_machines {
        find(&machines, lab, name)?;
    }
    if wanted.virtual_machines.is_empty() {
        return Ok(None);
    }
    fitness::check_virtual()?;
    let image = base::ready(places, Base::Virtual, &|line| report(line))?;
    let acceleration = image::acceleration(&Image::new(image.clone()));
    if acceleration == Acceleration::Emulation {
        report("no kernel starts by KVM on this host: virtual machines are emulated, and slow");
    }
    let (names, memory_mebibytes) = (wanted.virtual_machines.clone(), wanted.memory_mebibytes);
    Ok(Some(VirtualMachines { names, memory_mebibytes, acceleration, image }))
}

fn find(machines: &[Machine], lab: &LabName, name: &NodeName) -> Result<Machine, LabError> {
    let found = machines.iter().find(|machine| machine.name == *name).cloned();
    let absent = || {
        let known = machines.iter().map(|m| m.name.to_string()).collect::<Vec<_>>().join(", ");
        LabError::NoMachine { name: lab.clone(), machine: name.clone(), known }
    };
    found.ok_or_else(absent)
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
/// An emulated machine needs about a minute, and longer beside others.
const LONGEST_VIRTUAL_BOOT: Duration = Duration::from_secs(420);
