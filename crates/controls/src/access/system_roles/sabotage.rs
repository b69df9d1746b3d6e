//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] = &[Sabotage::unguarded("roles of the system can be rewritten")];
