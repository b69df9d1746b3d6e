//! How it is broken on purpose.

use crate::draft::Component;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "another-build",
    about: "a server is of another build than the lock names",
    on: On::OneControlPlane,
    harms: &[Harm::Flag(Component::ApiServer, "--version", "{kubernetes}-other")],
    also: &[],
}];
