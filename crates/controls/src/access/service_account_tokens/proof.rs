//! A token is known to every API server, is good for the audience it was made for and no other, dies
//! with what it is bound to and at the end of its life, which is no longer than a day whatever is asked.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Next, Seen, TokenSeen, TokenWish, Transcript};

use super::MOST_HOURS;
use crate::proof::{Gaps, Scene, course, fail, pass, pod, words};

/// What an API server answers to whom it knows and lets do nothing, and to whom it does not know.
const KNOWN: u16 = 403;
const UNKNOWN: u16 = 401;

/// What kind of token is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Usual,
    OtherAudience,
    OfGoneSecret,
    OfGonePod,
    TenDays,
    SignedAgain,
    Ended,
}

const KINDS: [Kind; 7] = [
    Kind::Usual,
    Kind::OtherAudience,
    Kind::OfGoneSecret,
    Kind::OfGonePod,
    Kind::TenDays,
    Kind::SignedAgain,
    Kind::Ended,
];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let servers = scene.control_planes.iter().enumerate();
        let tries = servers.flat_map(|(place, server)| {
            KINDS
                .map(|kind| Act::TryToken { server: server.clone(), wish: kind.wish(scene, place) })
        });
        let mut gaps = Gaps::default();
        let seen = course.step(tries.collect())?;
        for ((act, seen), kind) in seen.iter().zip(KINDS.iter().cycle()) {
            let Act::TryToken { server, .. } = act else { continue };
            match seen {
                Seen::Token(token) => match judge(scene, *kind, token) {
                    None => {}
                    Some(Wrong::Failed(said)) => {
                        return Ok(fail(
                            format!("{server}: {said}"),
                            "check the service-account flags of every API server: ringfort up",
                        ));
                    }
                    Some(Wrong::NotSeen(said)) => gaps.add(format!("{server}: {said}")),
                },
                // Asking for more than a day may be refused as well.
                Seen::Refused { status: 400 | 422, .. } if *kind == Kind::TenDays => {}
                other => gaps.add(format!("{server}: no token was given: {}", words(other))),
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "tokens of each of {} servers are known to all of them, for their own audience only, until the Secret or the pod that they are bound to is gone or their time is over, and for {MOST_HOURS} h at most",
                scene.control_planes.len()
            ),
            course.so_far(),
        ))
    })
}

impl Kind {
    fn wish(self, scene: &Scene, place: usize) -> TokenWish {
        let hours = if self == Self::TenDays { 10 * u64::from(MOST_HOURS) } else { 1 };
        let name = format!("canary-bound-{place}");
        TokenWish {
            namespace: scene.namespace.clone(),
            account: "default".to_owned(),
            audiences: match self {
                Self::OtherAudience => vec!["canary.ringfort.dev".to_owned()],
                _ => Vec::new(),
            },
            seconds: hours * 3_600,
            // Servers allow for clocks that differ by a minute or so.
            aged_s: match self {
                Self::SignedAgain => Some(0),
                Self::Ended => Some(2 * 3_600),
                _ => None,
            },
            bound: match self {
                Self::OfGoneSecret => Some(json!({
                    "apiVersion": "v1", "kind": "Secret",
                    "metadata": {"name": name, "namespace": scene.namespace},
                })),
                Self::OfGonePod => Some(unplaced(scene, &name)),
                _ => None,
            },
        }
    }
}

/// A pod that is never placed on a machine.
fn unplaced(scene: &Scene, name: &str) -> Value {
    let mut pod = pod::restricted(scene, name);
    pod["spec"]["schedulingGates"] = json!([{"name": "ringfort.dev/canary"}]);
    pod
}

enum Wrong {
    Failed(String),
    NotSeen(String),
}

fn judge(scene: &Scene, kind: Kind, token: &TokenSeen) -> Option<Wrong> {
    let (expected, what) = match kind {
        Kind::Usual => (KNOWN, "a token for the API"),
        Kind::OtherAudience => (UNKNOWN, "a token for another audience"),
        Kind::OfGoneSecret => (UNKNOWN, "a token whose Secret is gone"),
        Kind::OfGonePod => (UNKNOWN, "a token whose pod is gone"),
        Kind::TenDays => (KNOWN, "a token for ten days"),
        Kind::SignedAgain => (KNOWN, "a token that was signed again"),
        Kind::Ended => (UNKNOWN, "a token whose time is over"),
    };
    let most = u64::from(MOST_HOURS) * 3_600;
    if token.seconds > most {
        return Some(Wrong::Failed(format!("{what} lives for {} h", token.seconds / 3_600)));
    }
    if token.status.len() != scene.control_planes.len() {
        return Some(Wrong::NotSeen(format!("{what} was not shown to every server")));
    }
    let (server, status) = token.status.iter().find(|(_, status)| **status != expected)?;
    let said = format!("{what} is answered with {status} by {server}");
    match (expected, *status) {
        // What is refused as it is would be refused at any age.
        (KNOWN, UNKNOWN) if kind == Kind::SignedAgain => Some(Wrong::NotSeen(said)),
        // Being refused where it should be known says that a server lacks a key.
        (KNOWN, UNKNOWN) | (UNKNOWN, KNOWN | 200..300) => Some(Wrong::Failed(said)),
        (KNOWN, 200..300) => {
            Some(Wrong::Failed(format!("{said}: an account without roles reads Secrets")))
        }
        _ => Some(Wrong::NotSeen(said)),
    }
}
