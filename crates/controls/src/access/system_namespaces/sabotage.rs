//! How it is broken on purpose.

use crate::sabotage::Sabotage;

/// The handed-over identity may delete what the guard keeps.
pub(super) const ALL: &[Sabotage] = &[Sabotage {
    also: &["access/admin-is-narrow", "access/admission-objects", "node/closed-files"],
    ..Sabotage::unguarded("the administrator changes what lies in kube-system")
}];
