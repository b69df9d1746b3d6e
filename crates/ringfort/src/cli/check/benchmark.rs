//! What the rows of a benchmark came to, for people and for programs.

use std::process::ExitCode;

use ringfort_check::benchmark::{self, Assessed, Judged, Needs};
use ringfort_model::judgement::{Decided, Finding, Gap, Judgement, Verdict};
use serde::Serialize;

use crate::cli::{Fault, print};

/// The version of what is written for programs.
const VERSION: u32 = 1;

/// Everything that is said.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    version: u32,
    benchmark: &'static str,
    machines: &'a [String],
    counts: Counts,
    rows: Vec<Row<'a>>,
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    passed: usize,
    failed: usize,
    unknown: usize,
    not_applicable: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'static str,
    title: &'static str,
    section: &'static str,
    level: u8,
    assessed: Assessed,
    needs: Needs,
    control: Option<&'static str>,
    #[serde(flatten)]
    said: Said<'a>,
    machines: Vec<OfMachine<'a>>,
}

#[derive(Serialize)]
struct OfMachine<'a> {
    machine: &'a str,
    #[serde(flatten)]
    said: Said<'a>,
}

/// A judgement, flat.
#[derive(Serialize)]
struct Said<'a> {
    verdict: &'static str,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(judgement: &'a Judgement) -> Self {
        let (said, fix, closes) = match judgement {
            Ok(Decided::Pass(evidence)) => (evidence.to_string(), None, None),
            Ok(Decided::Fail(Finding { said, fix })) => (said.clone(), Some(fix.as_str()), None),
            Ok(Decided::NotApplicable { reason }) => (reason.clone(), None, None),
            Err(Gap { said, closes }) => (said.clone(), None, Some(closes.as_str())),
        };
        Self { verdict: word(judgement), said, fix, closes }
    }
}

/// A verdict as `check` calls it.
fn word(judgement: &Judgement) -> &'static str {
    match Verdict::from(judgement) {
        Verdict::Proved => "pass",
        Verdict::Failed => "fail",
        Verdict::Unknown => "unknown",
        Verdict::NotApplicable => "not-applicable",
    }
}

impl Counts {
    fn of(judged: &[Judged]) -> Self {
        let mut counts = Self::default();
        for one in judged {
            *match Verdict::from(&one.whole) {
                Verdict::Proved => &mut counts.passed,
                Verdict::Failed => &mut counts.failed,
                Verdict::Unknown => &mut counts.unknown,
                Verdict::NotApplicable => &mut counts.not_applicable,
            } += 1;
        }
        counts
    }

    fn code(self) -> u8 {
        match (self.failed, self.unknown) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }
}

/// Writes what rows came to, and gives the exit code.
pub(super) fn tell(
    machines: &[String],
    judged: &[Judged],
    format: super::Format,
) -> Result<ExitCode, Fault> {
    let counts = Counts::of(judged);
    match format {
        super::Format::Json => {
            let rows = judged.iter().map(row).collect();
            let benchmark = benchmark::NAME;
            let written = Written { version: VERSION, benchmark, machines, counts, rows };
            let json = serde_json::to_string_pretty(&written).map_err(Fault::unable)?;
            print(&format!("{json}\n"));
        }
        _ => print(&people(machines, judged, counts)),
    }
    Ok(ExitCode::from(counts.code()))
}

fn row(judged: &Judged) -> Row<'_> {
    let it = judged.row;
    Row {
        id: it.id,
        title: it.title,
        section: benchmark::section(it.id),
        level: it.level,
        assessed: it.assessed,
        needs: it.needs(),
        control: it.kept.control(),
        said: Said::of(&judged.whole),
        machines: judged
            .machines
            .iter()
            .map(|one| OfMachine { machine: &one.machine, said: Said::of(&one.judgement) })
            .collect(),
    }
}

/// Each row that does not hold, then each that is not known, then the sum.
fn people(machines: &[String], judged: &[Judged], counts: Counts) -> String {
    let mut text = String::new();
    for wanted in [Verdict::Failed, Verdict::Unknown] {
        for one in judged.iter().filter(|one| Verdict::from(&one.whole) == wanted) {
            let said = Said::of(&one.whole);
            text.push_str(&format!("{} {}: {}\n", one.row.id, said.verdict, one.row.title));
            text.push_str(&format!("    {}\n", said.said));
            let next = said.fix.map(|fix| format!("    fix: {fix}\n"));
            let next = next.or(said.closes.map(|closes| format!("    needs: {closes}\n")));
            text.push_str(&next.unwrap_or_default());
        }
    }
    let on = match machines {
        [] => String::new(),
        machines => format!(" on {}", machines.join(", ")),
    };
    let Counts { passed, failed, unknown, not_applicable } = counts;
    text.push_str(&format!(
        "{}{on}: rows {}; passed {passed}, failed {failed}, unknown {unknown}, not applicable {not_applicable}\n",
        benchmark::NAME,
        judged.len(),
    ));
    text
}
