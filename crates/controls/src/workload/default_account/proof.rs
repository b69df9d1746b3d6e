//! The account that a pod gets unasked gives it no token, in a namespace that is a moment old, and
//! nobody changes that.

use serde_json::json;

use ringfort_model::act::{Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::judgement::Decided;

use crate::proof::tries::{GUARD, Try, all_refused};
use crate::proof::{Scene, done, fail, gap, pass, words};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let account = scene.key("v1", "ServiceAccount", "default");
    let seen = match transcript.first() {
        None => return Next::Do(vec![scene.ask(Ask::Get(account))]),
        Some((_, seen)) => seen,
    };
    match seen {
        Seen::Object(found) if found["automountServiceAccountToken"] == false => {}
        // A stated limit: before 1.36 nothing fills it in.
        Seen::Object(_) if !scene.minor.has_mutating_policies() => {
            let reason = format!(
                "Kubernetes {} fills nothing in: accounts of namespaces that are made later give tokens",
                scene.minor
            );
            return done(Ok(Decided::NotApplicable { reason }));
        }
        Seen::Object(_) => {
            return fail(
                "the account default of a new namespace gives its token to every pod",
                "check the admission configuration: ringfort up",
            );
        }
        other => {
            return gap(format!("the account was not read: {}", words(other)), "ringfort prove");
        }
    }
    let open =
        Ask::WouldPatch { of: account, patch: json!({"automountServiceAccountToken": true}) };
    let tries = [Speaker::Unbound, Speaker::Admin].map(|speaker| Try {
        what: "let the account default give its token to every pod".to_owned(),
        speaker,
        ask: open.clone(),
        by: GUARD,
    });
    let said = "the account default of a new namespace gives no token, and nobody changes that";
    match all_refused(scene, &transcript[1..], &[], &tries, said) {
        Next::Done(Ok(Decided::Pass(_))) => pass(said.to_owned(), transcript),
        other => other,
    }
}
