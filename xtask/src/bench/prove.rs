//! `cargo xtask bench prove`: how long all proofs that disturb nobody take on a healthy cluster, how
//! often one of them fails there, and how long the rehearsal takes.

use super::lab::{Asked, Ground, Lab};
use super::story::Story;
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench prove [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --runs N            how often everything is proved (20)
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       measure this program instead of the one that would be released";

/// All proofs that disturb nobody should take no longer, in seconds.
const GOAL_S: f64 = 30.0;
/// How many of the slowest are told.
const SLOWEST: usize = 5;

/// Measures, and prints the table. Fails if a healthy cluster failed a proof.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(arguments)?;
    let ground = wish.asked.prepare(workspace)?;
    let (first, runs) = measure(&ground, wish.runs)?;
    println!("{}", table(&wish.asked.kubernetes, &first, &runs));
    let failed: Vec<&str> =
        runs.iter().flat_map(|run| &run.not_proved).map(String::as_str).collect();
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::findings(format!("on a healthy cluster: {}", failed.join("; ")))),
    }
}

struct Wish {
    asked: Asked,
    runs: usize,
}

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { asked: Asked::usual(), runs: 20 };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let value = arguments.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
            match argument {
                option if wish.asked.takes(option, value) => {}
                "--runs" => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    wish.runs = number.ok_or_else(|| Failure::usage(USAGE))?;
                }
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{USAGE}"))),
            }
        }
        Ok(wish)
    }
}

/// Makes a cluster, and proves it again and again.
fn measure(ground: &Ground, runs: usize) -> Result<(Story, Vec<Story>)> {
    let lab = Lab::boot(ground)?;
    let (_, first) = lab.converge("up")?;
    if !first.handed_over {
        return Err(Failure::findings(format!("not proved: {}", first.not_proved.join("; "))));
    }
    let mut stories = Vec::new();
    for run in 1..=runs {
        let (_, story) = lab.converge("prove")?;
        eprintln!("run {run} of {runs}: {:.1} s", proving(&story));
        stories.push(story);
    }
    Ok((first, stories))
}

/// From the first proof's beginning to the last one's end.
fn proving(story: &Story) -> f64 {
    let proofs = story.stages.iter().filter(|stage| stage.what.starts_with("proof of "));
    proofs.map(|stage| stage.seconds).sum()
}

fn table(kubernetes: &str, first: &Story, runs: &[Story]) -> String {
    let mut took: Vec<f64> = runs.iter().map(proving).collect();
    took.sort_by(f64::total_cmp);
    let (least, most) = (took.first().copied(), took.last().copied());
    let rehearsal = first.stages.iter().find(|stage| stage.what.contains("survives-control-plane"));
    let mut slowest = runs.last().map(|run| run.stages.clone()).unwrap_or_default();
    slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let slowest = slowest.iter().filter(|stage| stage.what.starts_with("proof of "));
    let slowest: Vec<String> = slowest
        .take(SLOWEST)
        .map(|stage| {
            format!("{} {:.1} s", stage.what.trim_start_matches("proof of "), stage.seconds)
        })
        .collect();
    let not_proved: usize = runs.iter().map(|run| run.not_proved.len()).sum();
    format!(
        "proofs of Kubernetes {kubernetes} on three control planes and three workers, {} runs\n\n\
         | what | measured | goal |\n|---|---|---|\n\
         | proofs that disturb nobody | {:.1} s ({:.1} to {:.1}) | {GOAL_S:.0} s |\n\
         | rehearsal of every control plane, in `up` | {:.1} s | 60 s |\n\
         | controls proved in a run | {} | |\n\
         | proofs that failed on the healthy cluster | {not_proved} | 0 |\n\n\
         The last run waited the longest for: {}",
        runs.len(),
        took.get(took.len() / 2).copied().unwrap_or_default(),
        least.unwrap_or_default(),
        most.unwrap_or_default(),
        rehearsal.map_or(0.0, |stage| stage.seconds),
        runs.last().map_or(0, |run| run.proved),
        slowest.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::{Story, proving};

    #[test]
    fn only_proofs_count() {
        let events = concat!(
            r#"{"event":"stage","name":"entering the machines","seconds":0.5}"#,
            "\n",
            r#"{"event":"stage","name":"proofs","seconds":2.0}"#,
            "\n",
            r#"{"event":"proof","control":"a/b","verdict":"proved","detail":"","seconds":5.0}"#,
            "\n",
            r#"{"event":"proof","control":"a/c","verdict":"failed","detail":"no","seconds":9.0}"#,
            "\n",
            r#"{"event":"finished","seconds":10.0,"changes":0,"proved":1,"kubeconfig":null,"error":null}"#,
        );
        let story = Story::read(events).unwrap();
        assert!((proving(&story) - 7.0).abs() < 1e-9);
        assert_eq!(story.not_proved, ["a/c failed: no"]);
    }
}
