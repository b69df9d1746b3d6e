//! A change of a file counts as seen only as what it is.

use ringfort_model::act::{Act, Seen};
use ringfort_model::judgement::Decided;

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
