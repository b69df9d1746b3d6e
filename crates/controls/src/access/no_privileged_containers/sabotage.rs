//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "allowed",
    about: "one server allows privileged containers",
    on: On::OneControlPlane,
    harms: &[Harm::Flag(Component::ApiServer, "--allow-privileged", "true")],
    also: &[],
}];
