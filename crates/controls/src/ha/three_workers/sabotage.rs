//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "nobody-misses",
    about: "nobody looks whether machines are still there",
    on: On::ControlPlanes,
    harms: &[Harm::Value(
        Component::ControllerManager,
        "--controllers",
        "-node-lifecycle-controller",
    )],
    also: &[],
}];
