//! What is stopped, and what each writer meets meanwhile.

use ringfort_model::act::{Act, Load, Part, Seen, Writes};
use ringfort_model::judgement::Decided;

use super::{case, cases, judge};

/// What writers meet in a good cluster: all of them write on, but where their own balancer is gone.
pub(super) fn met(act: &Act) -> Seen {
    met_but(act, |_, _| {})
}

/// The same, but for what one writer meets.
fn met_but(act: &Act, change: impl Fn(&str, &mut Writes)) -> Seen {
    let Act::Rehearse { part, through, .. } = act else { panic!("{act:?}") };
    let writer = |node: &ringfort_model::name::NodeName| {
        let mut writes = Writes {
            tried: 40,
            acknowledged: 39,
            while_down: if *part == Part::Balancer { 0 } else { 12 },
            after: 9,
            lost: 0,
            longest_pause_ms: 900,
        };
        change(node.as_str(), &mut writes);
        (node.clone(), writes)
    };
    let writers = through.iter().map(writer).collect();
    Seen::Load(Load { writers, down_ms: 2_300, recovery_ms: 7_000 })
}

/// The control whose proof stops a part.
const STOPPERS: [(&str, Part); 3] = [
    ("ha/survives-control-plane", Part::ControlPlane),
    ("ha/three-control-planes", Part::Etcd),
    ("ha/three-control-planes", Part::Balancer),
];

/// Judges everything where one writer meets something else while a part is stopped.
fn check(stopped: Part, change: fn(&mut Writes), fails: bool) {
    for case in cases() {
        let judgement = judge(&case, |act| match act {
            Act::Rehearse { part, .. } if *part == stopped => Some(met_but(act, |node, writes| {
                if node == "w2" {
                    change(writes);
                }
            })),
            _ => None,
        });
        let failed = matches!(judgement, Ok(Decided::Fail(_)));
        let is_its_own = STOPPERS.contains(&(case.control, stopped));
        assert_eq!(failed, fails && is_its_own, "{}: {judgement:?}", case.control);
    }
}

#[test]
fn one_writer_that_loses_a_write_or_waits_too_long_fails_the_proof_of_what_was_stopped() {
    for (_, stopped) in STOPPERS {
        check(stopped, |writes| writes.lost = 1, true);
        check(stopped, |writes| writes.longest_pause_ms = 10_001, true);
        check(stopped, |writes| writes.after = 0, true);
    }
    check(Part::Etcd, |writes| writes.longest_pause_ms = 10_000, false);
    check(Part::Balancer, |writes| writes.longest_pause_ms = 7_501, true);
}

/// With one member of etcd too few, writes wait until it returns, for as long as an election may take.
#[test]
fn who_only_writes_again_when_a_part_is_back_has_not_survived_it() {
    check(Part::ControlPlane, |writes| writes.while_down = 0, true);
    check(Part::Etcd, |writes| writes.while_down = 0, true);
    // Behind a balancer that is gone there is no way.
    check(Part::Balancer, |writes| writes.while_down = 0, false);
}

/// The sum of all writers says nothing of each.
#[test]
fn a_writer_without_a_write_is_no_pass() {
    for (control, stopped) in STOPPERS {
        for is_told in [true, false] {
            let judgement = judge(&case(control), |act| match act {
                Act::Rehearse { part, .. } if *part == stopped => {
                    let seen = met_but(act, |node, writes| {
                        if node == "w3" {
                            (writes.acknowledged, writes.while_down, writes.after) = (0, 0, 0);
                        }
                    });
                    let Seen::Load(mut load) = seen else { panic!("{seen:?}") };
                    load.writers.retain(|node, _| is_told || node.as_str() != "w3");
                    Some(Seen::Load(load))
                }
                _ => None,
            });
            assert!(judgement.is_err(), "{control}: {judgement:?}");
        }
    }
}
