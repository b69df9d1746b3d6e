//! Who was told once has it, and nobody has what was told to others.

use std::collections::BTreeSet;

use ringfort_model::act::{Act, Seen, ToldSeen};
use ringfort_model::judgement::Decided;
use ringfort_model::receiver::Recipient;

use super::{case, judge};

const CONTROL: &str = "audit/findings-are-told";

/// Answers the looks at one server's machine in their order, the last again and again.
fn on_cp2(looks: &[&[Recipient]]) -> impl FnMut(&Act) -> Option<Seen> + use<> {
    let looks: Vec<BTreeSet<Recipient>> =
        looks.iter().map(|has| has.iter().copied().collect()).collect();
    let mut count = 0;
    move |act| match act {
        Act::Told { server, .. } if server.as_str() == "cp2" => {
            let has = looks[count.min(looks.len() - 1)].clone();
            count += 1;
            Some(Seen::Told(ToldSeen { has, ..ToldSeen::default() }))
        }
        _ => None,
    }
}

#[test]
fn what_one_look_shows_and_the_next_no_more_was_told() {
    use Recipient::{MachineLog, Metrics, Syslog, Webhook};
    let judged = |looks: &[&[Recipient]]| judge(&case(CONTROL), on_cp2(looks)).unwrap();
    let came = judged(&[&[Webhook], &[MachineLog, Metrics], &[], &[Syslog], &[]]);
    let Decided::Pass(evidence) = came else { panic!("{came:?}") };
    // Nothing of it is a receipt of a syslog server.
    assert!(evidence.to_string().contains("acknowledges nothing"), "{evidence}");
    let came = judged(&[&[Webhook], &[MachineLog, Metrics], &[]]);
    let Decided::Fail(finding) = came else { panic!("{came:?}") };
    assert!(finding.said.ends_with("by cp2 to the syslog server"), "{}", finding.said);
    assert!(finding.fix.contains("waive audit/findings-are-told"), "{}", finding.fix);
}

/// A machine that does not answer in the end has told whom it was seen to tell, and nobody else is known.
#[test]
fn a_machine_that_cannot_be_looked_at_is_unknown() {
    let silent = |has: &'static [Recipient]| {
        let mut told = on_cp2(&[has]);
        let mut looks = 0;
        judge(&case(CONTROL), move |act| {
            let seen = told(act)?;
            looks += 1;
            let away = Seen::Failed { why: "the machine's journal keeps nothing".to_owned() };
            Some(if looks == 1 { seen } else { away })
        })
    };
    let gap = silent(&[Recipient::Webhook]).unwrap_err();
    assert!(gap.said.contains("keeps nothing"), "{}", gap.said);
}
