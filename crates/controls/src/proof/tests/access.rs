//! Ways in which identities could be more than they should, one at a time.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Seen, Sending, Speaker};
use ringfort_model::judgement::Decided;

use super::refusals::{REVIEW, reviewed};
use super::sabotage::fails_alone;
use super::{case, judge};

#[test]
fn the_handed_over_identity_may_not_become_more() {
    let control = "access/admin-is-narrow";
    // Guards refuse the objects all the same.
    for verb in ["impersonate", "escalate", "bind", "sign"] {
        let judgement = judge(&case(control), |act| right(act, verb));
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{verb}: {judgement:?}");
    }
    fails_alone(control, |act| match of_admin(act)? {
        Ask::WouldCreate(object) if object["kind"] == "ClusterRole" => Some(guarded()),
        _ => None,
    });
    fails_alone(control, |act| match of_admin(act)? {
        Ask::WouldCreate(object) if object["roleRef"]["name"] == "cluster-admin" => Some(guarded()),
        _ => None,
    });
    fails_alone(control, |act| match of_admin(act)? {
        Ask::WouldSend { how: Sending::Delete, path, .. } if path.contains("webhook") => {
            Some(Seen::Refused { status: 404, message: "there is none".to_owned() })
        }
        _ => None,
    });
    fails_alone(control, |act| match of_admin(act)? {
        Ask::Read { path } if path.contains("/proxy/") => Some(Seen::Text("ok".to_owned())),
        _ => None,
    });
    fails_alone(control, |act| match of_admin(act)? {
        Ask::WouldDelete(key) if key.kind == "Deployment" => Some(Seen::Done),
        _ => None,
    });
}

/// Who may do nothing at all is refused everything, and shows nothing.
#[test]
fn an_identity_without_any_right_shows_nothing() {
    let none = |act: &Act| match of_admin(act)? {
        Ask::WouldCreate(object) if object["kind"] == REVIEW => Some(reviewed(object, false)),
        _ => None,
    };
    let judgement = judge(&case("access/admin-is-narrow"), none);
    assert!(judgement.is_err(), "{judgement:?}");
}

fn of_admin(act: &Act) -> Option<&Ask> {
    match act {
        Act::Ask { speaker: Speaker::Admin, ask, .. } => Some(ask),
        _ => None,
    }
}

/// Grants a right where it is asked for.
fn right(act: &Act, verb: &str) -> Option<Seen> {
    let wanted = |review: &Value| review["spec"]["resourceAttributes"]["verb"] == verb;
    match of_admin(act)? {
        Ask::WouldCreate(review) if review["kind"] == REVIEW && wanted(review) => {
            Some(reviewed(review, true))
        }
        _ => None,
    }
}

fn guarded() -> Seen {
    let message = "things is forbidden: ValidatingAdmissionPolicy 'x' denied request: no";
    Seen::Refused { status: 403, message: message.to_owned() }
}
