//! What the rows of a benchmark came to, for people and for programs.

use std::process::ExitCode;

use ringfort_check::benchmark::{self, Assessed, Judged, Looked, Needs, Waived};
use ringfort_controls::yaml;
use ringfort_model::judgement::{Decided, Finding, Gap, Judgement, Verdict};
use serde::Serialize;
use serde_json::Value;

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
    /// What is wrong with waivers.
    idle_waivers: &'a [String],
}

#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    passed: usize,
    failed: usize,
    unknown: usize,
    not_applicable: usize,
    waived: usize,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver<'a>>,
    /// A pod that is let in and is not to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a Value>,
    machines: Vec<OfMachine<'a>>,
}

/// Who answers for a row that fails.
#[derive(Serialize)]
struct Waiver<'a> {
    owner: &'a str,
    reason: &'a str,
    expires: String,
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

/// What a row comes to, waived or not.
fn said(judged: &Judged) -> Said<'_> {
    let said = Said::of(&judged.whole);
    match judged.waived {
        Some(_) => Said { verdict: "waived", fix: None, ..said },
        None => said,
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
                Verdict::Failed if one.waived.is_some() => &mut counts.waived,
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

/// Writes what rows came to and what is wrong with waivers, and gives the exit code.
pub(super) fn tell(
    looked: &Looked<'_>,
    (judged, idle): (Vec<Judged>, Vec<String>),
    format: super::Format,
) -> Result<ExitCode, Fault> {
    let machines: Vec<String> = looked.machines.iter().map(|it| it.name().to_owned()).collect();
    let counts = Counts::of(&judged);
    match format {
        super::Format::Json => {
            let written = Written {
                version: VERSION,
                benchmark: benchmark::NAME,
                machines: &machines,
                counts,
                rows: judged.iter().map(row).collect(),
                idle_waivers: &idle,
            };
            let json = serde_json::to_string_pretty(&written).map_err(Fault::unable)?;
            print(&format!("{json}\n"));
        }
        _ => print(&people(&machines, &judged, &idle, counts)),
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
        said: said(judged),
        waiver: judged.waived.as_ref().map(|waived| Waiver {
            owner: &waived.owner,
            reason: &waived.reason,
            expires: waived.expires.to_string(),
        }),
        example: judged.example.as_ref(),
        machines: judged
            .machines
            .iter()
            .map(|one| OfMachine { machine: &one.machine, said: Said::of(&one.judgement) })
            .collect(),
    }
}

/// The verdicts of rows that are told one by one, in this order.
const TOLD: [&str; 3] = ["fail", "unknown", "waived"];

/// Each row that does not hold, then each that is not known, then each that is waived, then the sum.
fn people(machines: &[String], judged: &[Judged], idle: &[String], counts: Counts) -> String {
    let mut text = String::new();
    for wanted in TOLD {
        for one in judged.iter().filter(|one| said(one).verdict == wanted) {
            let said = said(one);
            text.push_str(&format!("{} {}: {}\n", one.row.id, said.verdict, one.row.title));
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
    idle.iter().for_each(|said| text.push_str(&format!("warning: {said}\n")));
    let on = match machines {
        [] => String::new(),
        machines => format!(" on {}", machines.join(", ")),
    };
    let Counts { passed, failed, unknown, not_applicable, waived } = counts;
    text.push_str(&format!(
        "{}{on}: rows {}; passed {passed}, failed {failed}, unknown {unknown}, not applicable {not_applicable}, \
         waived {waived}\n",
        benchmark::NAME,
        judged.len(),
    ));
    text
}
