//! Laws over the whole catalogue: what a control makes is judged to hold, and is judged not to where the control
//! is left out. They are tried on blueprints of every minor as if those had been converged and looked at, so
//! that a new control, and a new row, get them without being named here.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

#[path = "../../../forge/tests/common/mod.rs"]
mod common;
mod observed;
mod plain;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use common::{lock, spec};
use jiff::civil::date;
use ringfort_check::benchmark::{
    ByFacts, Intent, Looked, Needs, Row, beyond, by_facts, judge, judge_beyond, rows, waive,
};
use ringfort_controls::CATALOGUE;
use ringfort_controls::audit::site::NONE;
use ringfort_facts::machine::Machine;
use ringfort_forge::render::{Materials, render, render_without, sample_trust};
use ringfort_model::blueprint::Blueprint;
use ringfort_model::digest::Digest;
use ringfort_model::judgement::Verdict;
use ringfort_model::version::Minor;

/// What each row comes to: its verdict, or nothing where somebody answers for its failure.
type Words = BTreeMap<&'static str, (Option<Verdict>, String)>;

/// Every row: those of the benchmark, and what controls ask beyond it.
fn all_rows() -> impl Iterator<Item = &'static Row> {
    rows().chain(beyond())
}

fn whole(minor: Minor) -> Blueprint {
    let (spec, lock) = (spec(minor), lock(minor));
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    render(&spec, &sample_trust(&spec).unwrap(), &materials).unwrap()
}

/// The blueprint without a control; none where another would be dangerous then.
fn without(control: &str, minor: Minor) -> Option<Blueprint> {
    let (spec, lock) = (spec(minor), lock(minor));
    let materials =
        Materials { bundle: &lock, ringfort: Digest::of(b"ringfort"), addons: &[], site: &NONE };
    render_without(control, &spec, &sample_trust(&spec).unwrap(), &materials).ok()
}

fn judged(blueprint: &Blueprint, minor: Minor) -> Words {
    let facts = observed::machines(blueprint);
    let machines: Vec<Machine<'_>> = facts.iter().map(|it| Machine::new(it, Some(minor))).collect();
    let documents = observed::objects(blueprint);
    let tally = observed::tally(&documents);
    let names = blueprint.machines.keys().map(ToString::to_string).collect();
    let intent = Intent { machines: names, ..Intent::default() };
    let looked = Looked {
        machines: &machines,
        objects: Some(&tally),
        intent: Some(&intent),
        ..Looked::default()
    };
    let mut judged = judge(&looked);
    judged.extend(judge_beyond(&looked));
    waive(&mut judged, &looked, &[], date(2026, 11, 27));
    let word = |one: &ringfort_check::benchmark::Judged| {
        let verdict = one.waived.is_none().then(|| Verdict::from(&one.whole));
        (one.row.id, (verdict, format!("{:?}", one.whole)))
    };
    judged.iter().map(word).collect()
}

fn is_good(verdict: Option<Verdict>) -> bool {
    matches!(verdict, None | Some(Verdict::Proved | Verdict::NotApplicable))
}

/// What only a running cluster tells is the audit log; all else follows from the blueprint.
#[test]
fn what_is_made_is_judged_to_hold() {
    for minor in Minor::ALL {
        let words = judged(&whole(minor), minor);
        let decided = all_rows().filter(|row| row.needs() != Needs::AuditLog);
        let wrong: Vec<_> = decided
            .filter(|row| !is_good(words[row.id].0))
            .map(|row| (row.id, &words[row.id]))
            .collect();
        assert!(wrong.is_empty(), "{minor}: {wrong:#?}");
    }
}

/// Controls that no row misses when they are left out, and why. Each is shown by a proof of its own, which its
/// sabotage has to fail.
const MISSED_BY_PROOFS: [(&str, &str); 4] = [
    (
        "access/admin-is-narrow",
        "rows see who holds a right today, and the identity is for tomorrow",
    ),
    ("access/no-privileged-containers", "Pod Security refuses such pods as well"),
    (
        "network/pod-encryption",
        "where a kernel has no WireGuard clusters are made so, and facts do not tell what a kernel has",
    ),
    ("network/services", "what does not run is asked nothing"),
];

