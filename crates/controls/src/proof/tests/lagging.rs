//! What is not there yet, and what is not there at all.

use ringfort_model::act::{Act, Seen};
use ringfort_model::judgement::Decided;

use super::{case, judge};

/// How often a member lacks the canaries before it has caught up.
fn lacking(looks: usize) -> bool {
    let mut count = 0;
    let judgement = judge(&case("data/encryption-at-rest"), |act| match act {
        Act::ReadSealed { member, key } if member.as_str() == "cp3" && key.contains("secrets") => {
            count += 1;
            (count <= looks).then_some(Seen::Absent)
        }
        _ => None,
    });
    match judgement {
        Ok(Decided::Pass(_)) => true,
        Err(_) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_that_catches_up_is_no_gap_and_one_that_never_does_is() {
    assert!(lacking(3), "it has caught up");
    assert!(!lacking(1_000), "it never does");
}
