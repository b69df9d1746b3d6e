//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] =
    &[Sabotage::unguarded("tokens of controllers are given to whoever asks")];
