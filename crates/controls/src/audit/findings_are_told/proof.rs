//! Something suspicious is done through each API server, and everybody who is to be told has been told by that very
//! machine.

use std::collections::BTreeSet;

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::identity::TO_BE_TOLD;
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;
use ringfort_model::receiver::Recipient;

use crate::proof::{Gaps, Scene, course, done, fail, pass, words};

/// Looks before what nobody has counts as not told, and the pause between two: three quarters of a minute. A receiver
/// that has just come back may be waited for half a minute by an attempt that began before.
const LOOKS: (usize, u64) = (23, 2_000);
/// What finds the canary.
const DETECTION: &str = "detect/secrets-role";
const WAY_OUT: &str = "look at ringfort-tell there (journalctl -u ringfort-tell), or waive audit/findings-are-told for as \
                       long as a receiver is away; then ringfort up";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if scene.told.is_empty() {
        let reason = "cluster.yaml names nobody who is told findings (audit.tell)".to_owned();
        return done(Ok(Decided::NotApplicable { reason }));
    }
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        let servers = || scene.control_planes.iter().enumerate();
        let made = servers().map(|(place, server)| canary(scene, place, server));
        let made = course.step(made.collect())?;
        for (act, seen) in made.iter().filter(|(_, seen)| !matches!(seen, Seen::Object(_))) {
            gaps.add(format!("{}: no canary was written: {}", place_of(act), words(seen)));
        }
        let looks = || {
            let look = |(place, server): (usize, &NodeName)| Act::Told {
                server: server.clone(),
                holding: name(scene, place),
                detection: DETECTION.to_owned(),
                to: scene.told.clone(),
            };
            servers().map(look).collect()
        };
        let seen = course.until_all(LOOKS, looks, |seen| {
            scene.control_planes.iter().all(|server| missing(scene, server, seen).is_empty())
        })?;
        let (mut untold, mut lost) = (Vec::new(), 0);
        let last = &seen[seen.len() - made.len()..];
        for ((server, (_, last)), (_, made)) in scene.control_planes.iter().zip(last).zip(made) {
            if let Seen::Told(told) = last {
                lost += told.lost.values().sum::<u64>();
            }
            let missing = missing(scene, server, seen);
            match last {
                _ if missing.is_empty() => {}
                // What was not done there is told nobody for that reason.
                Seen::Told(_) if matches!(made, Seen::Object(_)) => {
                    untold.push(format!("{server} to {}", listed(&missing)));
                }
                Seen::Told(_) => {}
                other => gaps.add(format!("{server}: whom it told is not known: {}", words(other))),
            }
        }
        if !untold.is_empty() {
            let said = format!("what was found was not told by {}", untold.join(", by "));
            return Ok(fail(said, WAY_OUT));
        }
        gaps.close()?;
        Ok(pass(said(scene, lost), course.so_far()))
    })
}

fn said(scene: &Scene, lost: u64) -> String {
    let lost = match lost {
        0 => String::new(),
        lost => format!("; there was no room for {lost} findings while their receivers were away"),
    };
    // Nobody is to take the end of a connection for a receipt.
    let ended = match scene.told.contains(&Recipient::Syslog) {
        true => {
            ", which acknowledges nothing: whoever answers TLS there ended the connection in good order"
        }
        false => "",
    };
    format!(
        "a role that reads Secrets was given through each of {} servers, and its machine told {}{ended}{lost}",
        scene.control_planes.len(),
        listed(&scene.told),
    )
}

fn listed(all: &BTreeSet<Recipient>) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Names those who were not told by a server's machine, by all looks: who was told once has it, though nothing shows it
/// any more.
fn missing(scene: &Scene, server: &NodeName, seen: &[(Act, Seen)]) -> BTreeSet<Recipient> {
    let has = seen.iter().filter_map(|(act, seen)| match (act, seen) {
        (Act::Told { server: of, .. }, Seen::Told(told)) if of == server => Some(&told.has),
        _ => None,
    });
    let has: BTreeSet<Recipient> = has.flatten().copied().collect();
    scene.told.difference(&has).copied().collect()
}

fn canary(scene: &Scene, place: usize, server: &NodeName) -> Act {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": name(scene, place), "namespace": scene.namespace},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    });
    let (server, speaker) = (server.clone(), Speaker::Keeper);
    Act::Ask { server, speaker, ask: Ask::Create(role) }
}

fn place_of(act: &Act) -> &str {
    act.node().map_or("", NodeName::as_str)
}

/// Names what is done through one server: no other run's finding has it.
fn name(scene: &Scene, place: usize) -> String {
    format!("{}{TO_BE_TOLD}{place}", scene.namespace)
}
