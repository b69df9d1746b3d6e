//! `ringfort integrity status`: how the agents go.

use std::cmp::Ordering;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use ringfort_integrity::change::{Unknown, VERSION};
use ringfort_integrity::os::{Status, status};
use ringfort_model::trust::TrustFacts;
use serde::Serialize;

use super::changes::AcceptedSet;
use super::machines::{Whose, ask, kept};
use super::plain;
use crate::cli::session::now_s;
use crate::cli::{Fault, print};

/// Show for each machine what is watched, when everything was last looked at, when changes may have been
/// missed, and which nothing explains
///
/// Enters the machines of cluster.yaml over SSH and asks their agents. Changes that somebody took
/// responsibility for with `ringfort integrity accept` are not counted.
///
/// What an agent goes by, its key and its baseline, is held against what was signed here: whoever is root on a machine
/// can exchange both.
///
/// Exit codes: 0 all is well, 1 nothing explains a change, or an agent does not run, refuses its baseline, or goes by
/// another key or baseline than was signed here, 2 usage or bad input, 3 a machine could not be asked, or its agent
/// does not see everything, or not everything was looked at since changes may have been missed.
#[derive(Args)]
pub struct StatusArgs {
    #[command(flatten)]
    whose: Whose,
    /// Write an object for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told {
    version: u32,
    machines: Vec<Machine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    node: String,
    /// Whether the agent goes on.
    runs: bool,
    /// How many changes nothing explains and nobody accepted.
    unexplained: u64,
    /// Why what it compares with is not what the operator signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    strange: Option<String>,
    /// Why it is not known whether it compares with the newest that the operator signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsure: Option<String>,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

/// An agent that has said nothing for so long does not go on.
const STALE_SECONDS: u64 = 10;

/// Shows it.
///
/// # Errors
/// The specification or the operator's state is wrong.
pub fn run(args: &StatusArgs) -> Result<ExitCode, Fault> {
    if let Some(state) = &args.whose.here {
        let status = status(state);
        let node = status.as_ref().map(|it| it.node.clone()).unwrap_or_default();
        let machine = judged(node, status, &AcceptedSet::default(), None);
        return told(&Told { version: VERSION, machines: vec![machine] }, args.json);
    }
    let kept = kept(&args.whose.spec)?;
    let (_, accepted) = kept.accepted()?;
    let accepted = AcceptedSet::of(&accepted);
    let mut machines = Vec::new();
    for (node, said) in ask(&args.whose, "integrity status --here --json")? {
        let read = said.and_then(|bytes| {
            serde_json::from_slice::<Here>(&bytes).map_err(|error| error.to_string())
        });
        machines.push(match read {
            Ok(mut here) => {
                let status = here.machines.pop().and_then(|machine| machine.status);
                judged(node, status, &accepted, Some(&kept.trust))
            }
            Err(why) => Machine { unseen: Some(why), ..Machine::silent(node) },
        });
    }
    told(&Told { version: VERSION, machines }, args.json)
}

/// What a machine says of itself.
#[derive(serde::Deserialize)]
struct Here {
    machines: Vec<HereMachine>,
}

#[derive(serde::Deserialize)]
struct HereMachine {
    status: Option<Status>,
}

/// The agent's clock and this one need not agree: what the machine itself says was read when it was asked.
fn judged(
    node: String,
    status: Option<Status>,
    accepted: &AcceptedSet,
    trust: Option<&TrustFacts>,
) -> Machine {
    let Some(status) = status else { return Machine::silent(node) };
    let (strange, unsure) = trust.map(|trust| compared(&node, &status, trust)).unwrap_or_default();
    let is_accepted = |id: &&String| accepted.has(id, status.drifts.get(*id));
    let named = status.unexplained.iter().filter(is_accepted).count() as u64;
    let unexplained = status.unexplained_count.saturating_sub(named);
    let now = u64::try_from(now_s()).unwrap_or_default();
    let runs = now.saturating_sub(status.at) <= STALE_SECONDS;
    Machine { node, runs, unexplained, strange, unsure, unseen: None, status: Some(status) }
}

/// Holds the key and the baseline that an agent goes by against those of the operator: whoever is root there can
/// exchange both. Says why they are others, or why that is not known.
fn compared(node: &str, status: &Status, trust: &TrustFacts) -> (Option<String>, Option<String>) {
    let strange = |why: &str| (Some(why.to_owned()), None);
    let unsure = |why: String| (None, Some(why));
    let ours = trust.baselines.iter().find(|(name, _)| name.as_str() == node).map(|(_, ours)| ours);
    let (Some(key), Some(ours)) = (trust.baseline_key_digest(), ours) else {
        return unsure("nothing was signed for it here: ringfort up".to_owned());
    };
    let (Some(its_key), Some(its)) = (&status.key_digest, &status.baseline_digest) else {
        return unsure("it does not say what it compares with: ringfort up".to_owned());
    };
    match status.baseline.cmp(&ours.number) {
        _ if *its_key != key => strange("it believes another key than the one that signs here"),
        Ordering::Equal if *its != ours.digest => {
            strange("its baseline says something else than the one with its number here")
        }
        Ordering::Greater => strange("its baseline has a number that was never signed here"),
        Ordering::Less => unsure(format!(
            "its baseline has number {}, and the newest has {}: ringfort up",
            status.baseline, ours.number
        )),
        Ordering::Equal => (None, None),
    }
}

impl Machine {
    /// One that says nothing.
    fn silent(node: String) -> Self {
        let (runs, unexplained) = (false, 0);
        let (strange, unsure, unseen, status) = Default::default();
        Self { node, runs, unexplained, strange, unsure, unseen, status }
    }
}

fn told(told: &Told, json: bool) -> Result<ExitCode, Fault> {
    print(&if json {
        serde_json::to_string_pretty(told).map_err(Fault::unable)? + "\n"
    } else {
        told.machines.iter().map(people).collect()
    });
    Ok(ExitCode::from(code(told)))
}

fn code(told: &Told) -> u8 {
    let is_wrong = |machine: &Machine| {
        let refused = machine.status.as_ref().is_some_and(|it| it.refused.is_some());
        let is_other = refused || machine.strange.is_some();
        machine.unseen.is_none() && (!machine.runs || machine.unexplained > 0 || is_other)
    };
    let is_blind = |machine: &Machine| {
        let status = machine.status.as_ref();
        let less = status.is_some_and(|it| {
            let packages = it.packages.as_ref();
            let is_untold = packages.is_some_and(|it| it.unknown_count + it.untold() > 0);
            let is_late = it.unwritten.is_some();
            let is_blind = it.blind_since.is_some() || it.verified.is_none() || is_late;
            !it.limits.is_empty() || it.unknown_count > 0 || is_blind || is_untold
        });
        machine.unseen.is_some() || machine.unsure.is_some() || less
    };
    match (told.machines.iter().any(is_wrong), told.machines.iter().any(is_blind)) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) if told.machines.is_empty() => 3,
        (false, false) => 0,
    }
}

