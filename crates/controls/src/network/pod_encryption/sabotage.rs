//! How it is broken on purpose.

use crate::draft::Document;
use crate::sabotage::{Harm, On, Sabotage};

pub(super) const ALL: &[Sabotage] = &[Sabotage {
    name: "no-tunnel",
    about: "packets of pods go between machines as they are",
    on: On::Everywhere,
    harms: &[Harm::Setting(Document::Routes, "tunnel", "null")],
    also: &[],
}];
