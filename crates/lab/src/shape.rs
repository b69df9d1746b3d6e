//! The shape of a lab: how many machines of which kind, and what follows from that for each of
//! them: name, address, hardware address, port of the bridge. Pure: the same shape gives the same
//! machines in every lab, since each lab has a network of its own.

use std::net::Ipv4Addr;

use ringfort_model::name::NodeName;
use serde::{Deserialize, Serialize};

/// How many machines a lab has.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Counts", into = "Counts", rename_all = "camelCase")]
pub struct Shape {
    control_planes: u8,
    workers: u8,
}

/// Says that a lab cannot have so many machines.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a lab has 1 to {MOST_CONTROL_PLANES} control planes and up to {MOST_WORKERS} workers, \
     not {control_planes} and {workers}"
)]
pub struct NotAShape {
    control_planes: u8,
    workers: u8,
}

/// What a machine is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is to run the control plane.
    ControlPlane,
    /// It is to run workloads.
    Worker,
}

/// One machine of a lab.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Machine {
    /// Its name: `cp1`, `w1` and so on.
    pub name: NodeName,
    /// What it is for.
    pub role: Role,
    /// Its address in the lab's network.
    pub address: Ipv4Addr,
}

impl Shape {
    /// Checks the numbers.
    ///
    /// # Errors
    /// There is no control plane, or there are more machines than addresses.
    pub fn new(control_planes: u8, workers: u8) -> Result<Self, NotAShape> {
        let fits = (1..=MOST_CONTROL_PLANES).contains(&control_planes) && workers <= MOST_WORKERS;
        if fits {
            Ok(Self { control_planes, workers })
        } else {
            Err(NotAShape { control_planes, workers })
        }
    }

    /// Gives the number of control planes.
    pub fn control_planes(self) -> u8 {
        self.control_planes
    }

    /// Gives the number of workers.
    pub fn workers(self) -> u8 {
        self.workers
    }

    /// Lists the machines, control planes first.
    pub fn machines(self) -> Vec<Machine> {
        let control_planes = (1..=self.control_planes).map(|n| Machine::new(Role::ControlPlane, n));
        let workers = (1..=self.workers).map(|n| Machine::new(Role::Worker, n));
        control_planes.chain(workers).collect()
    }
}

impl Machine {
    fn new(role: Role, number: u8) -> Self {
        let (prefix, first) = match role {
            Role::ControlPlane => ("cp", 10),
            Role::Worker => ("w", 20),
        };
        let name = NodeName::new(format!("{prefix}{number}")).expect("letters and digits only");
        Self { name, role, address: Ipv4Addr::new(10, 77, 0, first + number) }
    }

    /// Gives the hardware address.
    ///
    /// It is fixed, because a machine that came back with a new one would not be heard by its
    /// peers until their neighbour entries went stale, half a minute later.
    pub fn hardware_address(&self) -> String {
        hardware_address_of(self.address)
    }

    /// Names the machine's port on the lab's bridge.
    pub(crate) fn port(&self) -> String {
        format!("v-{}", self.name)
    }
}

/// The address of the lab's bridge: the machines' gateway, and where commands run in the lab.
pub const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The length of the prefix of the lab's network.
pub const PREFIX_BITS: u8 = 24;

/// Derives a locally administered hardware address from an address.
pub(crate) fn hardware_address_of(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    control_planes: u8,
    workers: u8,
}

impl TryFrom<Counts> for Shape {
    type Error = NotAShape;

    fn try_from(counts: Counts) -> Result<Self, NotAShape> {
        Self::new(counts.control_planes, counts.workers)
    }
}

impl From<Shape> for Counts {
    fn from(shape: Shape) -> Self {
        Self { control_planes: shape.control_planes, workers: shape.workers }
    }
}

const MOST_CONTROL_PLANES: u8 = 9;
const MOST_WORKERS: u8 = 79;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Shape;

    fn lines(control_planes: u8, workers: u8) -> Vec<String> {
        let shape = Shape::new(control_planes, workers).unwrap();
        let line = |m: super::Machine| format!("{} {} {}", m.name, m.address, m.hardware_address());
        shape.machines().into_iter().map(line).collect()
    }

    #[test]
    fn numbers_machines_from_one() {
        assert_eq!(
            lines(2, 1),
            [
                "cp1 10.77.0.11 02:00:0a:4d:00:0b",
                "cp2 10.77.0.12 02:00:0a:4d:00:0c",
                "w1 10.77.0.21 02:00:0a:4d:00:15",
            ]
        );
    }

    #[test]
    fn the_largest_lab_has_no_address_twice_and_ports_the_kernel_takes() {
        let machines = Shape::new(9, 79).unwrap().machines();
        let addresses: BTreeSet<_> = machines.iter().map(|m| m.address).collect();
        assert_eq!(addresses.len(), 88);
        assert!(machines.iter().all(|m| m.port().len() <= 15));
    }

    #[test]
    fn refuses_shapes_without_control_plane_or_addresses() {
        for (control_planes, workers) in [(0, 1), (10, 0), (1, 80)] {
            assert!(Shape::new(control_planes, workers).is_err(), "{control_planes}, {workers}");
        }
    }
}
