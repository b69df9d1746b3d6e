//! How what a proof came to is told: a row each, and a note of what nobody asked for.

use ringfort_controls::{Phase, phase_of};
use ringfort_model::event::Event;
use ringfort_model::judgement::{Decided, Finding, Gap, Judgement, Verdict};

use super::{Row, Unshown};
use crate::cli::decision::Part;
use crate::cli::evidence::Evidence;
use crate::cli::session::Session;
use crate::report::Voice;

/// How often a proof was made in a run.
#[derive(Clone, Copy, Debug)]
pub enum Made<'a> {
    /// Not at all: what was shown before counts, or nothing is.
    Before,
    /// Once.
    Once,
    /// Twice, since this could not be shown at first.
    Twice(&'a Gap),
}

impl<'a> Made<'a> {
    /// Takes what could not be shown before.
    pub(super) fn after(control: &str, before: &'a Unshown) -> Self {
        before.get(control).map_or(Self::Once, Self::Twice)
    }
}

/// Shows what evidence says of a control.
pub(super) fn show(session: &mut Session<'_>, control: &str, evidence: &Evidence, made: Made<'_>) {
    if let Some(shown) = evidence.controls.get(control) {
        tell(session.voice, control, &advised(control, &shown.judgement, made), made);
    }
}

/// Names the command that makes a proof again where neither `ringfort up` nor `ringfort prove` does by itself.
fn advised(control: &str, judgement: &Judgement, made: Made<'_>) -> Judgement {
    let is_asked = phase_of(control) == Some(Phase::Asked);
    let again = format!("ringfort prove --control {control}");
    match judgement {
        Ok(Decided::Fail(Finding { said, fix })) if is_asked || matches!(made, Made::Before) => {
            let fix = format!("{fix}; then {again}, and ringfort up");
            Ok(Decided::Fail(Finding { said: said.clone(), fix }))
        }
        Err(Gap { said, closes }) if is_asked => {
            let closes = match closes.as_str() {
                "ringfort up" | "ringfort prove" => again,
                other => format!("{other}; then {again}"),
            };
            Err(Gap { said: said.clone(), closes })
        }
        other => other.clone(),
    }
}

/// Shows a judgement as a row.
pub fn tell(voice: &mut Voice, control: &str, judgement: &Judgement, made: Made<'_>) {
    let seconds = voice.seconds();
    voice.tell(&row(control, judgement, made, seconds));
}

fn row(control: &str, judgement: &Judgement, made: Made<'_>, seconds: f64) -> Event {
    let mut detail = match judgement {
        Ok(Decided::Pass(evidence)) => evidence.to_string(),
        Ok(Decided::NotApplicable { reason }) => reason.clone(),
        Ok(Decided::Fail(finding)) => format!("{}\n      fix: {}", finding.said, finding.fix),
        Err(gap) => format!("{}\n      to close the gap: {}", gap.said, gap.closes),
    };
    let attempts = match made {
        Made::Before => 0,
        Made::Once => 1,
        // What is shown at the second attempt only is worth a look.
        Made::Twice(at_first) => {
            detail.push_str(&format!("\n      made twice; at first: {}", at_first.said));
            2
        }
    };
    let verdict = Verdict::from(judgement);
    Event::Proof { control: control.to_owned(), verdict, detail, attempts, seconds }
}

/// Says what nobody asked for, and what it came to when somebody did and it did not pass.
pub(super) fn unasked(parts: &[(Row, Part)]) -> Option<String> {
    let name = |(row, part): &(Row, Part)| match part {
        Part::Unasked(Some(Verdict::Failed)) => Some(format!(
            "{} (it failed when it was last asked for, of other machines, another version or another bundle)",
            row.0
        )),
        Part::Unasked(Some(_)) => {
            Some(format!("{} (it could not be shown when it was last asked for)", row.0))
        }
        Part::Unasked(None) => Some(row.0.to_owned()),
        _ => None,
    };
    let names: Vec<String> = parts.iter().filter_map(name).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("not asked for, and not required: {names} (ringfort prove --rehearse)")
    })
}

