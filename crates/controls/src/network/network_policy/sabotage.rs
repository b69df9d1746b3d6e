//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "nobody-s-pods",
    about: "a worker's enforcer takes no pod for its own",
    on: On::OneWorker,
    harms: &[Harm::Setting(Document::NetworkPolicy, "pods", "[]")],
    also: &["network/default-deny"],
}];
