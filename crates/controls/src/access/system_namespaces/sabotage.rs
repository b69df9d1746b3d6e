//! How it is broken on purpose.

use crate::sabotage::Sabotage;

pub(super) const ALL: &[Sabotage] =
    &[Sabotage::unguarded("the administrator changes what lies in kube-system")];
