//! A file that nothing reads is changed and put back: both are told, each as what it is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ringfort_model::act::{Act, Next, Seen, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{AGAIN, Course, Gaps, Scene, Signed, course, fail, gap, pass, words};

/// Looks at the control planes before what is missing counts as lost, and the pause between two.
const ARRIVAL: (usize, u64) = (20, 1_000);
const LOOK: &str = "look at the agent there: journalctl -u ringfort-integrity, ringfort integrity status; ringfort up";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let machines: Vec<&NodeName> = scene.machines().collect();
        if machines.is_empty() {
            return Err(gap("the cluster has no machines to show it on", AGAIN));
        }
        let touch = |node: &&NodeName| Act::Canary { node: (*node).clone() };
        let seen = course.step(machines.iter().map(touch).collect())?;
        let (mut gaps, mut slowest, mut unexplained) = (Gaps::default(), 0, 0);
        let mut changes = BTreeMap::new();
        for (node, (_, seen)) in machines.iter().zip(seen) {
            let Seen::Values(told) = seen else {
                gaps.add(format!("{node}: {}", words(seen)));
                continue;
            };
            match judged(told, scene.signed.get(*node)) {
                Judged::Well { ms, open, change } => {
                    slowest = slowest.max(ms);
                    unexplained += open;
                    changes.insert((*node).clone(), change);
                }
                Judged::Not(said) => return Ok(fail(format!("{node}: {said}"), LOOK)),
                Judged::Unknown(said) => gaps.add(format!("{node}: {said}")),
            }
        }
        gaps.close()?;
        arrived(course, scene, &changes)?;
        let open = match unexplained {
            0 => String::new(),
            some => format!("; nothing explains {some} other changes: ringfort integrity changes"),
        };
        let said = format!(
            "a changed file was told on {} machines with who did it, after {slowest} ms at most, and each \
             came from its machine's agent to a control plane{open}",
            machines.len()
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Waits until every change is kept on some control plane, as its machine's own agent delivered it.
fn arrived(
    course: &mut Course<'_>,
    scene: &Scene,
    changes: &BTreeMap<NodeName, String>,
) -> Result<(), Next> {
    let looks = || {
        let look =
            |server: &NodeName| Act::Reported { server: server.clone(), changes: changes.clone() };
        scene.control_planes.iter().map(look).collect()
    };
    let missing = |seen: &[(Act, Seen)]| -> Vec<String> {
        let is_kept = |node: &NodeName, change: &String| {
            seen.iter().any(|(_, seen)| match seen {
                Seen::Values(kept) => kept.get(node.as_str()) == Some(change),
                _ => false,
            })
        };
        let missing = changes.iter().filter(|(node, change)| !is_kept(node, change));
        missing.map(|(node, _)| node.to_string()).collect()
    };
    let seen = course.until(ARRIVAL, looks, |seen| missing(seen).is_empty())?;
    let missing = missing(seen);
    if missing.is_empty() {
        return Ok(());
    }
    let mut gaps = Gaps::default();
    for (act, seen) in seen.iter().filter(|(_, seen)| !matches!(seen, Seen::Values(_))) {
        let place = act.node().map_or("", NodeName::as_str);
        gaps.add(format!("{place}: what agents delivered was not read: {}", words(seen)));
    }
    gaps.close()?;
    let said = format!("what the agents of {} found came to no control plane", missing.join(", "));
    Err(fail(said, "look at ringfort-report there: journalctl -u ringfort-report; ringfort up"))
}

enum Judged {
    Well { ms: u64, open: u64, change: String },
    Not(String),
    Unknown(String),
}

/// By what the agent goes, where that is not what was signed last: whoever is root there can exchange key and baseline.
fn strange(told: &BTreeMap<String, String>, signed: Option<&Signed>) -> Option<Judged> {
    let unknown = |said: &str| Some(Judged::Unknown(said.to_owned()));
    let other = |what: &str| {
        Some(Judged::Not(format!("the agent goes by another {what} than was signed for it")))
    };
    let Some(signed) = signed else { return unknown("what was signed for it is not known") };
    match told.get("key") {
        Some(its) if *its == signed.key.to_string() => {}
        Some(_) => return other("key"),
        None => return unknown("by which key the agent goes is not known"),
    }
    let number = told.get("baseline").and_then(|text| text.parse::<u64>().ok());
    let (Some(number), Some(says)) = (number, told.get("says")) else {
        return unknown("by which baseline the agent goes is not known");
    };
    let ours = signed.number;
    match number.cmp(&ours) {
        // One that did not come yet and one that was put back look alike.
        Ordering::Less => unknown(&format!(
            "the agent goes by baseline {number}, and the newest that was signed for it is {ours}"
        )),
        Ordering::Greater => Some(Judged::Not(format!(
            "the agent goes by baseline {number}, and none after {ours} was ever signed for it"
        ))),
        Ordering::Equal if *says != signed.says.to_string() => other("baseline"),
        Ordering::Equal => None,
    }
}

/// What a machine's own account of it comes to. What it does not say was not seen.
fn judged(told: &BTreeMap<String, String>, signed: Option<&Signed>) -> Judged {
    let value = |name: &str| told.get(name).map(String::as_str);
    let not = |said: &str| Judged::Not(said.to_owned());
    if let Some(why) = value("refused") {
        return Judged::Not(format!(
            "the agent does not believe the baseline that lies there: {why}"
        ));
    }
    match value("running") {
        Some("true") => {}
        Some("false") => return not("no agent runs"),
        _ => return Judged::Unknown("whether an agent runs is not known".to_owned()),
    }
    if let Some(other) = strange(told, signed) {
        return other;
    }
    match (value("seen"), value("who"), value("back")) {
        (Some("unexplained"), Some("right"), Some("explained")) => {}
        (Some("no"), ..) => return not("a file was changed, and nothing was told of it"),
        (Some("explained"), ..) => return not("a change by a shell was called explained"),
        (Some("unexplained"), Some("unknown"), _) => {
            return Judged::Unknown("who changed a file was not known".to_owned());
        }
        (Some("unexplained"), Some("wrong"), _) => {
            return not("somebody else was named for a change");
        }
        (Some("unexplained"), Some("right"), Some("unexplained" | "no")) => {
            return not("that a file is as it should be again was not told, or called unexplained");
        }
        _ => return Judged::Unknown("what was told of a change is not known".to_owned()),
    }
    if let Some(limits) = value("limits") {
        return Judged::Unknown(format!("the agent does not see everything: {limits}"));
    }
    let number = |name: &str| value(name).and_then(|text| text.parse().ok());
    match (number("ms"), number("unexplained"), value("change")) {
        (Some(ms), Some(open), Some(change)) => {
            Judged::Well { ms, open, change: change.to_owned() }
        }
        _ => Judged::Unknown(
            "how long it took, what it is called, or what else is unexplained, is not known"
                .to_owned(),
        ),
    }
}
