//! Throwaway machines on one Linux host, so that a `cluster.yaml` is rehearsed before it touches
//! real hosts, and tests meet real Kubernetes.
//!
//! A [`Lab`] is a number of Debian machines in systemd-nspawn, with real systemd and sshd, a file
//! system of their own each, on a bridge in a network name space of its own, all with addresses of one
//! family. Labs have names and several stand side by side. Machines that are named may be virtual ones
//! instead, in QEMU on the same bridge, with a kernel of their own. Machines outlive the command that
//! started them; after [`Lab::down`] nothing is left of them, also when a command was killed half-way.
//!
//! How that is kept:
//! - Everything a lab owns on the host carries its name, and is found by it: nothing depends on a
//!   record having been written in time.
//! - A machine's mounts and network are its processes' own, so the kernel ends them with it.
//! - The lab's network name space is held by one mount in `/run`, its files by one directory.
//! - Settings of the kernel are saved before the first lab and put back after the last.
//!
//! Never here: anything about Kubernetes. A lab's machines are bare, as a user's would be.

mod apt;
mod boot;
mod cluster;
mod error;
mod groups;
mod lab;
mod name;
mod network;
mod os;
mod overview;
mod places;
mod recipe;
mod record;
mod shape;
mod virtual_machine;

pub use boot::SEED;
pub use error::LabError;
pub use lab::{Down, Lab, Report, Wanted};
pub use name::{LabName, NotALabName};
pub use os::Fault;
pub use os::base::NoBase;
pub use os::fitness::Unfit;
pub use os::power::Off;
pub use overview::{MachineKind, MachineState, Overview, Seen};
pub use places::{Home, Places};
pub use record::{Cut, UnreadableRecord};
pub use shape::{Machine, NotAShape, Role, Shape};
