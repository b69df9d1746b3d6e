//! What the rows of a benchmark came to, for people and for programs.

use std::process::ExitCode;

use jiff::civil::Date;
use ringfort_check::benchmark::{self, Assessed, Judged, Looked, Needs, Waived};
use ringfort_check::report::{Answer, Counts, Rows, Said, Verdict};
use ringfort_controls::yaml;
use serde::Serialize;
use serde_json::Value;

use super::Format;
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
    /// Of the rows of the benchmark.
    counts: Counts,
    /// Of those that ringfort's controls ask besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    beyond: Option<Counts>,
    rows: Vec<Row<'a>>,
    /// What is wrong with waivers.
    idle_waivers: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: &'static str,
    title: &'static str,
    section: &'static str,
    /// Nothing of a row that no benchmark has.
    level: Option<u8>,
    assessed: Option<Assessed>,
    needs: Needs,
    control: Option<&'static str>,
    #[serde(flatten)]
    said: Said<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Answer>,
    /// A pod that is let in and is not to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a Value>,
    machines: Vec<OfMachine<'a>>,
}

#[derive(Serialize)]
struct OfMachine<'a> {
    machine: &'a str,
    #[serde(flatten)]
    said: Said<'a>,
}

/// Gives the exit code.
fn code(counts: &Counts) -> u8 {
    match (counts.failed, counts.unknown) {
        (0, 0) => 0,
        (0, _) => 3,
        _ => 1,
    }
}

/// Writes what rows came to on a day and what is wrong with waivers, and gives the exit code.
pub(super) fn tell(
    looked: &Looked<'_>,
    (judged, idle): (Vec<Judged>, Vec<String>),
    format: Format,
    day: Date,
) -> Result<ExitCode, Fault> {
    let machines: Vec<String> = looked.machines.iter().map(|it| it.name().to_owned()).collect();
    let rows = Rows { machines: &machines, judged: &judged, idle: &idle };
    let counts = rows.counts();
    let written = || Written {
        version: VERSION,
        benchmark: benchmark::NAME,
        machines: &machines,
        counts: rows.of_benchmark(),
        beyond: rows.beyond(),
        rows: judged.iter().map(row).collect(),
        idle_waivers: &idle,
    };
    print(&match format {
        Format::Table => people(&rows),
        Format::Json => json(&written())?,
        Format::Sarif => json(&rows.sarif())?,
        Format::Oscal => json(&rows.oscal(day))?,
        Format::Junit => rows.junit(),
        Format::Html => rows.html(),
        Format::Markdown => rows.markdown(),
    });
    Ok(ExitCode::from(code(&counts)))
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    let json = serde_json::to_string_pretty(value).map_err(Fault::unable)?;
    Ok(format!("{json}\n"))
}

fn row(judged: &Judged) -> Row<'_> {
    let it = judged.row;
    let is_of_benchmark = !benchmark::is_beyond(it.id);
    Row {
        id: it.id,
        title: it.title,
        section: benchmark::section(it.id),
        level: is_of_benchmark.then_some(it.level),
        assessed: is_of_benchmark.then_some(it.assessed),
        needs: it.needs(),
        control: it.kept.control(),
        said: Said::of_row(judged),
        waiver: judged.waived.as_ref().map(Answer::from),
        example: judged.example.as_ref(),
        machines: judged
            .machines
            .iter()
            .map(|one| OfMachine { machine: &one.machine, said: Said::of_machine(judged, one) })
            .collect(),
    }
}

/// The verdicts of rows that are told one by one, in this order, and the words for them.
const TOLD: [(Verdict, &str); 3] =
    [(Verdict::Fail, "fail"), (Verdict::Unknown, "unknown"), (Verdict::Waived, "waived")];

/// Each row that does not hold, then each that is not known, then each that is waived, then the sum.
fn people(rows: &Rows<'_>) -> String {
    let mut text = String::new();
    for (wanted, word) in TOLD {
        for one in rows.judged {
            let said = Said::of_row(one);
            if said.verdict != wanted {
                continue;
            }
            text.push_str(&format!("{} {word}: {}\n", one.row.id, one.row.title));
            text.push_str(&format!("    {}\n", said.said));
            let next = said.fix.map(|fix| format!("    fix: {fix}\n"));
            let next = next.or(said.closes.map(|closes| format!("    needs: {closes}\n")));
            text.push_str(&next.unwrap_or_default());
            if let Some(pod) = &one.example {
                text.push_str("    this pod is let in:\n");
                let lines = yaml::document(pod);
                lines.lines().for_each(|line| text.push_str(&format!("      {line}\n")));
            }
            if let Some(waived) = &one.waived {
                let Waived { owner, reason, expires } = waived;
                text.push_str(&format!("    {owner} answers for it until {expires}: {reason}\n"));
            }
        }
    }
    rows.idle.iter().for_each(|said| text.push_str(&format!("warning: {said}\n")));
    text.push_str(&format!("{}\n", rows.in_a_line()));
    text
}
