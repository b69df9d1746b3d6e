//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] =
    &[Sabotage::unguarded("a PersistentVolume may be a directory of a machine")];
