//! The account that a pod gets unasked gives it no token, in a namespace that is a moment old, and
//! nobody changes that.

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::judgement::Decided;

use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{AGAIN, Scene, course, done, fail, gap, pass, words};

/// Looks before an account is missed that controllers make, and the pause between two: a quarter of a minute.
const LOOKS: (usize, u64) = (30, 500);

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let namespace = format!("{}-account", scene.namespace);
        let made = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"ringfort.dev/canary": "true"}},
        });
        if let [(_, seen)] = course.step(vec![scene.ask(Ask::Create(made))])?
            && !matches!(seen, Seen::Object(_))
        {
            return Ok(gap(format!("no namespace was made: {}", words(seen)), AGAIN));
        }
        let account = scene.key("v1", "ServiceAccount", "default");
        let account = ObjectKey { namespace: Some(namespace), ..account };
        let look = || vec![scene.ask(Ask::Get(account.clone()))];
        let is_there = |seen: &[(Act, Seen)]| matches!(seen, [(_, Seen::Object(_))]);
        match course.until(LOOKS, look, is_there)? {
            [(_, Seen::Object(found))] if found["automountServiceAccountToken"] == false => {}
            // A stated limit: before 1.36 nothing fills it in.
            [(_, Seen::Object(_))] if !scene.minor.has_mutating_policies() => {
                let reason = format!(
                    "Kubernetes {} fills nothing in: accounts of namespaces that are made later give tokens",
                    scene.minor
                );
                return Ok(done(Ok(Decided::NotApplicable { reason })));
            }
            [(_, Seen::Object(_))] => {
                return Ok(fail(
                    "the account default of a new namespace gives its token to every pod",
                    "check the admission configuration: ringfort up",
                ));
            }
            seen => {
                let why = seen.first().map_or_else(String::new, |(_, seen)| words(seen));
                return Ok(gap(format!("the account was not read: {why}"), AGAIN));
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
        refused(course, scene, &[], &tries)?;
        let said = "the account default of a new namespace gives no token, and nobody changes that";
        Ok(pass(said.to_owned(), course.so_far()))
    })
}
