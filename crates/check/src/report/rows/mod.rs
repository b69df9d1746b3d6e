//! What the rows of a benchmark came to, in the formats that reports of manifests have. A place is a machine, or the
//! cluster as a whole, and nothing has a severity: the benchmark grades nothing by one.

mod html;
mod junit;
mod markdown;
mod oscal;
mod sarif;

use ringfort_model::judgement::{Decided, Finding, Gap, Judgement};
use serde::Serialize;

use super::{Answer, Counts, Verdict};
use crate::benchmark::{self, Judged, OfMachine};

/// What rows came to, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'r> {
    /// The names of the machines that were looked at.
    pub machines: &'r [String],
    /// What each row came to, in the order of the benchmark.
    pub judged: &'r [Judged],
    /// What is wrong with waivers.
    pub idle: &'r [String],
}

/// A judgement, flat.
#[derive(Clone, Debug, Serialize)]
pub struct Said<'r> {
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, or could not be looked at.
    pub said: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'r str>,
    /// What would close a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes: Option<&'r str>,
}

impl Rows<'_> {
    /// Counts all rows by what they came to.
    pub fn counts(&self) -> Counts {
        self.count(|_| true)
    }

    /// Counts those of the benchmark.
    pub fn of_benchmark(&self) -> Counts {
        self.count(|id| !benchmark::is_beyond(id))
    }

    /// Counts those beyond it, if there are any.
    pub fn beyond(&self) -> Option<Counts> {
        let counts = self.count(benchmark::is_beyond);
        (counts != Counts::default()).then_some(counts)
    }

    fn count(&self, is_one: impl Fn(&str) -> bool) -> Counts {
        let mut counts = Counts::default();
        for judged in self.judged.iter().filter(|it| is_one(it.row.id)) {
            *match Said::of_row(judged).verdict {
                Verdict::Fail => &mut counts.failed,
                Verdict::Unknown => &mut counts.unknown,
                Verdict::Waived => &mut counts.waived,
                Verdict::Pass => &mut counts.passed,
                Verdict::NotApplicable => &mut counts.not_applicable,
            } += 1;
        }
        counts
    }

    /// Says it in a line, for people.
    pub fn in_a_line(&self) -> String {
        let on = match self.machines {
            [] => String::new(),
            machines => format!(" on {}", machines.join(", ")),
        };
        format!("{}{on}: {}", benchmark::NAME, self.sum())
    }

    fn sum(&self) -> String {
        let besides = self.beyond().map(|it| format!("; besides, ringfort's own {}", summed(it)));
        format!("{}{}", summed(self.of_benchmark()), besides.unwrap_or_default())
    }
}

fn summed(counts: Counts) -> String {
    let Counts { passed, failed, unknown, not_applicable, waived } = counts;
    format!(
        "rows {}; passed {passed}, failed {failed}, unknown {unknown}, not applicable {not_applicable}, \
         waived {waived}",
        passed + failed + unknown + not_applicable + waived,
    )
}

impl<'r> Rows<'r> {
    /// Gives the rows of each section together.
    fn sections(&self) -> impl Iterator<Item = (String, &'r [Judged])> {
        let rows = self.judged.chunk_by(|a, b| section(a) == section(b));
        rows.filter_map(|rows| Some((section(rows.first()?), rows)))
    }
}

impl<'r> Said<'r> {
    /// Says what a judgement is.
    pub fn of(judgement: &'r Judgement) -> Self {
        let (verdict, said, fix, closes) = match judgement {
            Ok(Decided::Pass(evidence)) => (Verdict::Pass, evidence.to_string(), None, None),
            Ok(Decided::Fail(Finding { said, fix })) => {
                (Verdict::Fail, said.clone(), Some(fix.as_str()), None)
            }
            Ok(Decided::NotApplicable { reason }) => {
                (Verdict::NotApplicable, reason.clone(), None, None)
            }
            Err(Gap { said, closes }) => {
                (Verdict::Unknown, said.clone(), None, Some(closes.as_str()))
            }
        };
        Self { verdict, said, fix, closes }
    }

    /// Says what a row comes to, waived or not.
    pub fn of_row(judged: &'r Judged) -> Self {
        Self::of(&judged.whole).in_row(judged)
    }

    /// Says what a row comes to on a machine, waived or not.
    pub fn of_machine(judged: &'r Judged, on: &'r OfMachine) -> Self {
        Self::of(&on.judgement).in_row(judged)
    }

    /// What fails in a row that is waived is waived.
    fn in_row(self, judged: &Judged) -> Self {
        match (&judged.waived, self.verdict) {
            (Some(_), Verdict::Fail) => Self { verdict: Verdict::Waived, fix: None, ..self },
            _ => self,
        }
    }

    /// Gives what to do next, with a word for it.
    fn next(&self) -> Option<(&'static str, &'r str)> {
        let fix = self.fix.map(|fix| ("fix", fix));
        fix.or(self.closes.map(|closes| ("to decide it", closes)))
    }

    fn in_a_line(&self) -> String {
        let next = self.next().map(|(word, how)| format!("; {word}: {how}"));
        format!("{}: {}{}", self.verdict.word(), self.said, next.unwrap_or_default())
    }
}

impl From<&benchmark::Waived> for Answer {
    fn from(waived: &benchmark::Waived) -> Self {
        let benchmark::Waived { owner, reason, expires } = waived;
        Self { owner: owner.clone(), reason: reason.clone(), expires: expires.to_string() }
    }
}

/// What a row comes to on a machine, or in the cluster as a whole.
struct Spot<'r> {
    machine: Option<&'r str>,
    said: Said<'r>,
}

impl Spot<'_> {
    fn place(&self) -> String {
        match self.machine {
            Some(machine) => format!("machine {machine}"),
            None => "cluster".to_owned(),
        }
    }
}

/// Gives what a row comes to on each machine, behind what it comes to as a whole where no machine tells that.
fn spots(judged: &Judged) -> Vec<Spot<'_>> {
    let whole = Said::of_row(judged);
    let on = judged.machines.iter().map(|one| Spot {
        machine: Some(one.machine.as_str()),
        said: Said::of_machine(judged, one),
    });
    let mut spots: Vec<Spot<'_>> = on.collect();
    if !spots.iter().any(|it| it.said.verdict == whole.verdict) {
        spots.insert(0, Spot { machine: None, said: whole });
    }
    spots
}

/// Whether there is something to look at.
fn is_loud(verdict: Verdict) -> bool {
    verdict < Verdict::Pass
}

/// Names the section of a row by its number and what it is about.
fn section(judged: &Judged) -> String {
    let id = judged.row.id;
    if benchmark::is_beyond(id) {
        return benchmark::section(id).to_owned();
    }
    let number = id.rsplit_once('.').map_or(id, |(number, _)| number);
    format!("{number} {}", benchmark::section(id))
}
