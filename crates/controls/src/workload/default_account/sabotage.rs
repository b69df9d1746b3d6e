//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] =
    &[Sabotage::unguarded("the account default gives its token to every pod")];
