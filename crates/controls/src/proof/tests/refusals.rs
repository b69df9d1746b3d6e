//! How servers of invented clusters say no.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Seen, Speaker};

use super::Case;

/// The kind of object by which a user asks what it may.
pub(super) const REVIEW: &str = "SelfSubjectAccessReview";

/// Says whether a user may what it asks for.
pub(super) fn reviewed(review: &Value, allowed: bool) -> Seen {
    let mut review = review.clone();
    review["status"] = json!({"allowed": allowed});
    Seen::Object(review)
}

/// Refuses by whom it should be: who may write roles gives no more than it holds, and what it may delete is
/// guarded.
pub(super) fn told_no(case: &Case, speaker: &Speaker, ask: &Ask) -> Seen {
    let of_roles = case.control == "access/admin-is-narrow" && *speaker == Speaker::Admin;
    match ask {
        Ask::WouldCreate(object) if of_roles && !object["roleRef"].is_null() => gives_more(),
        Ask::WouldCreate(object) if of_roles && !object["rules"].is_null() => gives_more(),
        Ask::WouldSend { path, .. }
            if path.ends_with("static.k8s.io") && *speaker == Speaker::Unbound =>
        {
            Seen::Refused { status: 404, message: "there is none".to_owned() }
        }
        Ask::WouldDelete(key) if of_roles && key.kind != "Node" => refused(case, &Speaker::Unbound),
        _ => refused(case, speaker),
    }
}

fn gives_more() -> Seen {
    let message = "things is forbidden: user \"somebody\" (groups=[]) is attempting to grant RBAC permissions not currently held:\n{}";
    Seen::Refused { status: 403, message: message.to_owned() }
}

/// Whether something is a namespace with more labels than that of canaries.
pub(super) fn opens(object: &Value) -> bool {
    let labels = object["metadata"]["labels"].as_object();
    object["kind"] == "Namespace"
        && labels.is_some_and(|labels| labels.keys().any(|key| key != "ringfort.dev/canary"))
}

/// How a server refuses: for want of a right, or by the words of every guard.
pub(super) fn refused(case: &Case, speaker: &Speaker) -> Seen {
    let lacks_right = match speaker {
        Speaker::Keeper | Speaker::Unbound => false,
        Speaker::Admin => {
            ["access/admin-is-narrow", "access/admission-objects"].contains(&case.control)
        }
        _ => true,
    };
    let message = match lacks_right {
        true => "things is forbidden: User \"somebody\" cannot get resource \"things\"",
        false => {
            "things is forbidden: ValidatingAdmissionPolicy 'x' denied request: no; violates PodSecurity \"restricted:latest\"; use of external IPs is denied; disallowed by cluster policy; also those of a template; this namespace may not be deleted"
        }
    };
    Seen::Refused { status: 403, message: message.to_owned() }
}
