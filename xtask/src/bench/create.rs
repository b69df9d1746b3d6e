//! `cargo xtask bench create`: how long ringfort takes from six booted machines to a proved cluster,
//! and what that cluster costs. The machines see the bundle as a golden image would carry it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::lab::{Asked, Ground, LAB, Lab, READINESS, ready_seconds};
use super::report::{Report, Sample};
use super::{kubeadm, load, outage};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench create [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --runs N            how often everything is measured, each time on fresh machines (1)
  --short             without kubeadm on machines of the same kind in the same runs, and without the API's
                      silence while control planes are off in the last run
  --vm [MACHINES]     make these machines virtual ones (cp3,w3), and be short
  --json FILE         write everything that was measured
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       measure this program instead of the one that would be released";

/// Who is virtual where it is not said.
const VIRTUAL: &str = "cp3,w3";
/// Machines are given so long to come to rest before it is measured.
const SETTLE: Duration = Duration::from_secs(30);
/// How long the machines at rest are watched.
const WATCH: Duration = Duration::from_secs(60);
/// How often what needs files alone is repeated; the median counts.
const REPETITIONS: usize = 5;
/// Three control planes and three workers.
const NODES: usize = 6;

/// Measures, and prints the tables.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(arguments)?;
    let ground = wish.asked.prepare(workspace)?;
    let size = fs::metadata(&ground.ringfort)
        .map_err(|source| Failure::at("read", &ground.ringfort, &source))?;
    let mut report = Report {
        kubernetes: wish.asked.kubernetes.clone(),
        processors: thread::available_parallelism().map_or(0, usize::from),
        binary: wish.asked.binary.clone(),
        size: size.len(),
        virtual_machines: wish.asked.virtual_machines.clone(),
        samples: Vec::new(),
    };
    for run in 1..=wish.runs {
        eprintln!("==> run {run} of {}: ringfort", wish.runs);
        let with_outage = wish.is_whole() && run == wish.runs;
        let mut sample = measure(&ground, with_outage.then_some(workspace.root()))?;
        if wish.is_whole() {
            eprintln!("==> run {run} of {}: kubeadm", wish.runs);
            sample.kubeadm = Some(kubeadm::measure(&ground)?);
        }
        report.samples.push(sample);
        // What was measured is not lost if a later run fails.
        wish.write(&report)?;
    }
    fs::remove_dir_all(&ground.directory)
        .map_err(|source| Failure::at("remove", &ground.directory, &source))?;
    println!("{}", report.markdown());
    Ok(())
}

/// What was asked for.
struct Wish {
    asked: Asked,
    runs: usize,
    is_short: bool,
    json: Option<PathBuf>,
}

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { asked: Asked::usual(), runs: 1, is_short: false, json: None };
        let mut arguments = arguments.iter().peekable();
        while let Some(&argument) = arguments.next() {
            let mut value = || arguments.next().copied().ok_or_else(|| Failure::usage(USAGE));
            match argument {
                "--runs" => wish.runs = count(value()?)?,
                "--short" => wish.is_short = true,
                "--vm" => {
                    let named = arguments.next_if(|next| !next.starts_with("--"));
                    wish.asked.virtual_machines =
                        Some(named.copied().unwrap_or(VIRTUAL).to_owned());
                }
                "--json" => wish.json = Some(PathBuf::from(value()?)),
                "--kubernetes" | "--bundle" | "--binary" => {
                    wish.asked.takes(argument, value()?);
                }
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{USAGE}"))),
            }
        }
        Ok(wish)
    }

    /// kubeadm is compared on machines of one kind alone.
    fn is_whole(&self) -> bool {
        !self.is_short && self.asked.virtual_machines.is_none()
    }

    fn write(&self, report: &Report) -> Result<()> {
        let Some(path) = &self.json else { return Ok(()) };
        fs::write(path, format!("{:#}\n", report.json()))
            .map_err(|source| Failure::at("write", path, &source))
    }
}

fn count(text: &str) -> Result<usize> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Failure::usage(format!("--runs wants a number from 1\n{USAGE}")))
}

/// Makes a cluster on fresh machines and looks at it from all sides.
fn measure(ground: &Ground, outage_from: Option<&Path>) -> Result<Sample> {
    let lab = Lab::boot(ground)?;
    let bare = load::memory(&load::machines(LAB));
    let (began, first) = match ground.virtual_machines {
        None => lab.converge("up")?,
        Some(_) => lab.converge_in_the_end("up")?,
    };
    if !first.handed_over {
        let (events, all) = (ground.directory.join("up.jsonl"), first.not_proved.join("\n  "));
        let message = format!("no kubeconfig was issued; {}:\n  {all}", events.display());
        return Err(Failure::findings(message));
    }
    let readiness = lab.kubectl(&["get", "nodes", "-o", READINESS])?;
    let ready = ready_seconds(began, &readiness, NODES)?;
    let (_, again) = lab.converge("up")?;
    let (_, plan) = lab.converge("plan")?;
    let (render, offline) = (render(&lab)?, plan_offline(&lab)?);
    thread::sleep(SETTLE);
    let busy = load::busy(LAB, WATCH);
    let memory = load::memory(&load::machines(LAB));
    let outages = match outage_from {
        Some(root) => outage::measure(&lab, root)?,
        None => Vec::new(),
    };
    let (boot, plan) = (lab.boot_seconds, plan.seconds);
    let kubeadm = None;
    Ok(Sample {
        boot,
        ready,
        first,
        again,
        plan,
        offline,
        render,
        bare,
        memory,
        busy,
        outages,
        kubeadm,
    })
}

/// Renders the blueprint from files alone, several times, and gives the median.
fn render(lab: &Lab<'_>) -> Result<f64> {
    from_files(lab, "render", |command, number| {
        command.arg("--out").arg(lab.ground.directory.join(format!("render-{number}")));
    })
}

/// Plans for machines that hold nothing, from files alone, several times, and gives the median.
fn plan_offline(lab: &Lab<'_>) -> Result<f64> {
    from_files(lab, "plan", |command, _| {
        command.args(["--offline", "--json"]);
    })
}

fn from_files(lab: &Lab<'_>, verb: &str, more: impl Fn(&mut Command, usize)) -> Result<f64> {
    let mut seconds = Vec::new();
    for number in 0..REPETITIONS {
        let mut command = Command::new(&lab.ground.ringfort);
        command.arg(verb).arg("--file").arg(lab.spec()).arg("--bundle").arg(&lab.ground.bundle);
        more(&mut command, number);
        let began = Instant::now();
        process::capture(&mut command)?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[REPETITIONS / 2])
}

#[cfg(test)]
mod tests {
    use super::Wish;

    #[test]
    fn options_are_read_and_the_unknown_is_refused() {
        let wish = Wish::read(&["--runs", "3"]).unwrap();
        assert_eq!((wish.runs, wish.is_whole()), (3, true));
        assert!(!Wish::read(&["--short"]).unwrap().is_whole());
        for (said, meant) in [(&["--vm", "--short"][..], "cp3,w3"), (&["--vm", "w1"], "w1")] {
            let wish = Wish::read(said).unwrap();
            assert_eq!(wish.asked.virtual_machines.as_deref(), Some(meant), "{said:?}");
            assert!(!wish.is_whole(), "{said:?}");
        }
        for bad in [&["--runs", "0"][..], &["--runs"], &["--fast"]] {
            assert!(Wish::read(bad).is_err(), "{bad:?}");
        }
    }
}
