//! What can go wrong with a lab, and the way out of it.

use std::path::PathBuf;
use std::time::Duration;

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;

use crate::name::LabName;
use crate::os::Fault;
use crate::os::base::NoBase;
use crate::os::fitness::Unfit;
use crate::record::UnreadableRecord;

/// Says why something could not be done with a lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The host lacks something.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// There is no base system to start machines from.
    #[error(transparent)]
    NoBase(#[from] NoBase),
    /// The host did not do something.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// There is no such lab.
    #[error("there is no lab {name}: make it with ringfort lab up {name}")]
    NoLab {
        /// The name that was asked for.
        name: LabName,
    },
    /// The lab's network is gone, as after a restart of the host.
    #[error("lab {name} has no network since the host restarted: run ringfort lab up {name}")]
    Asleep {
        /// The lab.
        name: LabName,
    },
    /// Another command changes the lab.
    #[error("another command is changing lab {name}: wait for it or end it")]
    Busy {
        /// The lab.
        name: LabName,
    },
    /// The lab has other machines than were asked for.
    #[error(
        "lab {name} has {control_planes} control planes and {workers} workers with {family} \
         addresses, {virtual_machines}: take it down first to change that"
    )]
    OtherShape {
        /// The lab.
        name: LabName,
        /// The control planes it has.
        control_planes: u8,
        /// The workers it has.
        workers: u8,
        /// The family of their addresses.
        family: Family,
        /// Which of them are virtual, in words.
        virtual_machines: String,
    },
    /// A lab of this name has its files elsewhere.
    #[error("lab {name} is at home in {home}: choose another name or point RINGFORT_LAB_DIR there", home = home.display())]
    Elsewhere {
        /// The lab.
        name: LabName,
        /// Where it is.
        home: PathBuf,
    },
    /// A directory cannot be part of an overlay mount.
    #[error("{path} holds a colon, a comma or a backslash, which mounts do not take: choose another directory", path = path.display())]
    OddPath {
        /// The directory.
        path: PathBuf,
    },
    /// The record cannot be used.
    #[error("cannot use {path}: take the lab down with ringfort lab down {name}", path = path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// The lab.
        name: LabName,
        /// Why.
        source: UnreadableRecord,
    },
    /// The lab has no such machine.
    #[error("lab {name} has no machine {machine}: it has {known}")]
    NoMachine {
        /// The lab.
        name: LabName,
        /// The name that was asked for.
        machine: NodeName,
        /// The machines it has.
        known: String,
    },
    /// A machine does not answer.
    #[error("machine {machine} did not answer within {waited:?}; its console ends with: {console}")]
    Silent {
        /// The machine.
        machine: NodeName,
        /// How long it was given.
        waited: Duration,
        /// The end of what it wrote.
        console: String,
    },
    /// Something of a lab could not be removed.
    #[error("something of lab {name} is left: {left}")]
    Left {
        /// The lab.
        name: LabName,
        /// What is left.
        left: String,
    },
}
