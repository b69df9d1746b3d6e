//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "wrong-server",
    about: "pods of one worker ask a name server that is not there",
    on: On::OneWorker,
    harms: &[Harm::Setting(Document::Kubelet, "clusterDNS", r#"["10.96.0.99"]"#)],
    // A closed namespace may ask for names, and finds none.
    also: &["network/default-deny"],
}];
