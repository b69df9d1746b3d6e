//! What is stopped, and what each writer meets meanwhile.

use ringfort_model::act::{Act, Ask, Counted, Load, Part, Seen, Writes};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;

use super::{case, cases, judge};

/// What writers meet in a good cluster: all of them write on, but where their own balancer is gone.
pub(super) fn met(act: &Act) -> Seen {
    met_but(act, |_, _| {})
}

/// The same, but for what one writer meets.
fn met_but(act: &Act, change: impl Fn(&str, &mut Writes)) -> Seen {
    let Act::Rehearse { part, through, counter, .. } = act else { panic!("{act:?}") };
    let writer = |node: &NodeName| {
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
    let counted = counter.as_ref().map(|_| Counted { while_down: Some(14), after: Some(8) });
    Seen::Load(Load { writers, counted, down_ms: 2_300, recovery_ms: 7_000 })
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
        check(stopped, |writes| writes.longest_pause_ms = 8_001, true);
        check(stopped, |writes| writes.after = 0, true);
    }
    check(Part::Etcd, |writes| writes.longest_pause_ms = 8_000, false);
    check(Part::Balancer, |writes| writes.longest_pause_ms = 5_501, true);
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

/// A pod that stops for good has no pause that is over.
#[test]
fn a_pod_has_to_write_while_a_control_plane_is_down_and_after() {
    let check = |counted: Option<Counted>| {
        judge(&case("ha/survives-control-plane"), |act| match act {
            Act::Rehearse { stop, .. } if stop.as_str() == "cp2" => {
                let Seen::Load(load) = met(act) else { panic!("{act:?}") };
                Some(Seen::Load(Load { counted, ..load }))
            }
            _ => None,
        })
    };
    let counted = |while_down, after| Some(Counted { while_down, after });
    assert!(matches!(check(counted(Some(1), Some(1))), Ok(Decided::Pass(_))));
    for (while_down, after) in [(Some(0), Some(9)), (Some(9), Some(0)), (Some(0), None)] {
        let judgement = check(counted(while_down, after));
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{judgement:?}");
    }
    for unseen in [None, counted(None, Some(9)), counted(Some(9), None)] {
        let judgement = check(unseen);
        assert!(judgement.is_err(), "{judgement:?}");
    }
}

/// A pod that never began to write is not one that stopped.
#[test]
fn a_pod_that_does_not_begin_is_unknown() {
    let judgement = judge(&case("ha/survives-control-plane"), |act| match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-writer" => {
            Some(Seen::Text(String::new()))
        }
        Act::Rehearse { counter, .. } => {
            assert_eq!(*counter, None);
            None
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}
