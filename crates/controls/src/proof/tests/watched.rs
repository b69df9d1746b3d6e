//! A change of a file counts as seen only as what it is.

use ringfort_model::act::{Act, Seen};
use ringfort_model::judgement::{Decided, Judgement};

use super::machines::canary;
use super::{case, judge};

const CONTROL: &str = "integrity/files-are-watched";

fn on_w3(act: &Act, other: &[(&str, &str)]) -> Option<Seen> {
    match act {
        Act::Canary { node } if node.as_str() == "w3" => Some(Seen::Values(canary(other))),
        _ => None,
    }
}

#[test]
fn what_an_agent_does_not_see_or_say_is_unknown() {
    let unknown = |world: &dyn Fn(&Act) -> Option<Seen>| {
        assert!(judge(&case(CONTROL), world).is_err());
    };
    unknown(&|act| on_w3(act, &[("who", "unknown")]));
    unknown(&|act| match act {
        Act::Canary { .. } => Some(Seen::Failed { why: "no route".to_owned() }),
        _ => None,
    });
    for name in canary(&[]).into_keys() {
        let less = |act: &Act| match act {
            Act::Canary { node } if node.as_str() == "cp2" => {
                let mut told = canary(&[]);
                told.remove(&name);
                Some(Seen::Values(told))
            }
            _ => None,
        };
        assert!(judge(&case(CONTROL), less).is_err(), "without {name}");
    }
}

#[test]
fn what_else_is_unexplained_is_told_and_fails_nothing() {
    let came = judge(&case(CONTROL), |act| on_w3(act, &[("unexplained", "2")])).unwrap();
    let Decided::Pass(evidence) = came else { panic!("{came:?}") };
    assert!(format!("{evidence:?}").contains("2 other changes"), "{evidence:?}");
}

#[test]
fn what_an_agent_tells_has_to_arrive_somewhere_and_as_what_it_told() {
    let came = |world: &dyn Fn(&Act) -> Option<Seen>| judge(&case(CONTROL), world);
    let on = |act: &Act, server: &str, values: &[(&str, &str)]| match act {
        Act::Reported { server: asked, .. } if asked.as_str() == server || server.is_empty() => {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            Some(Seen::Values(values.iter().map(own).collect()))
        }
        _ => None,
    };
    // One control plane has it, and that is enough.
    let one = came(&|act| on(act, "cp1", &[]).or_else(|| on(act, "cp2", &[])));
    assert!(matches!(one, Ok(Decided::Pass(_))), "{one:?}");
    let fails = |judged: Judgement| assert!(matches!(judged, Ok(Decided::Fail(_))), "{judged:?}");
    fails(came(&|act| on(act, "", &[("w3", "c4a1")])));
    // Of another time.
    let older = ["cp1", "cp2", "cp3", "w1", "w2", "w3"].map(|node| (node, "c4a0"));
    fails(came(&|act| on(act, "", &older)));
    // Where one could not be asked, it may be there.
    let silent = |act: &Act| match act {
        Act::Reported { server, .. } if server.as_str() == "cp3" => {
            Some(Seen::Failed { why: "no route".to_owned() })
        }
        _ => on(act, "", &[("w3", "c4a1")]),
    };
    assert!(came(&silent).is_err());
}
