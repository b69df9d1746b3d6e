//! Suspicious things are done through each API server, one for each tactic that a harmless one is known of, and each is
//! in that very server's store, was found by its detection, and stands in a log that is whole.

use std::collections::BTreeMap;

use ringfort_audit::attack::Tactic;
use ringfort_model::act::{Act, Ask, EventSeen, KeptSeen, Next, Seen, TallySeen, Transcript};
use ringfort_model::name::NodeName;

use super::done::{Unseen, undo};
use super::tactics::{CANARIES, Canary, UNTRIED, by_keeper, objects};
use crate::proof::port::{WITNESS, shut};
use crate::proof::{Scene, course, fail, pass, words};

/// Looks at a store before giving up, and the pause between two: half a minute.
const LOOKS: (usize, u64) = (15, 2_000);

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let mut unseen = Unseen::default();
        let servers = || scene.control_planes.iter().enumerate();
        let objects = servers().flat_map(|(place, server)| {
            let objects = objects(scene, &name(scene, place));
            objects.map(|object| by_keeper(server, Ask::Create(object)))
        });
        let written = course.step(objects.collect())?;
        let acts = servers().flat_map(|(place, server)| {
            CANARIES.iter().map(move |canary| (canary.act)(scene, server, name(scene, place)))
        });
        let tried = course.step(acts.collect())?;
        // Whether it went is not asked: what is still there goes with the namespace.
        course.step(tried.iter().filter_map(undo).collect())?;
        let done: Vec<Vec<&Canary>> = servers()
            .map(|(place, server)| unseen.done(server, &name(scene, place), written, tried))
            .collect();
        let looks = || {
            let look = |(place, server): (usize, &NodeName)| Act::Kept {
                server: server.clone(),
                holding: name(scene, place),
            };
            servers().map(look).collect()
        };
        let count = scene.control_planes.len();
        let seen = course.until_all(LOOKS, looks, |seen| {
            let newest = &seen[seen.len() - count..];
            let present = present(newest, &done);
            newest.iter().zip(&done).all(|((act, seen), done)| match seen {
                Seen::Kept(kept) => judge(kept, done, &others(&present, act)).is_ok(),
                _ => false,
            })
        })?;
        let newest = &seen[seen.len() - count..];
        let present = present(newest, &done);
        let (mut entries, mut counted, mut keys) = (0, 0, Vec::new());
        for ((act, seen), done) in newest.iter().zip(&done) {
            let Seen::Kept(kept) = seen else {
                unseen.note(place_of(act), format!("its store was not read: {}", words(seen)));
                continue;
            };
            if let Err((said, fix)) = judge(kept, done, &others(&present, act)) {
                return Ok(fail(format!("{}: {said}", place_of(act)), fix));
            }
            entries += kept.entries;
            counted += kept.tally.as_ref().map_or(0, |tally| tally.events);
            keys.push(format!("{} {}", place_of(act), kept.key));
        }
        let tries = shut(course, scene, &[WITNESS])?;
        unseen.close()?;
        let said =
            format!("{}; {}", tried_all(seen, count), said((entries, counted), &keys, tries));
        Ok(pass(said, course.so_far()))
    })
}

/// Says which tactics were tried through so many servers and found, and which are not tried.
fn tried_all(looks: &[(Act, Seen)], servers: usize) -> String {
    let tactics: Vec<String> = CANARIES.iter().map(|canary| canary.tactic.to_string()).collect();
    let untried: Vec<String> = UNTRIED.iter().map(|(tactic, _)| tactic.to_string()).collect();
    let slowest = slowest(looks).map_or_else(String::new, |(tactic, seconds)| {
        format!(", the slowest ({tactic}) within {seconds} s")
    });
    format!(
        "suspicious things of {} tactics ({}), done through each of {servers} servers, were kept by their audit ids \
         and found by their detections{slowest}; not tried are {}",
        tactics.len(),
        tactics.join(", "),
        untried.join(", "),
    )
}

/// Names the tactic whose finding was seen longest after the request, and how long that was, in seconds.
fn slowest(looks: &[(Act, Seen)]) -> Option<(Tactic, u64)> {
    let mut first: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (act, seen) in looks {
        let Seen::Kept(kept) = seen else { continue };
        for (detection, ms) in &kept.found_ms {
            // Looks behind the first that has it only see that it grows old.
            first.entry((place_of(act), detection.as_str())).or_insert(*ms);
        }
    }
    let took = |canary: &Canary| {
        let of = first.iter().filter(|((_, detection), _)| *detection == canary.detection);
        Some((canary.tactic, of.map(|(_, ms)| ms.div_ceil(1_000)).max()?))
    };
    CANARIES.iter().filter_map(took).max_by_key(|(_, seconds)| *seconds)
}

fn said((entries, counted): (u64, u64), keys: &[String], tries: usize) -> String {
    format!(
        "{entries} entries are as they were written, by the keys {}; of {counted} events that the servers \
         counted while they were counted here too, none is missing; each judges them with what all others keep; port {} of \
         the witnesses refuses requests without TLS, and every certificate but the cluster's own ({tries} tries)",
        keys.join(", "),
        WITNESS.number,
    )
}

