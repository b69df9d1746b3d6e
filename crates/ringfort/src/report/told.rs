//! What has been told of a run so far. The last line is made of it, however the run ends.

use ringfort_model::event::Event;
use ringfort_model::judgement::Verdict;

/// What has been told of a run so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// Whether its first line was.
    pub begun: bool,
    /// Changes that were made, or would be.
    pub changes: u64,
    /// What proofs came to.
    pub verdicts: Verdicts,
    /// What could not be looked at.
    pub unseen: u64,
}

/// How many controls were proved, failed, or could not be looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Verdicts {
    /// Shown by behaviour.
    pub proved: u64,
    /// Shown not to hold.
    pub failed: u64,
    /// Not looked at.
    pub unknown: u64,
    /// Nothing was there that they could hold for.
    pub not_applicable: u64,
}

impl Told {
    /// Takes note of one event.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Started { .. } => self.begun = true,
            Event::Step { change: true, failed: None, .. } => self.changes += 1,
            Event::Unseen { .. } => self.unseen += 1,
            Event::Proof { verdict, .. } => *self.verdicts.of(*verdict) += 1,
            _ => {}
        }
    }

    /// Makes the last event.
    pub fn end(&self, seconds: f64, kubeconfig: Option<String>, error: Option<String>) -> Event {
        let Verdicts { proved, failed, unknown, not_applicable } = self.verdicts;
        Event::Finished {
            seconds,
            changes: self.changes,
            proved,
            failed,
            unknown,
            not_applicable,
            unseen: self.unseen,
            kubeconfig,
            error,
        }
    }

    /// Chooses the exit code of a run that nothing stopped: a proof that failed weighs most.
    pub fn exit_code(&self) -> u8 {
        match self.verdicts {
            Verdicts { failed: 1.., .. } => 1,
            Verdicts { unknown: 1.., .. } => 3,
            _ if self.unseen > 0 => 3,
            _ => 0,
        }
    }
}

impl Verdicts {
    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Proved => &mut self.proved,
            Verdict::Failed => &mut self.failed,
            Verdict::Unknown => &mut self.unknown,
            Verdict::NotApplicable => &mut self.not_applicable,
        }
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::event::Event;
    use ringfort_model::judgement::Verdict;

    use super::{Told, Verdicts};

    fn step(change: bool, failed: Option<&str>) -> Event {
        Event::Step {
            node: None,
            item: "file:/a".to_owned(),
            by: "test/control".to_owned(),
            because: "missing".to_owned(),
            seconds: 1.0,
            took: 0.1,
            change,
            failed: failed.map(str::to_owned),
        }
    }

    fn proof(verdict: Verdict) -> Event {
        let (control, detail) = ("test/control".to_owned(), String::new());
        Event::Proof { control, verdict, detail, attempts: 1, seconds: 1.0 }
    }

    fn check(events: &[Event], changes: u64, expected: Verdicts, code: u8) {
        let mut told = Told::default();
        events.iter().for_each(|event| told.note(event));
        assert_eq!((told.changes, told.verdicts), (changes, expected), "{events:?}");
        assert_eq!(told.exit_code(), code, "{events:?}");
    }

    #[test]
    fn changes_are_steps_that_were_done_and_changed_something() {
        let none = Verdicts::default();
        check(&[], 0, none, 0);
        check(&[step(true, None), step(false, None), step(true, Some("no space"))], 1, none, 0);
    }

    #[test]
    fn what_could_not_be_looked_at_is_no_success() {
        let word = |text: &str| text.to_owned();
        let (item, by, why) = (word("machine"), word("test/control"), word("no answer"));
        let unseen = Event::Unseen { node: None, item, by, why, seconds: 1.0 };
        check(&[step(true, None), unseen], 1, Verdicts::default(), 3);
    }

    #[test]
    fn a_failed_proof_weighs_more_than_one_that_could_not_be_made() {
        let (proved, spared) = (proof(Verdict::Proved), proof(Verdict::NotApplicable));
        let (failed, unknown) = (proof(Verdict::Failed), proof(Verdict::Unknown));
        let fine = Verdicts { proved: 1, not_applicable: 1, ..Verdicts::default() };
        check(&[proved.clone(), spared.clone()], 0, fine, 0);
        check(&[proved, spared.clone(), unknown.clone()], 0, Verdicts { unknown: 1, ..fine }, 3);
        let worst = Verdicts { failed: 1, unknown: 1, ..Verdicts::default() };
        check(&[unknown, failed], 0, worst, 1);
        let nothing = Verdicts { not_applicable: 1, ..Verdicts::default() };
        check(&[spared], 0, nothing, 0);
    }

    #[test]
    fn the_last_line_says_what_was_done_before_a_run_was_stopped() {
        let mut told = Told::default();
        for event in [step(true, None), proof(Verdict::Proved), proof(Verdict::Failed)] {
            told.note(&event);
        }
        let end = told.end(2.0, None, Some("interrupted".to_owned()));
        let line = serde_json::to_string(&end).unwrap();
        let expected = r#"{"event":"finished","seconds":2.0,"changes":1,"proved":1,"failed":1,"unknown":0,"not_applicable":0,"unseen":0,"kubeconfig":null,"error":"interrupted"}"#;
        assert_eq!(line, expected);
    }
}
