//! A lab as it is seen: what people and programs are shown of it.

use std::net::IpAddr;
use std::path::PathBuf;

use ringfort_model::name::NodeName;
use serde::Serialize;

use crate::name::LabName;
use crate::record::Cut;
use crate::shape::Role;

/// What a lab is and what of it runs, for people and programs to read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The lab's name.
    pub name: LabName,
    /// Its directory.
    pub home: PathBuf,
    /// Its machines.
    pub machines: Vec<Seen>,
    /// The cuts in its network.
    pub cuts: Vec<Cut>,
}

/// One machine as it is seen.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Its name.
    pub name: NodeName,
    /// What it is for.
    pub role: Role,
    /// Its address in the lab's network.
    pub address: IpAddr,
    /// What it is.
    pub kind: MachineKind,
    /// Whether it runs.
    pub state: MachineState,
}

/// What a machine is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineKind {
    /// A container with the host's kernel.
    Container,
    /// A virtual machine with a kernel of its own.
    Virtual,
}

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineState {
    /// It is switched on.
    On,
    /// It is switched off.
    Off,
}
