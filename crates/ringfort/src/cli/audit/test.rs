//! `ringfort audit test`: judges recorded logs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections::{self, find};
use ringfort_audit::engine::{self, Engine};
use ringfort_audit::finding::Finding;
use ringfort_model::severity::Severity;
use ringfort_spec::nearest;

use super::asked::{Asking, Untold};
use super::json;
use super::logs::{self, Unjudged};
use super::waivers::{self, Used};
use crate::cli::{Fault, print};

/// Judge recorded audit logs: name what is suspicious in them
///
/// Reads what API servers write, and what EKS (CloudWatch), GKE and AKS make of it, plain or compressed by
/// gzip or zstd; several logs together, in the order of time. A line that cannot be judged is counted and told with
/// its place, and so are events that were logged without the bodies that detections ask for, or without a time.
/// `ringfort explain detect/DETECTION` says of each finding why it
/// is one and what to do.
///
/// Exit codes: 0 nothing was found that nobody answers for, 1 something was, 2 usage, or a log cannot be read, 3
/// something could not be judged.
#[derive(Args)]
pub struct TestArgs {
    /// Logs, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    /// Look for this alone, and for your own; may be given more than once
    #[arg(long = "detection", value_name = "ID", value_parser = detection)]
    detections: Vec<&'static Detection>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: a line for each finding, repeats counted
    Text,
    /// An object: findings, counts, what could not be judged
    Json,
}

fn detection(id: &str) -> Result<&'static Detection, String> {
    find(id).ok_or_else(|| {
        let ids: Vec<&str> = detections::all().map(|detection| detection.id).collect();
        let near = nearest(id, &ids).map(|near| format!(": did you mean {near}?"));
        format!("there is no such detection{}", near.unwrap_or_default())
    })
}

/// Runs the command.
pub fn run(args: &TestArgs) -> Result<ExitCode, Fault> {
    let mut asked = args.asking.read(&args.detections)?;
    let mut engine = Engine::fed(&asked.detections, asked.feeds);
    let (mut found, mut findings) = (Vec::new(), Vec::new());
    let read = logs::read_by_time(&args.files, &mut |log, place, event, _| {
        let why = engine.judge(event, &mut findings);
        let open = findings.drain(..).filter(|finding| asked.waivers.cover(finding).is_none());
        found.extend(open.map(|finding| (log, place, finding)));
        why
    })?;
    read.tell();
    let told: Vec<Listed> = engine::grouped(found)
        .into_iter()
        .map(|one| Listed {
            file: args.files[one.log].display().to_string(),
            line: one.place.line,
            times: one.times,
            finding: one.finding,
        })
        .collect();
    let report = Report {
        version: VERSION,
        is_fed: args.asking.feeds.is_some(),
        detections: asked.detections.len(),
        not_applicable: asked.untold,
        events: read.events,
        other_entries: read.others,
        findings: told,
        waivers: waivers::used(&asked.waivers),
        unjudged: read.unjudged,
        first_unjudged: &read.first,
        starved: engine.starved(),
        timeless: engine.timeless(),
        forgotten: engine.forgotten(),
    };
    print(&match args.format {
        Format::Json => json(&report)?,
        Format::Text => report.text(),
    });
    let is_blind = read.is_blind() || report.starved > 0 || report.timeless > 0;
    Ok(ExitCode::from(match (report.findings.is_empty(), is_blind) {
        (false, _) => 1,
        (true, true) => 3,
        (true, false) => 0,
    }))
}

/// What was found, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'r> {
    version: u32,
    /// Whether anything was told beside events.
    #[serde(skip)]
    is_fed: bool,
    detections: usize,
    /// Those that were told nothing, and so not asked.
    not_applicable: Vec<Untold>,
    events: u64,
    /// Entries of other services than Kubernetes' API.
    other_entries: u64,
    findings: Vec<Listed>,
    /// The waivers that hold, with how often each covered something.
    waivers: Vec<Used<'r>>,
    unjudged: u64,
    /// The first of what could not be judged.
    first_unjudged: &'r [Unjudged],
    /// Events without the bodies that detections asked for.
    starved: u64,
    /// Events without a time, which what takes many of them, or one after another, could not judge.
    timeless: u64,
    /// How often something was forgotten for want of room, so that something that takes many events may have
    /// been missed.
    forgotten: u64,
}

#[derive(Serialize)]
struct Listed {
    file: String,
    line: u64,
    times: u64,
    #[serde(flatten)]
    finding: Finding,
}

const VERSION: u32 = 1;

impl Report<'_> {
    fn text(&self) -> String {
        let mut text = String::new();
        for Listed { file, line, times, finding } in &self.findings {
            let repeats = if *times > 1 { format!(", {times} times") } else { String::new() };
            text.push_str(&format!("{finding} [{file}:{line}{repeats}]\n"));
        }
        for Untold { detection, file } in self.not_applicable.iter().filter(|_| self.is_fed) {
            text.push_str(&format!("not applicable: {detection}, which is told by {file}\n"));
        }
        for used in &self.waivers {
            text.push_str(&format!("{used}\n"));
        }
        let count = |severity: Severity| {
            let of = self.findings.iter().filter(|it| it.finding.severity == severity).count();
            format!("{severity} {of}")
        };
        let mut counts: Vec<_> = Severity::ALL.into_iter().map(count).collect();
        counts.reverse();
        text.push_str(&format!(
            "{} events, {} detections: {}; not judged {}",
            self.events,
            self.detections,
            counts.join(", "),
            self.unjudged
        ));
        if self.other_entries > 0 {
            text.push_str(&format!("; of other services {}", self.other_entries));
        }
        if self.starved > 0 {
            text.push_str(&format!(
                "; without the bodies that detections ask for {}",
                self.starved
            ));
        }
        if self.timeless > 0 {
            text.push_str(&format!("; without a time {}", self.timeless));
        }
        if self.forgotten > 0 {
            text.push_str(&format!("; forgotten for want of room {}", self.forgotten));
        }
        text + "\n"
    }
}
