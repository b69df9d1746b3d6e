//! The rules that look at more than one value. Each rule keeps silent about what could not be read,
//! since that has been said.

mod hosts;
mod network;
mod waivers;

use jiff::civil::Date;

use crate::parsed::Parsed;
use crate::report::Problem;

pub(crate) use hosts::{Machine, ROOT, machines};
pub(crate) use waivers::scope_of;

/// The control that asks for three control planes.
pub const THREE_CONTROL_PLANES: &str = "ha/three-control-planes";

/// The control that asks for three workers.
pub const THREE_WORKERS: &str = "ha/three-workers";

/// The control that keeps privileged containers out.
pub const NO_PRIVILEGED_CONTAINERS: &str = "access/no-privileged-containers";

/// The control that confines containers by AppArmor.
pub const APPARMOR: &str = "node/apparmor";

/// The control that encrypts what pods say to other nodes.
pub const POD_ENCRYPTION: &str = "network/pod-encryption";

/// The controls that rules of the spec ask for by themselves.
const OWN: [&str; 5] =
    [THREE_CONTROL_PLANES, THREE_WORKERS, NO_PRIVILEGED_CONTAINERS, APPARMOR, POD_ENCRYPTION];

/// Looks at all rules.
pub(crate) fn look(parsed: &Parsed, known_controls: &[&str], today: Date) -> Vec<Problem> {
    let machines = machines(&parsed.written);
    let mut problems = hosts::look(parsed, &machines);
    problems.extend(network::look(parsed, &machines));
    problems.extend(waivers::look(parsed, &machines, known_controls, today));
    problems
}
