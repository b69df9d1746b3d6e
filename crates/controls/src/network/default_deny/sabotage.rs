//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[
    Sabotage {
        name: "open-worker",
        about: "a worker takes namespaces as open",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::NetworkPolicy, "closed", "false")],
        also: &[],
    },
    Sabotage {
        name: "no-names",
        about: "a worker lets closed pods ask nobody for names",
        on: On::OneWorker,
        harms: &[Harm::Setting(Document::NetworkPolicy, "dns", "null")],
        also: &[],
    },
];