/// What is wrong at a control plane, and what mends it there.
type Wrong = (String, String);

/// Judges what one control plane keeps, and of the canaries those that were done through its server: another is
/// missing for the reason that it was not done. What the other control planes keep has to come there.
fn judge(kept: &KeptSeen, done: &[&Canary], others: &[&NodeName]) -> Result<(), Wrong> {
    let own = |said: String| (said, "look at ringfort-collect there: ringfort up".to_owned());
    stored(kept, done).map_err(own)?;
    // Who counts asks the same server: where that did nothing at all, it may be away.
    if done.is_empty() {
        return Ok(());
    }
    compared(kept.tally.as_ref()).map_err(own)?;
    others.iter().try_for_each(|other| heard(kept, other))
}

/// Judges whether a store is whole, and has what was done.
fn stored(kept: &KeptSeen, done: &[&Canary]) -> Result<(), String> {
    if let Some(wrong) = kept.wrong.first() {
        return Err(format!("what is kept is not as it was written: {wrong}"));
    }
    if kept.key.is_empty() {
        return Err("nothing is kept".to_owned());
    }
    for Canary { what, verb, resource, .. } in done {
        let is_it = |event: &&EventSeen| event.verb == *verb && event.resource == *resource;
        let logged: Vec<&EventSeen> = kept.logged.iter().filter(is_it).collect();
        if logged.is_empty() {
            return Err(format!("that somebody {what} is not in its audit log"));
        }
        if let Some(event) = logged.iter().find(|event| !kept.kept.contains(**event)) {
            return Err(format!("that somebody {what} is logged as {} and not kept", event.id));
        }
    }
    let unfound = done.iter().filter(|canary| !kept.findings.contains(canary.detection));
    let unfound: Vec<String> = unfound.map(ToString::to_string).collect();
    if !unfound.is_empty() {
        return Err(format!("half a minute later nothing was found of {}", unfound.join(", ")));
    }
    Ok(())
}

/// What was looked at longer ago than this, in seconds, says nothing of now: it is looked at twice a minute.
const STALE_S: u64 = 60;

/// Judges how what a server counts compares with what came. One look shows where counting begins, the second compares.
fn compared(tally: Option<&TallySeen>) -> Result<(), String> {
    let Some(tally) = tally else {
        return Err("nobody counts what its server logs".to_owned());
    };
    let TallySeen { ago_s, rounds, missed, unheard, trouble, .. } = tally;
    match trouble {
        _ if *ago_s > STALE_S => {
            Err(format!("what its server logs was counted {ago_s} seconds ago, and not since"))
        }
        _ if *unheard > 0 => {
            Err("its server answers, and what it is asked does not come to what is kept".to_owned())
        }
        Some(why) => Err(format!("what its server logs is not counted: {why}")),
        None if *missed > 0 => Err(format!("{missed} events that its server counts did not come")),
        None if *rounds < 2 => Err("what its server logs was not compared yet".to_owned()),
        None => Ok(()),
    }
}

/// Judges whether what another control plane keeps comes to be judged together. What came before the first canary says
/// nothing of now. Both times are told by one look at one machine.
fn heard(kept: &KeptSeen, other: &NodeName) -> Result<(), Wrong> {
    let begun_ms = kept.found_ms.values().max().copied().unwrap_or_default();
    let came = match kept.heard_ms.get(other) {
        Some(ago_ms) if *ago_ms < begun_ms => return Ok(()),
        Some(ago_ms) => {
            let ago_s = ago_ms / 1_000;
            format!("what {other} keeps came {ago_s} seconds ago, and not since")
        }
        None => format!("nothing comes of what {other} keeps"),
    };
    Err((
        format!("{came}: what takes many events is judged without what its server logs"),
        format!("look at ringfort-witness there and on {other}: ringfort up"),
    ))
}

/// Gives the control planes whose servers did something and whose stores were read. Of one that is away nothing can
/// come: it has notes of its own.
fn present<'l>(newest: &'l [(Act, Seen)], done: &[Vec<&Canary>]) -> Vec<&'l NodeName> {
    let there = newest.iter().zip(done);
    let there = there.filter(|((_, seen), done)| matches!(seen, Seen::Kept(_)) && !done.is_empty());
    there.filter_map(|((act, _), _)| act.node()).collect()
}

/// Gives the others of them than the one that is looked at.
fn others<'l>(present: &[&'l NodeName], act: &Act) -> Vec<&'l NodeName> {
    present.iter().copied().filter(|node| act.node() != Some(*node)).collect()
}

fn place_of(act: &Act) -> &str {
    act.node().map_or("", NodeName::as_str)
}

/// Names what is done through one server: no other run's line has it.
fn name(scene: &Scene, place: usize) -> String {
    format!("{}-kept-{place}", scene.namespace)
}
