//! What is stopped, and what each writer meets meanwhile.

use ringfort_model::act::{Act, Ask, Counted, Load, Part, Seen, Writes};
use ringfort_model::judgement::{Decided, Judgement};
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

/// What a member of etcd says where another or itself leads, or nobody does.
pub(super) fn leads(member: &NodeName, leader: &str) -> Seen {
    let number = |name: &str| match name {
        "" => "0".to_owned(),
        name => name.replace("cp", "4711"),
    };
    let (member, leader) = (number(member.as_str()), number(leader));
    Seen::Values([("member".to_owned(), member), ("leader".to_owned(), leader)].into())
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

/// Judges a proof in which members say who leads, knowing how many control planes were stopped before and how often this
/// one was asked since, and gives in which order they were stopped.
fn led(says: impl Fn(&NodeName, usize, usize) -> Seen) -> (Judgement, String) {
    let (mut order, mut looks) = (Vec::<String>::new(), Vec::<NodeName>::new());
    let judgement = judge(&case("ha/survives-control-plane"), |act| match act {
        Act::Leads { member } => {
            let looked = looks.iter().filter(|it| *it == member).count();
            looks.push(member.clone());
            Some(says(member, order.len(), looked))
        }
        Act::Rehearse { stop, .. } => {
            order.push(stop.to_string());
            looks.clear();
            None
        }
        _ => None,
    });
    (judgement, order.join(" "))
}

/// Each is stopped once, whoever leads; who leads, behind the others.
#[test]
fn the_control_plane_that_leads_etcd_is_stopped_last() {
    let check = |says: fn(usize) -> &'static str, expected: &str, told: &str| {
        let (judgement, order) = led(|member, stopped, _| leads(member, says(stopped)));
        assert_eq!(order, expected);
        let Ok(Decided::Pass(evidence)) = judgement else { panic!("{judgement:?}") };
        assert!(evidence.to_string().contains(told), "{evidence}");
    };
    check(|_| "cp1", "cp2 cp3 cp1", "cp2, cp3, cp1 (which led etcd) stopped in turn");
    check(|_| "cp2", "cp1 cp3 cp2", "cp1, cp3, cp2 (which led etcd) stopped in turn");
    check(|_| "cp3", "cp1 cp2 cp3", "cp1, cp2, cp3 (which led etcd) stopped in turn");
    // The lead moves meanwhile: to one that is not stopped yet,
    let moves = |stopped: usize| if stopped == 0 { "cp3" } else { "cp2" };
    check(moves, "cp1 cp3 cp2", "cp1, cp3, cp2 (which led etcd) stopped in turn");
    // or it is lost with the last but one.
    let (judgement, order) =
        led(|member, stopped, _| leads(member, if stopped < 2 { "cp3" } else { "cp1" }));
    assert_eq!(order, "cp1 cp2 cp3");
    let gap = judgement.unwrap_err();
    assert!(gap.said.contains("none of the control planes led etcd"), "{}", gap.said);
}

/// The stop of another would be an outage, and of the proof's making.
#[test]
fn while_a_member_of_etcd_does_not_say_who_leads_nothing_is_stopped() {
    let silent = || Seen::Failed { why: "no answer".to_owned() };
    let check = |says: &dyn Fn(&str) -> Seen, expected: &str| {
        let (judgement, order) = led(|member, _, _| says(member.as_str()));
        assert_eq!(order, "", "something was stopped");
        let gap = judgement.unwrap_err();
        assert!(gap.said.contains(expected), "{}", gap.said);
        assert!(gap.closes.contains("etcdctl endpoint health"), "{}", gap.closes);
    };
    let of = |name: &str, leader: &str| leads(&NodeName::new(name).unwrap(), leader);
    let one = |name: &str| if name == "cp3" { silent() } else { of(name, "cp1") };
    check(&one, "the member of etcd of cp3 does not say who leads: no answer");
    check(&|_| silent(), "does not say who leads");
    check(&|name| of(name, ""), "do not name the same one");
    check(&|name| of(name, "cp9"), "do not name the same one");
    let each = |name: &str| of(name, if name == "cp1" { "cp1" } else { "cp2" });
    check(&each, "do not name the same one");
}

/// Nor is the next one, while that which came back is not there again.
#[test]
fn who_leads_is_looked_at_again_before_each_stop() {
    let falls = |member: &NodeName, stopped: usize, _| match (member.as_str(), stopped) {
        ("cp1", 1) => Seen::Failed { why: "unhealthy cluster".to_owned() },
        _ => leads(member, "cp3"),
    };
    let (judgement, order) = led(falls);
    assert_eq!(order, "cp1");
    assert!(judgement.unwrap_err().said.contains("cp1 does not say who leads"));
    // An election is over soon.
    let elects = |member: &NodeName, stopped: usize, looked: usize| {
        leads(member, if stopped == 1 && looked < 2 { "" } else { "cp3" })
    };
    let (judgement, order) = led(elects);
    assert!(matches!(judgement, Ok(Decided::Pass(_))), "{judgement:?}");
    assert_eq!(order, "cp1 cp2 cp3");
}

/// It may be down still.
#[test]
fn behind_a_stop_that_came_to_nothing_no_other_control_plane_is_stopped() {
    let mut stopped = 0;
    let judgement = judge(&case("ha/survives-control-plane"), |act| match act {
        Act::Rehearse { .. } => {
            stopped += 1;
            Some(Seen::Failed { why: "it does not serve 300 s after its start".to_owned() })
        }
        _ => None,
    });
    let gap = judgement.unwrap_err();
    assert!(gap.said.contains("cp1 stopped, and no other may be: it does not serve"), "{gap:?}");
    assert_eq!(stopped, 1);
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
