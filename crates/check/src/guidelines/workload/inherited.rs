//! What counts for a container: what it says itself, or what its pod says for all.

use crate::place::{Field, Place};

/// Users and groups of machines have lower numbers.
pub(super) const LEAST_ID: i64 = 10_000;

/// Gives the place that counts of a container's and its pod's, and what stands there. Where neither says
/// anything it is the container's.
pub(super) fn inherited<'p, 'v, T>(
    (own, of_pod): &'p (Place<'v>, Place<'v>),
    read: impl Fn(&Place<'v>) -> Field<T>,
) -> (&'p Place<'v>, Field<T>) {
    match (read(own), read(of_pod)) {
        (Field::Absent, Field::Absent) => (own, Field::Absent),
        (Field::Absent, found) => (of_pod, found),
        (found, _) => (own, found),
    }
}
