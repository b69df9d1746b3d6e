//! How it is broken on purpose.

use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage::unguarded("roles may hand out impersonate, escalate and bind"),
    Sabotage {
        name: "escalate-forgotten",
        about: "the guard forgets two of the three verbs",
        on: On::ControlPlanes,
        harms: &[Harm::Guard("v in ['escalate', 'bind']", "v in ['bound']")],
        also: &["access/admission-objects"],
    },
];
