//! The shape of a lab: how many machines of which kind, with addresses of which family, and what
//! follows from that for each of them: name, address, hardware address, port of the bridge. Pure: the
//! same shape gives the same machines in every lab, since each lab has a network of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringfort_model::name::NodeName;
use ringfort_model::net::Family;
use serde::{Deserialize, Serialize};

/// How many machines a lab has, and of which family their addresses are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Counts", into = "Counts", rename_all = "camelCase")]
pub struct Shape {
    control_planes: u8,
    workers: u8,
    family: Family,
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
    pub address: IpAddr,
    /// Its number in the lab's network, whatever the family.
    number: u8,
}

impl Shape {
    /// Checks the numbers. Addresses are of IPv4.
    ///
    /// # Errors
    /// There is no control plane, or there are more machines than addresses.
    pub fn new(control_planes: u8, workers: u8) -> Result<Self, NotAShape> {
        let fits = (1..=MOST_CONTROL_PLANES).contains(&control_planes) && workers <= MOST_WORKERS;
        if fits {
            Ok(Self { control_planes, workers, family: Family::V4 })
        } else {
            Err(NotAShape { control_planes, workers })
        }
    }

    /// Gives the same machines with addresses of a family. They have none of the other, so that what
    /// still speaks it fails here rather than at a user's.
    #[must_use]
    pub fn over(self, family: Family) -> Self {
        Self { family, ..self }
    }

    /// Gives the family of the addresses.
    pub fn family(self) -> Family {
        self.family
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
        let of = |role: Role, count: u8| {
            (1..=count).map(move |number| Machine::new(self.family, role, number))
        };
        let control_planes = of(Role::ControlPlane, self.control_planes);
        control_planes.chain(of(Role::Worker, self.workers)).collect()
    }
}

impl Machine {
    fn new(family: Family, role: Role, number: u8) -> Self {
        let (prefix, first) = match role {
            Role::ControlPlane => ("cp", 10),
            Role::Worker => ("w", 20),
        };
        let name = NodeName::new(format!("{prefix}{number}")).expect("letters and digits only");
        let number = first + number;
        Self { name, role, address: address(family, number), number }
    }

    /// Gives the hardware address.
    ///
    /// It is fixed, because a machine that came back with a new one would not be heard by its
    /// peers until their neighbour entries went stale, half a minute later.
    pub fn hardware_address(&self) -> String {
        hardware_address_of(self.number)
    }

    /// Names the machine's port on the lab's bridge.
    pub(crate) fn port(&self) -> String {
        format!("v-{}", self.name)
    }
}

/// Gives the address of the lab's bridge: the machines' gateway, and where commands run in the lab.
pub(crate) fn hub(family: Family) -> IpAddr {
    address(family, HUB)
}

/// Gives the length of the prefix of the lab's network.
pub(crate) fn prefix_bits(family: Family) -> u8 {
    match family {
        Family::V4 => 24,
        Family::V6 => 64,
    }
}

/// Gives the address with a number in the lab's network. It ends in the same digits in both families;
/// those of IPv6 are unique local ones (<https://www.rfc-editor.org/rfc/rfc4193>).
fn address(family: Family, number: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 77, 0, number).into(),
        Family::V6 => {
            let digits = u16::from(number / 10) * 16 + u16::from(number % 10);
            Ipv6Addr::new(0xfd00, 0x10, 0x77, 0, 0, 0, 0, digits).into()
        }
    }
}

/// Gives the hardware address of the lab's bridge.
pub(crate) fn hardware_address_of_hub() -> String {
    hardware_address_of(HUB)
}

/// Derives a locally administered hardware address from a number in the lab's network.
fn hardware_address_of(number: u8) -> String {
    format!("02:00:0a:4d:00:{number:02x}")
}

/// The number of the lab's bridge in its network.
const HUB: u8 = 1;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    control_planes: u8,
    workers: u8,
    #[serde(default)]
    ipv6: bool,
}

impl TryFrom<Counts> for Shape {
    type Error = NotAShape;

    fn try_from(counts: Counts) -> Result<Self, NotAShape> {
        let family = if counts.ipv6 { Family::V6 } else { Family::V4 };
        Ok(Self::new(counts.control_planes, counts.workers)?.over(family))
    }
}

impl From<Shape> for Counts {
    fn from(shape: Shape) -> Self {
        let Shape { control_planes, workers, family } = shape;
        Self { control_planes, workers, ipv6: family == Family::V6 }
    }
}

const MOST_CONTROL_PLANES: u8 = 9;
const MOST_WORKERS: u8 = 79;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Family, Shape, address, hub};

    fn lines(family: Family, control_planes: u8, workers: u8) -> Vec<String> {
        let shape = Shape::new(control_planes, workers).unwrap().over(family);
        let line = |m: super::Machine| format!("{} {} {}", m.name, m.address, m.hardware_address());
        shape.machines().into_iter().map(line).collect()
    }

    #[test]
    fn numbers_machines_from_one() {
        assert_eq!(
            lines(Family::V4, 2, 1),
            [
                "cp1 10.77.0.11 02:00:0a:4d:00:0b",
                "cp2 10.77.0.12 02:00:0a:4d:00:0c",
                "w1 10.77.0.21 02:00:0a:4d:00:15",
            ]
        );
    }

    #[test]
    fn addresses_of_both_families_end_in_the_same_digits() {
        assert_eq!(
            lines(Family::V6, 1, 1),
            ["cp1 fd00:10:77::11 02:00:0a:4d:00:0b", "w1 fd00:10:77::21 02:00:0a:4d:00:15"]
        );
        let hubs = [Family::V4, Family::V6].map(|family| hub(family).to_string());
        assert_eq!(hubs, ["10.77.0.1", "fd00:10:77::1"]);
        assert_eq!(address(Family::V6, 99).to_string(), "fd00:10:77::99");
    }

    #[test]
    fn a_shape_that_names_no_family_is_of_ipv4() {
        let shape = |text: &str| serde_json::from_str::<Shape>(text).unwrap();
        let [four, six] = [Family::V4, Family::V6].map(|it| Shape::new(1, 2).unwrap().over(it));
        assert_eq!(shape(r#"{"controlPlanes": 1, "workers": 2}"#), four);
        assert_eq!(shape(r#"{"controlPlanes": 1, "workers": 2, "ipv6": true}"#), six);
        assert_eq!(shape(&serde_json::to_string(&six).unwrap()), six);
    }

    #[test]
    fn the_largest_lab_has_no_address_twice_and_ports_the_kernel_takes() {
        for family in [Family::V4, Family::V6] {
            let machines = Shape::new(9, 79).unwrap().over(family).machines();
            let addresses: BTreeSet<_> = machines.iter().map(|m| m.address).collect();
            assert_eq!(addresses.len(), 88);
            assert!(
                machines.iter().all(|m| m.port().len() <= 15 && Family::of(m.address) == family)
            );
        }
    }

    #[test]
    fn refuses_shapes_without_control_plane_or_addresses() {
        for (control_planes, workers) in [(0, 1), (10, 0), (1, 80)] {
            assert!(Shape::new(control_planes, workers).is_err(), "{control_planes}, {workers}");
        }
    }
}