fn people(machine: &Machine) -> String {
    let node = &plain(&machine.node);
    let unknown = |it: &Unknown| format!("{}: {}", it.path, plain(&it.why));
    if let Some(why) = &machine.unseen {
        return format!("{node}\n  could not be asked: {}\n", plain(why));
    }
    let Some(status) = &machine.status else { return format!("{node}\n  no agent has ever run\n") };
    let mut text = format!("{node}\n");
    let mut say = |line: String| text.push_str(&format!("  {line}\n"));
    if !machine.runs {
        say(format!("NO AGENT RUNS: it last said so at {}", when(status.at)));
    }
    if let Some(why) = &machine.strange {
        say(format!("NOT WHAT WAS SIGNED HERE: {why}: ringfort up, and integrity verify"));
    }
    machine.unsure.iter().for_each(|why| say(format!("not known whether it is up to date: {why}")));
    if let Some(why) = &status.refused {
        say(format!("BASELINE REFUSED: {}", plain(why)));
    }
    if let Some(why) = &status.unwritten {
        say(format!("NOT WRITTEN DOWN, only held in memory: {}: make room", plain(why)));
    }
    say(format!(
        "{} paths protected by baseline {}, {} since flags name them, {} watched",
        status.protected, status.baseline, status.named, status.watched
    ));
    say(match status.verified {
        Some(at) => format!("everything looked at {}, {} unknown", when(at), status.unknown_count),
        None => "not everything was looked at yet".to_owned(),
    });
    status.unknown.iter().for_each(|it| say(format!("unknown: {}", unknown(it))));
    if let Some(repair) = &status.repair {
        let (files, times) = (repair.listed, repair.put_back);
        say(format!(
            "the agent puts {files} files back, and has done so {times} times since it began"
        ));
        repair.left.iter().for_each(|it| say(format!("NOT PUT BACK: {}", unknown(it))));
    }
    if status.containers > 0 {
        say(format!("roots of {} containers held against their images", status.containers));
    }
    if let (Some(at), Some(it)) = (status.compared, &status.packages) {
        let (at, wrong, open) = (when(at), it.findings_count, it.unknown_count);
        say(format!(
            "{} files of {} packages compared {at}: {wrong} not as they should be, {open} unknown",
            it.files, it.packages
        ));
        it.unknown.iter().for_each(|it| say(format!("unknown: {}", unknown(it))));
        if it.untold() > 0 {
            say(format!(
                "{} of them are not told: ringfort integrity verify --packages",
                it.untold()
            ));
        }
    }
    status.limits.iter().for_each(|limit| say(format!("not seen: {}", plain(limit))));
    for blind in &status.blind {
        let (from, until) = (when(blind.from), when(blind.until));
        say(format!("blind from {from} to {until}: {}", plain(&blind.why)));
    }
    if let Some(from) = status.blind_since {
        say(format!("BLIND SINCE {}: not everything was looked at since", when(from)));
    }
    say(match machine.unexplained {
        0 => "no unexplained change".to_owned(),
        some => format!("{some} UNEXPLAINED: ringfort integrity changes --node {node}"),
    });
    text
}

