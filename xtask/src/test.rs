//! `cargo xtask test`: runs the stages in order, each with a deadline, and prints the time of each.
//!
//! The last line is the sum of all tests, for whoever reads only that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::stages::{self, Outcome, STAGES, Scene, Share, Stage, Where};
use crate::tally::Tally;
use crate::workspace::Workspace;

const USAGE: &str =
    "usage: cargo xtask test [--list] [--quick] [--whole] [--within MINUTES] [STAGE…]";

/// How long a whole run may take where nobody watches.
const WHOLE_RUN: Duration = Duration::from_secs(85 * 60);

/// Runs the stages that the arguments choose.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let started = Instant::now();
    let Wish { stages, within, share, list } = Wish::read(arguments)?;
    if list {
        for stage in stages {
            println!("{:<10} {:>3} min  {}", stage.name, stage.minutes, stage.about);
        }
        return Ok(());
    }
    let within = within.unwrap_or(WHOLE_RUN * share.patience());
    let mut scene = Scene::new(workspace, share);
    let mut rows = Vec::new();
    let mut broken = BTreeSet::new();
    for stage in stages {
        let row = play(stage, &mut scene, started + within, &broken);
        if row.tally.failed > 0 || row.not_run {
            broken.insert(stage.name);
        }
        rows.push(row);
    }
    conclude(&rows, started.elapsed())
}

struct Wish {
    stages: Vec<&'static Stage>,
    within: Option<Duration>,
    share: Share,
    list: bool,
}

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { stages: Vec::new(), within: None, share: Share::Usual, list: false };
        let mut quick = false;
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--list" => wish.list = true,
                "--quick" => quick = true,
                "--whole" => wish.share = Share::Whole,
                "--within" => wish.within = Some(minutes(arguments.next().copied())?),
                name => wish.stages.push(stage(name)?),
            }
        }
        if wish.stages.is_empty() {
            wish.stages.extend(STAGES.iter().filter(|stage| !quick || stage.place == Where::Here));
        }
        Ok(wish)
    }
}

fn minutes(text: Option<&str>) -> Result<Duration> {
    let minutes = text.and_then(|text| text.parse::<u64>().ok());
    let minutes = minutes.ok_or_else(|| Failure::usage(format!("--within wants minutes\n{USAGE}")));
    Ok(Duration::from_secs(minutes? * 60))
}

fn stage(name: &str) -> Result<&'static Stage> {
    STAGES.iter().find(|stage| stage.name == name).ok_or_else(|| {
        let known: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        let known = known.join(" ");
        Failure::usage(format!("there is no stage {name:?}, only: {known}\n{USAGE}"))
    })
}

struct Row {
    stage: &'static str,
    took: Duration,
    tally: Tally,
    word: &'static str,
    remark: String,
    not_run: bool,
}

fn play(
    stage: &'static Stage,
    scene: &mut Scene<'_>,
    end: Instant,
    broken: &BTreeSet<&str>,
) -> Row {
    eprintln!("\n==> {}: {}", stage.name, stage.about);
    let began = Instant::now();
    let outcome = match stage.needs.iter().find(|need| broken.contains(*need)) {
        Some(need) => Ok(Outcome::NotRun(format!("needs {need}, which did not pass"))),
        None if began >= end => Ok(Outcome::NotRun("the time of the whole run was over".into())),
        None => stages::run(stage, scene, end),
    };
    let mut row = Row {
        stage: stage.name,
        took: began.elapsed(),
        tally: Tally::FAILED,
        word: "FAILED",
        remark: String::new(),
        not_run: false,
    };
    match outcome {
        Ok(Outcome::Ran(tally)) if tally.failed == 0 => (row.tally, row.word) = (tally, "ok"),
        Ok(Outcome::Ran(tally)) => row.tally = tally,
        Ok(Outcome::Skipped(why)) => {
            (row.tally, row.word, row.remark) = (Tally::SKIPPED, "skipped", why);
        }
        Ok(Outcome::NotRun(why)) => {
            (row.tally, row.word, row.remark) = (Tally::SKIPPED, "not run", why);
            row.not_run = true;
        }
        Err(failure) => row.remark = failure.to_string(),
    }
    eprintln!("<== {}: {} in {} {}", row.stage, row.word, seconds(row.took), row.remark);
    row
}

fn conclude(rows: &[Row], took: Duration) -> Result<()> {
    let mut sum = Tally::default();
    println!("\n{:<10} {:>8}  {:<8} result", "stage", "time", "");
    for row in rows {
        let result = if row.remark.is_empty() { row.tally.to_string() } else { row.remark.clone() };
        println!("{:<10} {:>8}  {:<8} {result}", row.stage, seconds(row.took), row.word);
        sum += row.tally;
    }
    println!("{:<10} {:>8}\n", "all", seconds(took));
    // What could not be run because of a failure is no success of the run.
    let failed = rows.iter().any(|row| row.tally.failed > 0 || row.not_run);
    if sum.failed == 0 && failed {
        sum.failed = 1;
    }
    // The last line of all, also where stderr goes to the same place.
    println!("{sum}");
    if failed { Err(Failure::told()) } else { Ok(()) }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: &[&str]) {
        let wish = Wish::read(arguments).unwrap();
        let names: Vec<_> = wish.stages.iter().map(|stage| stage.name).collect();
        assert_eq!(names, expected, "{arguments:?}");
    }

    #[test]
    fn stages_run_in_the_order_of_the_table_or_as_named() {
        let all: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        check(&[], &all);
        check(&["unit", "fmt"], &["unit", "fmt"]);
    }

    #[test]
    fn quick_leaves_out_what_needs_machines() {
        let quick = Wish::read(&["--quick"]).unwrap().stages;
        assert!(quick.iter().any(|stage| stage.name == "unit"));
        assert!(quick.iter().all(|stage| !matches!(stage.name, "bundle" | "lab" | "e2e")));
    }

    #[test]
    fn unknown_stages_and_bad_minutes_are_refused() {
        assert!(stage("units").is_err());
        assert!(minutes(Some("soon")).is_err());
        assert!(minutes(None).is_err());
        assert_eq!(minutes(Some("2")).unwrap(), Duration::from_secs(120));
    }
}
