//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-limit",
    about: "a pod may take every process number of a worker",
    on: On::OneWorker,
    harms: &[Harm::Setting(Document::Kubelet, "podPidsLimit", "-1")],
    also: &[],
}];
