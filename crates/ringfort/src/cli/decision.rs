//! What becomes of each proof in a run of the gate, and whether the gate opens after it. Functions of what was
//! asked, what is kept and what was shown: nothing is read or done here.

use std::collections::BTreeMap;

use ringfort_controls::Phase;
use ringfort_model::judgement::Verdict;

use super::evidence::Fresh;

const DAY_S: i64 = 24 * 3_600;
/// How long a proof stays fresh that disturbs nobody.
const FRESH_S: i64 = DAY_S;
/// How long one does that stops something.
const DISRUPTIVE_FRESH_S: i64 = 90 * DAY_S;

/// What is kept of a proof that was made before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// What it came to.
    pub verdict: Verdict,
    /// How long ago, in seconds; below zero where clocks jumped.
    pub age_s: i64,
    /// What it is about.
    pub of: Of,
}

/// What a proof was about: another machine or another program may fail where the one before did not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// These machines, this version and this bundle.
    This,
    /// Others.
    Another,
}

/// What becomes of a proof in a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// It is made.
    Due,
    /// What was shown before is its row.
    Before,
    /// It is required, is not made now, and nothing that counts is known of it.
    NotShown,
    /// Nobody asked for it, and it is no row. What was shown when somebody did, if it was not what was hoped
    /// for and counts no longer.
    Unasked(Option<Verdict>),
}

impl Known {
    fn passed(self) -> bool {
        matches!(self.verdict, Verdict::Proved | Verdict::NotApplicable)
    }

    fn is_within(self, limit_s: i64) -> bool {
        (0..=limit_s).contains(&self.age_s)
    }

    /// Says whether it passed, of what is there now and not too long ago.
    fn counts(self) -> bool {
        self.passed() && self.of == Of::This && self.is_within(DISRUPTIVE_FRESH_S)
    }

    /// Says whether it failed of what is there now. No time makes that good.
    fn failed(self) -> bool {
        self.verdict == Verdict::Failed && self.of == Of::This
    }
}

/// Says how long a proof counts for, in seconds.
pub fn counts_for_s(phase: Phase) -> i64 {
    if phase.stops() { DISRUPTIVE_FRESH_S } else { FRESH_S }
}

/// Says what becomes of a proof.
pub fn part(phase: Phase, fresh: Fresh, known: Option<Known>) -> Part {
    let counts = known.is_some_and(Known::counts);
    let failed = known.is_some_and(Known::failed);
    let is_young = known.is_some_and(|it| it.counts() && it.is_within(counts_for_s(phase)));
    match (fresh, phase) {
        (Fresh::Everything, _) => Part::Due,
        // Who asked once has heard that it fails, and hears it until it is made again. That it could not be made
        // says nothing of the cluster, and locks nobody out who does not ask again.
        (_, Phase::Asked) if counts || failed => Part::Before,
        (_, Phase::Asked) => {
            Part::Unasked(known.filter(|it| !it.passed()).map(|known| known.verdict))
        }
        (Fresh::Stale | Fresh::Gentle, Phase::Disruptive) if counts => Part::Before,
        (Fresh::Stale | Fresh::Gentle, Phase::Disruptive) => Part::Due,
        // What disturbs somebody is never done unasked, however old its evidence is.
        (Fresh::Undisturbing, Phase::Disruptive) if counts || failed => Part::Before,
        (Fresh::Undisturbing, Phase::Disruptive) => Part::NotShown,
        (Fresh::Stale, Phase::Ground | Phase::Gentle) if is_young => Part::Before,
        (_, Phase::Ground | Phase::Gentle) => Part::Due,
    }
}

/// What a proof came to in a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Came {
    /// It was made, now or before, or is unknown.
    To(Verdict),
    /// Its control is waived for the whole cluster.
    Waived,
    /// Nobody asked for it.
    Unasked,
}

/// Whether a cluster is handed over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// It is.
    Open,
    /// It is not.
    Shut,
}

