//! The rules that look at more than one value. Each rule keeps silent about what could not be read,
//! since that has been said.

mod addons;
mod audit;
mod family;
mod hosts;
mod integrity;
mod network;
mod waivers;

use jiff::civil::Date;

use crate::known::{Known, Limit};
use crate::parsed::Parsed;
use crate::report::Problem;

pub(crate) use family::family_of;
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

/// The control that enforces network policies, and the one that rests on it.
pub const NETWORK_POLICY: &str = "network/network-policy";
/// The control that closes namespaces by itself.
pub const DEFAULT_DENY: &str = "network/default-deny";

/// The controls that rules of the spec ask for by themselves.
const OWN: [Known; 5] = [
    Known { id: THREE_CONTROL_PLANES, limits: &[Limit::Cluster] },
    Known { id: THREE_WORKERS, limits: &[Limit::Cluster] },
    Known { id: NO_PRIVILEGED_CONTAINERS, limits: &[Limit::Cluster] },
    Known { id: APPARMOR, limits: &[Limit::Cluster, Limit::Nodes] },
    Known { id: POD_ENCRYPTION, limits: &[Limit::Cluster] },
];

/// Looks at all rules.
pub(crate) fn look(parsed: &Parsed, known_controls: &[Known], today: Date) -> Vec<Problem> {
    let machines = machines(&parsed.written);
    let mut problems = hosts::look(parsed, &machines);
    problems.extend(network::look(parsed, &machines));
    problems.extend(addons::look(parsed));
    problems.extend(audit::look(parsed));
    problems.extend(integrity::look(parsed));
    problems.extend(waivers::look(parsed, &machines, known_controls, today));
    problems
}
