//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] = &[Sabotage::unguarded("every pod is told of all Services")];