/// Decides whether a cluster is handed over: of all these proofs, each passed, has nothing to hold for, is waived,
/// or is one for which a hand-over does not wait and nobody asked; and one passed at least. A proof that came to
/// nothing at all keeps it shut.
pub fn decide(
    proofs: impl IntoIterator<Item = (&'static str, Phase)>,
    came: &BTreeMap<&'static str, Came>,
) -> Gate {
    let mut proved = 0;
    for (control, phase) in proofs {
        match (came.get(control), phase) {
            (Some(Came::To(Verdict::Proved)), _) => proved += 1,
            (Some(Came::To(Verdict::NotApplicable) | Came::Waived), _)
            | (Some(Came::Unasked), Phase::Asked) => {}
            _ => return Gate::Shut,
        }
    }
    if proved > 0 { Gate::Open } else { Gate::Shut }
}

#[cfg(test)]
mod tests {
    use super::{Came, DAY_S, Fresh, Gate, Known, Of, Part, Phase, Verdict, decide, part};
    use Verdict::{Failed, NotApplicable, Proved, Unknown};

    const ALL: [Fresh; 4] = [Fresh::Stale, Fresh::Gentle, Fresh::Undisturbing, Fresh::Everything];
    const UNASKED: [Fresh; 3] = [Fresh::Stale, Fresh::Gentle, Fresh::Undisturbing];

    fn known(verdict: Verdict, age_days: i64, of: Of) -> Option<Known> {
        Some(Known { verdict, age_s: age_days * DAY_S, of })
    }

    /// What becomes of a proof under each of all four.
    fn check(phase: Phase, known: Option<Known>, expected: [Part; 4]) {
        assert_eq!(ALL.map(|fresh| part(phase, fresh, known)), expected, "{phase:?} {known:?}");
    }

    #[test]
    fn proofs_age_each_in_its_time() {
        use Part::{Before, Due, NotShown};
        for phase in [Phase::Ground, Phase::Gentle] {
            check(phase, known(Proved, 0, Of::This), [Before, Due, Due, Due]);
            for age_days in [2, 90, 91, -1] {
                check(phase, known(Proved, age_days, Of::This), [Due; 4]);
            }
        }
        for age_days in [0, 2, 90] {
            let known = known(Proved, age_days, Of::This);
            check(Phase::Disruptive, known, [Before, Before, Before, Due]);
        }
        for age_days in [91, -1] {
            let known = known(Proved, age_days, Of::This);
            check(Phase::Disruptive, known, [Due, Due, NotShown, Due]);
        }
    }

    #[test]
    fn what_is_required_and_did_not_pass_is_due() {
        use Part::{Before, Due, NotShown};
        for of in [Of::This, Of::Another] {
            for known in [None, known(Failed, 0, of), known(Unknown, 0, of)] {
                check(Phase::Gentle, known, [Due; 4]);
                let failed = known.is_some_and(|it| it.verdict == Failed && of == Of::This);
                // What nobody stops unasked is not done, and what it failed by is not called unknown.
                let unasked = if failed { Before } else { NotShown };
                check(Phase::Disruptive, known, [Due, Due, unasked, Due]);
            }
        }
        check(Phase::Gentle, known(NotApplicable, 0, Of::This), [Before, Due, Due, Due]);
        let spared = known(NotApplicable, 0, Of::This);
        check(Phase::Disruptive, spared, [Before, Before, Before, Due]);
    }

    #[test]
    fn what_is_about_another_machine_version_or_bundle_is_shown_anew() {
        use Part::{Due, NotShown};
        let known = known(Proved, 0, Of::Another);
        check(Phase::Disruptive, known, [Due, Due, NotShown, Due]);
        check(Phase::Gentle, known, [Due; 4]);
    }

    #[test]
    fn what_was_asked_for_once_is_a_row_while_it_counts_and_a_failure_until_it_is_made_again() {
        let check = |known, expected| {
            assert_eq!(part(Phase::Asked, Fresh::Everything, known), Part::Due, "{known:?}");
            for fresh in UNASKED {
                assert_eq!(part(Phase::Asked, fresh, known), expected, "{fresh:?} {known:?}");
            }
        };
        check(None, Part::Unasked(None));
        for verdict in [Proved, NotApplicable] {
            check(known(verdict, 90, Of::This), Part::Before);
            check(known(verdict, 91, Of::This), Part::Unasked(None));
            check(known(verdict, 0, Of::Another), Part::Unasked(None));
        }
        for age_days in [-1, 0, 91, 1_000] {
            check(known(Failed, age_days, Of::This), Part::Before);
        }
        check(known(Failed, 0, Of::Another), Part::Unasked(Some(Failed)));
        for of in [Of::This, Of::Another] {
            check(known(Unknown, 0, of), Part::Unasked(Some(Unknown)));
        }
    }

    const PROOFS: [(&str, Phase); 3] =
        [("a/gentle", Phase::Gentle), ("a/stopping", Phase::Disruptive), ("a/asked", Phase::Asked)];

    fn gate(came: [Option<Came>; 3]) -> Gate {
        let came = PROOFS.iter().zip(came).filter_map(|((id, _), came)| Some((*id, came?)));
        decide(PROOFS, &came.collect())
    }

    #[test]
    fn a_cluster_is_handed_over_when_all_that_is_required_passed_and_never_else() {
        let to = |verdict| Some(Came::To(verdict));
        let (waived, unasked) = (Some(Came::Waived), Some(Came::Unasked));
        let fine = [to(Proved), to(Proved), to(Proved)];
        assert_eq!(gate(fine), Gate::Open);
        assert_eq!(gate([to(Proved), to(NotApplicable), waived]), Gate::Open);
        assert_eq!(gate([waived, to(Proved), unasked]), Gate::Open);
        for place in 0..3 {
            for bad in [to(Failed), to(Unknown), None] {
                let mut came = fine;
                came[place] = bad;
                assert_eq!(gate(came), Gate::Shut, "{came:?}");
            }
        }
        // Nobody is spared what a hand-over waits for by not asking for it.
        assert_eq!(gate([unasked, to(Proved), to(Proved)]), Gate::Shut);
        assert_eq!(gate([to(Proved), unasked, to(Proved)]), Gate::Shut);
        // That nothing applies proves nothing.
        assert_eq!(gate([to(NotApplicable), waived, unasked]), Gate::Shut);
        assert_eq!(decide([], &[].into()), Gate::Shut);
    }
}
