//! Whether each machine's kernel holds the rules that are made of policies as they are now, and who else changed
//! them.

use std::collections::BTreeMap;

use ringfort_model::act::{Act, Next, Seen};
use ringfort_model::name::NodeName;

use super::wider::is_enforced_by_ringfort;
use crate::proof::{Course, Gaps, Scene, fail, words};

/// Asks every machine's enforcer, where it is ringfort's; gives in words where somebody else changed rules.
pub(super) fn held(course: &mut Course<'_>, scene: &Scene) -> Result<String, Next> {
    if !is_enforced_by_ringfort(scene) {
        return Ok(String::new());
    }
    let machines: Vec<&NodeName> = scene.machines().collect();
    let ask = |node: &&NodeName| Act::Enforced { node: (*node).clone() };
    // A list that is told anew, an API server that comes back, and rules after a change take a moment.
    let is_behind = |seen: &Seen| {
        let older = |it: &BTreeMap<_, String>| it.get(IN_FORCE).is_some_and(|rules| rules == OLDER);
        matches!(seen, Seen::Values(it) if it.contains_key(BEHIND) || older(it))
    };
    let seen = course.until(
        LOOKS,
        || machines.iter().map(ask).collect(),
        |seen| !seen.iter().any(|(_, seen)| is_behind(seen)),
    )?;
    let (mut gaps, mut meddled) = (Gaps::default(), Vec::new());
    for (node, (_, seen)) in machines.into_iter().zip(seen) {
        let Seen::Values(values) = seen else {
            gaps.add(format!("{node}: {}", words(seen)));
            continue;
        };
        let value = |name: &str| values.get(name).map(String::as_str);
        match (value(IN_FORCE), value("is_whole")) {
            (Some("shown"), Some("true")) => {}
            (Some("shown"), Some(_)) => {
                let said = format!("{node}: the kernel holds other rules than policies make");
                return Err(fail(said, LOOK));
            }
            (Some(other), Some(_)) if other != "unknown" => {
                let said = format!("{node}: rules in force are not those of policies ({other})");
                return Err(fail(said, LOOK));
            }
            _ => gaps.add(format!("{node}: what the kernel holds is not known")),
        }
        if let Some(why) = value(BEHIND) {
            gaps.add(format!("{node}: rules in force may be older than policies: {why}"));
        }
        if let Some(times) = value("meddled").filter(|times| *times != "0") {
            meddled.push(format!("{times} times on {node}"));
        }
    }
    gaps.close()?;
    Ok(match meddled.as_slice() {
        [] => String::new(),
        some => format!(
            "; somebody else changed rules since machines were started, and they were put back: {}",
            some.join(", ")
        ),
    })
}

/// What an enforcer calls it that it does not hear of all that happens.
const BEHIND: &str = "behind";

/// What it calls where the kernel's rules come from, and rules of before the last change that it heard of.
const IN_FORCE: &str = "in_force";
const OLDER: &str = "older";

/// Looks before it is told, and the pause between two.
const LOOKS: (usize, u64) = (10, 1_000);

/// What to look at.
pub(in super::super) const LOOK: &str =
    "look at the enforcer there: journalctl -u ringfort-policy, ringfort netpol show";
