//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] =
    &[Sabotage::unguarded("pods may name a control plane as their node")];
