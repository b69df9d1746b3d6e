//! Rows as JUnit's XML: a suite for each section, a case for each row.

use super::{Rows, Said, spots};
use crate::benchmark::Judged;
use crate::report::junit::{Case, Outcome, Suite, document};
use crate::report::{Answer, Verdict};

impl Rows<'_> {
    /// Writes them as JUnit's XML.
    pub fn junit(&self) -> String {
        let sections = self.sections();
        let mut suites: Vec<Suite> = sections
            .map(|(name, rows)| Suite { name, cases: rows.iter().map(case).collect() })
            .collect();
        // They change no verdict.
        let idle = self.idle.iter().map(|said| Case {
            name: said.clone(),
            outcome: Outcome::Skipped { said: said.clone() },
            place: None,
        });
        let waivers = Suite { name: "waivers".to_owned(), cases: idle.collect() };
        suites.extend([waivers].into_iter().filter(|suite| !suite.cases.is_empty()));
        document(&suites)
    }
}

fn case(judged: &Judged) -> Case {
    let (row, whole) = (judged.row, Said::of_row(judged));
    let outcome = match (whole.verdict, &judged.waived) {
        (_, Some(waived)) => Outcome::Skipped { said: Answer::from(waived).said() },
        (Verdict::Pass, None) => Outcome::Passed,
        (Verdict::Fail, None) => {
            let grade = "fail".to_owned();
            Outcome::Failed { grade, said: whole.said, text: text(judged) }
        }
        (Verdict::NotApplicable, None) => Outcome::Skipped { said: whole.said },
        (Verdict::Unknown | Verdict::Waived, None) => {
            Outcome::Unknown { said: whole.said, text: text(judged) }
        }
    };
    Case { name: format!("{} {}", row.id, row.title), outcome, place: None }
}

/// What a row comes to where, and what is let in.
fn text(judged: &Judged) -> String {
    let spots = spots(judged);
    let told = spots.iter().map(|it| format!("{}: {}", it.place(), it.said.in_a_line()));
    let pod = judged.example.iter().map(|pod| format!("this pod is let in: {pod}"));
    told.chain(pod).collect::<Vec<_>>().join("\n")
}