#[test]
fn what_is_left_out_is_judged_to_be_missing() {
    let minor = Minor::V1_37;
    let before = judged(&whole(minor), minor);
    let named: BTreeSet<&str> = all_rows().filter_map(|row| row.kept.control()).collect();
    let (mut unseen, mut tried) = (BTreeSet::new(), 0);
    for control in CATALOGUE.iter().filter(|it| it.make.is_some() && named.contains(it.id)) {
        let Some(rest) = without(control.id, minor) else { continue };
        let after = judged(&rest, minor);
        let own = all_rows().filter(|row| row.kept.control() == Some(control.id));
        let fails = |id: &str| is_good(before[id].0) && !is_good(after[id].0);
        tried += 1;
        if !own.map(|row| row.id).any(fails) {
            unseen.insert(control.id);
        }
    }
    let known: BTreeSet<&str> = MISSED_BY_PROOFS.iter().map(|(id, _)| *id).collect();
    assert_eq!(unseen, known);
    for (id, why) in MISSED_BY_PROOFS {
        assert!(!why.is_empty(), "{id}");
        let proof = ringfort_controls::find(id).and_then(|control| control.prove);
        assert!(proof.is_some_and(|proof| !proof.sabotage.is_empty()), "{id}: nothing misses it");
    }
    assert!(tried > 20, "{tried}");
}

/// Whatever is asked of facts is asked by a row that says so, and where nothing is, it stands written why.
#[test]
fn facts_decide_every_control_or_it_is_said_why_not() {
    let mut decided = 0;
    for control in CATALOGUE {
        match by_facts(control.id) {
            Some(ByFacts::Rows(own)) => {
                assert!(!own.is_empty(), "{}", control.id);
                decided += 1;
            }
            Some(ByFacts::Nothing(why)) => {
                assert!(why.len() > 40 && control.prove.is_some(), "{}: {why}", control.id);
            }
            None => panic!("{}: neither rows nor a reason, or both", control.id),
        }
    }
    assert!(decided >= CATALOGUE.len() - 4, "{decided} of {}", CATALOGUE.len());
    for row in beyond() {
        assert_eq!(row.kept.control(), Some(row.id));
        assert!(ringfort_controls::find(row.id).is_some(), "{} is no control", row.id);
    }
}

/// Controls that components themselves come from: without one there is little left to judge.
const FOUNDATIONS: [&str; 2] = ["ha/nodes-are-ready", "ha/three-control-planes"];
/// What breaks with a control besides what it is for, and why.
const ALSO: [(&str, &[&str], &str); 5] = [
    (
        "access/kubelet-authorization",
        &["4.1.7", "4.1.8", "4.2.7", "4.2.11"],
        "it names the authorities' file, and the serving certificate that the name of the node is for",
    ),
    (
        "access/pod-security",
        &["5.2.2", "5.2.7", "5.2.11"],
        "others refuse the same pods a second time",
    ),
    (
        "network/cluster-dns",
        &["5.3.2", "5.4.1", "5.6.2", "5.6.3", "node/apparmor"],
        "without its pods no workload is there to be judged",
    ),
    (
        "network/pod-network",
        &["5.3.1", "network/pod-encryption"],
        "policies are enforced in the network's own plugins, and the tunnel is one of its routes",
    ),
    (
        "network/services",
        &["4.2.6", "4.3.1"],
        "kube-proxy is not there, which keeps its own rules and has an address of its own",
    ),
];

#[test]
fn what_is_left_out_breaks_nothing_else() {
    let minor = Minor::V1_37;
    let before = judged(&whole(minor), minor);
    let mut loud: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let made = CATALOGUE.iter().filter(|it| it.make.is_some());
    for control in made.filter(|it| !FOUNDATIONS.contains(&it.id)) {
        let Some(rest) = without(control.id, minor) else { continue };
        let after = judged(&rest, minor);
        let others = all_rows().filter(|row| row.kept.control() != Some(control.id));
        for row in others.filter(|row| before[row.id].0 != after[row.id].0) {
            loud.entry(control.id).or_default().insert(row.id);
        }
    }
    let declared = |(id, rows, why): &(&'static str, &[&'static str], &str)| {
        assert!(!why.is_empty(), "{id}");
        (*id, rows.iter().copied().collect())
    };
    assert_eq!(loud, ALSO.iter().map(declared).collect());
}

/// A control that no row is about is shown by its behaviour, or says nothing that could be shown.
#[test]
fn a_control_that_no_row_is_about_has_a_proof() {
    let named: BTreeSet<&str> = all_rows().filter_map(|row| row.kept.control()).collect();
    let unnamed = CATALOGUE.iter().filter(|it| it.make.is_some() && !named.contains(it.id));
    // This one only passes on what a spec names.
    for control in unnamed.filter(|it| it.id != "workload/addons") {
        assert!(control.prove.is_some(), "{}: neither row nor proof", control.id);
    }
}
