//! A token is known to every API server, is good for the audience it was made for and no other, dies
//! with what it is bound to, and lives no longer than a day whatever is asked.

use ringfort_model::act::{Act, Next, Seen, TokenSeen, TokenWish, Transcript};

use super::MOST_HOURS;
use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// What an API server answers to whom it knows and lets do nothing, and to whom it does not know.
const KNOWN: u16 = 403;
const UNKNOWN: u16 = 401;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let wish = |audiences: &[&str], hours: u64, bound: Option<&str>| TokenWish {
            namespace: scene.namespace.clone(),
            account: "default".to_owned(),
            audiences: audiences.iter().map(|one| (*one).to_owned()).collect(),
            seconds: hours * 3_600,
            bound: bound.map(str::to_owned),
        };
        let wishes = |place: usize| {
            let bound = format!("canary-bound-{place}");
            [
                wish(&[], 1, None),
                wish(&["canary.ringfort.dev"], 1, None),
                wish(&[], 1, Some(&bound)),
                wish(&[], 10 * u64::from(MOST_HOURS), None),
            ]
        };
        let servers = scene.control_planes.iter().enumerate();
        let tries = servers.flat_map(|(place, server)| {
            wishes(place).map(|wish| Act::TryToken { server: server.clone(), wish })
        });
        let mut gaps = Gaps::default();
        for (place, (act, seen)) in course.step(tries.collect())?.iter().enumerate() {
            let Act::TryToken { server, .. } = act else { continue };
            let kind = place % 4;
            match seen {
                Seen::Token(token) => match judge(scene, kind, token) {
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
                Seen::Refused { status: 400 | 422, .. } if kind == 3 => {}
                other => gaps.add(format!("{server}: no token was given: {}", words(other))),
            }
        }
        gaps.close()?;
        Ok(pass(
            format!(
                "tokens of each of {} servers are known to all of them, for their own audience only, until what they are bound to is gone, and for {MOST_HOURS} h at most",
                scene.control_planes.len()
            ),
            course.so_far(),
        ))
    })
}

enum Wrong {
    Failed(String),
    NotSeen(String),
}

fn judge(scene: &Scene, kind: usize, token: &TokenSeen) -> Option<Wrong> {
    let (expected, what) = match kind {
        0 => (KNOWN, "a token for the API"),
        1 => (UNKNOWN, "a token for another audience"),
        2 => (UNKNOWN, "a token whose Secret is gone"),
        _ => (KNOWN, "a token for ten days"),
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
    match (kind, *status) {
        // Being refused where it should be known says that a server lacks a key.
        (0 | 3, UNKNOWN) | (1 | 2, KNOWN | 200..300) => Some(Wrong::Failed(said)),
        (0 | 3, 200..300) => {
            Some(Wrong::Failed(format!("{said}: an account without roles reads Secrets")))
        }
        _ => Some(Wrong::NotSeen(said)),
    }
}