/// What is said of a proof that stops something, where nobody asked for it and no evidence counts.
pub(super) fn not_shown() -> Gap {
    Gap {
        said: "never shown of these machines, this version and this bundle, or too long ago"
            .to_owned(),
        closes: "ringfort prove --rehearse".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};

    use super::{Event, Made, Part, Row, Unshown, Verdict, advised, row, unasked};
    use crate::cli::gate::rows;

    fn gap(said: &str) -> Gap {
        Gap { said: said.to_owned(), closes: "ringfort up".to_owned() }
    }

    #[test]
    fn a_row_says_whether_its_proof_was_made_twice() {
        let before: Unshown = [("a/second", gap("no answer"))].into();
        let check = |made, judgement: &Judgement, (words, count): (&str, u32)| {
            let Event::Proof { detail, attempts, .. } = row("a/b", judgement, made, 1.0) else {
                panic!("it is no proof")
            };
            assert_eq!((detail.as_str(), attempts), (words, count), "{made:?}");
        };
        let passed = Ok(Decided::Pass(Evidence::from_seen("seen", vec![0]).unwrap()));
        check(Made::Before, &passed, ("seen", 0));
        check(Made::after("a/first", &before), &passed, ("seen", 1));
        let twice = "\n      made twice; at first: no answer";
        let again = Made::after("a/second", &before);
        check(again, &passed, (&format!("seen{twice}"), 2));
        let failed = Finding { said: "open".to_owned(), fix: "shut".to_owned() };
        let failed = Ok(Decided::Fail(failed));
        check(again, &failed, (&format!("open\n      fix: shut{twice}"), 2));
        let silent = Err(gap("silent"));
        let closes = "silent\n      to close the gap: ringfort up";
        check(again, &silent, (&format!("{closes}{twice}"), 2));
    }

    const GENTLE: &str = "access/pod-security";
    const ASKED: &str = "ha/three-workers";

    #[test]
    fn advice_names_the_command_that_makes_a_proof_again() {
        let fix = |control, made| {
            let failed = Finding { said: "open".to_owned(), fix: "shut".to_owned() };
            let Ok(Decided::Fail(found)) = advised(control, &Ok(Decided::Fail(failed)), made)
            else {
                panic!("it is no failure any more")
            };
            found.fix
        };
        assert_eq!(fix(GENTLE, Made::Once), "shut");
        for made in [Made::Once, Made::Before] {
            let again = "shut; then ringfort prove --control ha/three-workers, and ringfort up";
            assert_eq!(fix(ASKED, made), again);
        }
        let closes = |control, closes: &str| {
            let gap = Gap { said: "silent".to_owned(), closes: closes.to_owned() };
            advised(control, &Err(gap), Made::Once).unwrap_err().closes
        };
        assert_eq!(closes(GENTLE, "ringfort up"), "ringfort up");
        let again = "ringfort prove --control ha/three-workers";
        assert_eq!(closes(ASKED, "ringfort up"), again);
        assert_eq!(closes(ASKED, "ringfort prove"), again);
        assert_eq!(closes(ASKED, "add a worker"), format!("add a worker; then {again}"));
    }

    #[test]
    fn what_did_not_pass_when_it_was_asked_for_is_not_forgotten_in_silence() {
        let note = |part| {
            let one = |name: &str| -> Row { rows(&[name.to_owned()]).unwrap()[0] };
            unasked(&[(one(GENTLE), Part::Due), (one(ASKED), part)])
        };
        assert_eq!(note(Part::Before), None);
        let told = |words: &str| {
            Some(format!(
                "not asked for, and not required: ha/three-workers{words} (ringfort prove --rehearse)"
            ))
        };
        assert_eq!(note(Part::Unasked(None)), told(""));
        let failed = " (it failed when it was last asked for, of other machines, another version or another bundle)";
        assert_eq!(note(Part::Unasked(Some(Verdict::Failed))), told(failed));
        let unknown = " (it could not be shown when it was last asked for)";
        assert_eq!(note(Part::Unasked(Some(Verdict::Unknown))), told(unknown));
    }
}
