//! Where labs keep what they own: files under one directory per lab, mounts of the host under one
//! directory in `/run`, base systems in the cache. Pure: only paths are made here.

use std::path::{Path, PathBuf};

use ringfort_model::name::NodeName;

use crate::name::LabName;

/// The directories that labs use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Places {
    state: PathBuf,
    run: PathBuf,
    cache: PathBuf,
}

impl Places {
    /// Chooses the directories from what the environment says.
    ///
    /// `state` moves the labs' files elsewhere (`RINGFORT_LAB_DIR`), `cache` is the user's cache
    /// directory. What is in `/run` stays there, since names of labs are unique on a host.
    pub fn new(state: Option<PathBuf>, cache: &Path) -> Self {
        Self {
            state: state.unwrap_or_else(|| PathBuf::from("/var/lib/ringfort-lab")),
            run: PathBuf::from(RUN),
            cache: cache.join("ringfort/lab-base"),
        }
    }

    /// Gives the directory under which each lab has its own.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Gives the directory in `/run` that all labs of the host share.
    pub(crate) fn run(&self) -> &Path {
        &self.run
    }

    /// Gives the directory of base systems.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Gives a lab's directory in `/run`; that it exists says that the lab does.
    pub(crate) fn run_of(&self, lab: &LabName) -> PathBuf {
        self.run.join(lab.as_str())
    }

    /// Gives the socket on which a virtual machine's QEMU takes orders. It is in `/run`, since the
    /// path of a socket has to be short.
    pub(crate) fn orders_of(&self, lab: &LabName, machine: &NodeName) -> PathBuf {
        self.run_of(lab).join(format!("{machine}.orders"))
    }

    /// Gives the file that holds a lab's network name space.
    pub(crate) fn hub_of(&self, lab: &LabName) -> PathBuf {
        self.run_of(lab).join("hub")
    }
}

/// The directory of one lab.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home(PathBuf);

impl Home {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Gives the directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the private key that opens every machine of the lab.
    pub fn identity(&self) -> PathBuf {
        self.keys().join("id_ed25519")
    }

    /// Gives the file with the machines' host keys.
    pub fn known_hosts(&self) -> PathBuf {
        self.keys().join("known_hosts")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("ssh")
    }

    pub(crate) fn host_key(&self, machine: &NodeName) -> PathBuf {
        self.keys().join(format!("host-{machine}"))
    }

    /// Gives the disk on which virtual machines see what all machines see.
    pub(crate) fn store_disk(&self) -> PathBuf {
        self.0.join("store.ext4")
    }

    pub(crate) fn machines(&self) -> PathBuf {
        self.0.join("machines")
    }

    pub(crate) fn machine(&self, machine: &NodeName) -> MachineHome {
        MachineHome(self.machines().join(machine.as_str()))
    }
}

/// The directory of one machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineHome(PathBuf);

impl MachineHome {
    /// Gives the directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives what the machine's first boot copies over the base system.
    pub(crate) fn seed(&self) -> PathBuf {
        self.0.join("seed")
    }

    /// Gives the mark of a machine that has not booted yet.
    pub(crate) fn fresh(&self) -> PathBuf {
        self.0.join("fresh")
    }

    /// Gives the image of the machine's own file system.
    pub(crate) fn disk_image(&self) -> PathBuf {
        self.0.join("disk.ext4")
    }

    /// Gives the directory over which that file system is mounted, in the machine's view only.
    pub(crate) fn disk(&self) -> PathBuf {
        self.0.join("disk")
    }

    /// Gives the root of the machine, mounted in the machine's view only.
    pub(crate) fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// Gives what the machine changed in the base system.
    pub(crate) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    /// Gives the scratch directory that overlay mounts need.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Gives what the machine wrote to its console.
    pub fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }
}

/// The labs' directory in `/run`.
pub(crate) const RUN: &str = "/run/ringfort-lab";