/// Writes a time.
pub fn when(at: u64) -> String {
    let second = i64::try_from(at).ok().and_then(|at| Timestamp::from_second(at).ok());
    second.map_or_else(|| at.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use ringfort_integrity::change::Blind;
    use ringfort_integrity::history::Accepted;
    use ringfort_integrity::journal::Compared;
    use ringfort_model::digest::Digest;
    use serde_json::json;

    use super::*;

    fn status(at: u64) -> Status {
        Status {
            at,
            verified: Some(at),
            unexplained: vec!["a".to_owned(), "b".to_owned()],
            unexplained_count: 2,
            ..Status::default()
        }
    }

    /// The record of a change, or of drift that begins so.
    fn record(of: &str) -> Accepted {
        let text = || String::new();
        let drift = of.starts_with("drift").then(|| of.to_owned());
        let change = of.to_owned();
        Accepted { change, drift, owner: text(), reason: text(), at: text(), before: text() }
    }

    fn check(status: Option<Status>, accepted: &[&str], expected: u8) {
        let accepted = AcceptedSet::of(&accepted.iter().map(|it| record(it)).collect::<Vec<_>>());
        let machine = judged("w1".to_owned(), status, &accepted, None);
        assert_eq!(code(&Told { version: VERSION, machines: vec![machine] }), expected);
    }

    #[test]
    fn an_agent_that_goes_by_something_else_than_was_signed_here_is_not_well() {
        let trust = json!({"version": 1, "cluster": "harbour", "epoch": 1, "authorities": {},
            "encryption": {"keys": [], "digest": Digest::of(b"")}, "service_account_keys": {}, "pod_ranges": {},
            "foundings": {}, "started": [], "baseline_key": "our key\n",
            "baselines": {"w1": {"number": 4, "digest": Digest::of(b"says")}}});
        let mut trust: TrustFacts = serde_json::from_value(trust).unwrap();
        let now = u64::try_from(now_s()).unwrap();
        let well = || Status {
            baseline: 4,
            key_digest: Some(Digest::of(b"our key")),
            baseline_digest: Some(Digest::of(b"says")),
            ..Status { at: now, verified: Some(now), ..Status::default() }
        };
        let check = |status: Status, trust: &TrustFacts, expected: u8| {
            let accepted = AcceptedSet::default();
            let machine = judged("w1".to_owned(), Some(status), &accepted, Some(trust));
            assert_eq!(code(&Told { version: VERSION, machines: vec![machine] }), expected);
        };
        check(well(), &trust, 0);
        check(Status { key_digest: Some(Digest::of(b"its key")), ..well() }, &trust, 1);
        check(Status { baseline_digest: Some(Digest::of(b"other")), ..well() }, &trust, 1);
        check(Status { baseline: 5, ..well() }, &trust, 1);
        check(Status { baseline: 3, baseline_digest: Some(Digest::of(b"x")), ..well() }, &trust, 3);
        check(Status { key_digest: None, ..well() }, &trust, 3);
        check(Status { blind_since: Some(now - 5), ..well() }, &trust, 3);
        trust.baselines.clear();
        check(well(), &trust, 3);
    }

    #[test]
    fn what_a_machine_says_moves_no_cursor() {
        let odd = || "\u{1b}[2J\nall is well".to_owned();
        let unknown = vec![Unknown { path: "/a\\x0ab".parse().unwrap(), why: odd() }];
        let packages = Compared { unknown: unknown.clone(), ..Compared::default() };
        let status = Status {
            refused: Some(odd()),
            limits: vec![odd()],
            blind: vec![Blind { from: 1, until: 2, why: odd() }],
            compared: Some(1),
            packages: Some(packages),
            unknown,
            ..status(1)
        };
        let machine = judged(odd(), Some(status), &AcceptedSet::default(), None);
        let silent = Machine { unseen: Some(odd()), ..Machine::silent("w1".to_owned()) };
        for said in [people(&machine), people(&silent)] {
            assert!(!said.contains('\u{1b}') && !said.contains("\nall is well"), "{said}");
        }
        assert!(people(&machine).contains("unknown: /a\\x0ab: "), "{}", people(&machine));
    }

    #[test]
    fn only_an_agent_that_goes_on_with_everything_explained_is_well() {
        let now = u64::try_from(now_s()).unwrap();
        check(Some(status(now)), &["a", "b"], 0);
        check(Some(status(now)), &["a"], 1);
        let drifts = [("b".to_owned(), "drift of an image".to_owned())].into();
        let drifted = Status { drifts, ..status(now) };
        check(Some(drifted.clone()), &["a", "drift of an image"], 0);
        check(Some(drifted), &["a", "drift of another"], 1);
        check(Some(status(now)), &["a", "drift of an image"], 1);
        check(Some(status(now - 60)), &["a", "b"], 1);
        check(None, &[], 1);
        let refused = Status { refused: Some("old".to_owned()), ..status(now) };
        check(Some(refused), &["a", "b"], 1);
        check(Some(Status { limits: vec!["deaf".to_owned()], ..status(now) }), &["a", "b"], 3);
        let compared = |unknown_count, findings_count| {
            let packages =
                Compared { unknown_count, findings_count, told_count: 2, ..Compared::default() };
            Some(Status { packages: Some(packages), ..status(now) })
        };
        check(compared(0, 2), &["a", "b"], 0);
        check(compared(1, 0), &["a", "b"], 3);
        check(compared(0, 3), &["a", "b"], 3);
        check(Some(Status { verified: None, ..status(now) }), &["a", "b"], 3);
        let full = Status { unwritten: Some("journal: no space".to_owned()), ..status(now) };
        let said =
            people(&judged("w1".to_owned(), Some(full.clone()), &AcceptedSet::default(), None));
        assert!(said.contains("NOT WRITTEN DOWN") && said.contains("no space"), "{said}");
        check(Some(full), &["a", "b"], 3);
        assert_eq!(code(&Told { version: VERSION, machines: Vec::new() }), 3);
    }
}
