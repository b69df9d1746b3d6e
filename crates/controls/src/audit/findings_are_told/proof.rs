//! Something suspicious is done through each API server, and everybody who is to be told has been told by that very
//! machine.

use std::collections::BTreeSet;

use serde_json::json;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, ToldSeen, Transcript};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;
use ringfort_model::receiver::Recipient;

use crate::proof::{Gaps, Scene, course, done, fail, pass, words};

/// Looks before what nobody has counts as not told, and the pause between two: half a minute.
const LOOKS: (usize, u64) = (15, 2_000);
/// What finds the canary.
const DETECTION: &str = "detect/secrets-role";
const WAY_OUT: &str = "look at ringfort-tell there: journalctl -u ringfort-tell; ringfort up";

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
        let seen = course.until(LOOKS, looks, |seen| {
            seen.iter().all(|(_, seen)| match seen {
                Seen::Told(told) => missing(scene, told).is_empty(),
                _ => false,
            })
        })?;
        let (mut untold, mut lost) = (Vec::new(), 0);
        for ((act, seen), (_, made)) in seen.iter().zip(made) {
            match seen {
                Seen::Told(told) => {
                    lost += told.lost.values().sum::<u64>();
                    let missing = missing(scene, told);
                    // What was not done there is told nobody for that reason.
                    if !missing.is_empty() && matches!(made, Seen::Object(_)) {
                        untold.push(format!("{} to {}", place_of(act), listed(&missing)));
                    }
                }
                other => gaps.add(format!(
                    "{}: whom it told is not known: {}",
                    place_of(act),
                    words(other)
                )),
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
    format!(
        "a role that reads Secrets was given through each of {} servers, and its machine told {}{lost}",
        scene.control_planes.len(),
        listed(&scene.told),
    )
}

fn listed(all: &BTreeSet<Recipient>) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn missing(scene: &Scene, told: &ToldSeen) -> BTreeSet<Recipient> {
    scene.told.difference(&told.has).copied().collect()
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
    format!("{}-told-{place}", scene.namespace)
}
