//! What counts for a container: what it says itself, or what its pod says for all.

use crate::fault::Remedy;
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene};

/// Users and groups of machines have lower numbers.
const LEAST_ID: i64 = 10_000;

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

/// Judges whether a user's or group's number is one that no machine has.
pub(super) fn high_id(
    pod: &PodScene<'_>,
    container: &Container<'_>,
    field: &str,
    sheet: &mut Sheet,
) {
    if pod.is_for_windows() {
        return sheet.spare("Windows knows no such numbers");
    }
    let places = (container.security.at(field), pod.security.at(field));
    let (place, number) = inherited(&places, |place| place.integer());
    let is_high = |number: Option<i64>| number.is_some_and(|number| number >= LEAST_ID);
    sheet.expect(place, number, is_high, Remedy::Do("write a number from 10000 on"));
}
