//! The stages of `cargo xtask test`, ordered by how much they cost and how much they destroy.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::packages;
use crate::process::{self, Ending, Patience};
use crate::tally::Tally;
use crate::workspace::{self, Workspace};
use crate::{dist, generate, tidy};

/// The minor that CI builds; the others are golden files there.
pub(crate) const KUBERNETES: &str = "1.37";

/// What a release is built without.
const EXTRA: &str = "ringfort/nats";

/// One stage.
pub(crate) struct Stage {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// How many minutes it may take from nothing.
    pub(crate) minutes: u64,
    /// Where it runs.
    pub(crate) place: Where,
    /// Stages without which it makes no sense.
    pub(crate) needs: &'static [&'static str],
    act: fn(&mut Scene<'_>, Instant) -> Result<Outcome>,
}

/// Where a stage runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Where {
    /// On this machine, without touching it.
    Here,
    /// On throwaway machines, which take root and system packages.
    Lab,
}

/// How a stage ended.
pub(crate) enum Outcome {
    /// With so many tests.
    Ran(Tally),
    /// Not at all, for a reason that is no fault.
    Skipped(String),
    /// Not at all, since something before it failed.
    NotRun(String),
}

/// All stages, in the order in which they run.
pub(crate) const STAGES: &[Stage] = &[
    here("fmt", "cargo fmt --check", 2, &[], |scene, end| {
        scene.cargo(&["fmt", "--all", "--check"], end)
    }),
    here("tidy", "the rules of the house", 2, &[], |scene, _| {
        tidy::task(scene.workspace, &[]).map(|()| Outcome::Ran(Tally::PASSED))
    }),
    here("clippy", "cargo clippy, warnings are errors", 15, &[], |scene, end| {
        let every = ["clippy", "--workspace", "--all-targets", "--features", EXTRA, "--locked"];
        scene.cargo(&[&every[..], &["--", "-Dwarnings"]].concat(), end)
    }),
    here("build", "everything once, tests and command together", 20, &[], |scene, end| {
        scene.cargo(&["build", "--workspace", "--all-targets", "--locked"], end)
    }),
    here("unit", "unit tests, laws, simulation, golden files", 15, &["build"], |scene, end| {
        // Tests on machines say here that they do not run: they are counted in stages of their own.
        scene.tests(&["--no-fail-fast"], &[], Tally::of_line, end)
    }),
    here("generated", "what is derived is up to date", 5, &["build"], |scene, _| {
        generate::task(scene.workspace, &["--check"]).map(|()| Outcome::Ran(Tally::PASSED))
    }),
    here("doc", "cargo doc, warnings are errors", 10, &[], |scene, end| {
        let mut command = scene.workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        command.env("RUSTDOCFLAGS", "-Dwarnings");
        scene.whole(&mut command, end)
    }),
    here("papers", "what a release carries beside its binary", 5, &["build"], |scene, _| {
        dist::rehearse(scene.workspace).map(|()| Outcome::Ran(Tally::PASSED))
    }),
    lab("bundle", "build or reuse the bundle of Kubernetes", 45, &["build"], |scene, end| {
        scene.bundle_stage(end)
    }),
    lab(
        "kernel",
        "what the kernel makes of routes and network policies, and tells of changed files",
        5,
        &["build"],
        |scene, end| scene.machine_test("kernel", end),
    ),
    lab("queue", "three servers of NATS, each of which is killed", 10, &["build"], |scene, end| {
        let server = packages::unpacked("nats-server", "usr/sbin/nats-server")?;
        let arguments = ["--features", EXTRA, "--test", "queue"];
        scene.tests(&arguments, &[("RINGFORT_NATS_SERVER", server)], Tally::of_line, end)
    }),
    lab("lab", "two throwaway machines: boot, cut, power off, take down", 15, &["build"], {
        |scene, end| scene.machine_test("lab", end)
    }),
    lab("e2e", "one whole cluster, ordered by how much is destroyed", 45, &["build", "bundle"], {
        |scene, end| scene.machine_test("e2e", end)
    }),
];

const fn here(
    name: &'static str,
    about: &'static str,
    minutes: u64,
    needs: &'static [&'static str],
    act: fn(&mut Scene<'_>, Instant) -> Result<Outcome>,
) -> Stage {
    Stage { name, about, minutes, place: Where::Here, needs, act }
}

const fn lab(
    name: &'static str,
    about: &'static str,
    minutes: u64,
    needs: &'static [&'static str],
    act: fn(&mut Scene<'_>, Instant) -> Result<Outcome>,
) -> Stage {
    Stage { name, about, minutes, place: Where::Lab, needs, act }
}

/// Runs one stage, to its own deadline or that of the whole run, whichever comes first.
pub(crate) fn run(stage: &Stage, scene: &mut Scene<'_>, end: Instant) -> Result<Outcome> {
    settle(attempt(stage, scene, end)?, if in_ci() { Audience::Ci } else { Audience::Person })
}

/// Who reads the result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Audience {
    /// A person, who sees what was left out.
    Person,
    /// A program that looks at the exit code alone: what was left out is not known to be well.
    Ci,
}

fn settle(outcome: Outcome, audience: Audience) -> Result<Outcome> {
    match outcome {
        Outcome::Skipped(why) if audience == Audience::Ci => {
            Err(Failure::stuck(format!("{why}; in CI nothing is left out")))
        }
        outcome => Ok(outcome),
    }
}

fn attempt(stage: &Stage, scene: &mut Scene<'_>, end: Instant) -> Result<Outcome> {
    if stage.place == Where::Lab {
        if !packages::is_root() {
            return Ok(Outcome::Skipped("needs root, since it boots machines".to_owned()));
        }
        packages::install(&packages::missing())?;
    }
    let patience = Duration::from_secs(stage.minutes * 60) * scene.share.patience();
    let own_end = Instant::now() + patience;
    (stage.act)(scene, own_end.min(end))
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

/// How much of the end-to-end cases a run has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Share {
    /// What CI waits for.
    Usual,
    /// All of them, with those that take long.
    Whole,
}

impl Share {
    /// How many times as long as usual such a run may take.
    pub(crate) fn patience(self) -> u32 {
        match self {
            Self::Usual => 1,
            Self::Whole => 2,
        }
    }
}

/// What the stages share.
pub(crate) struct Scene<'a> {
    workspace: &'a Workspace,
    bundle: Option<PathBuf>,
    share: Share,
}

impl<'a> Scene<'a> {
    /// Begins with nothing known.
    pub(crate) fn new(workspace: &'a Workspace, share: Share) -> Self {
        Self { workspace, bundle: None, share }
    }

    /// Cargo as one test.
    fn cargo(&self, arguments: &[&str], end: Instant) -> Result<Outcome> {
        self.whole(&mut self.workspace.cargo(arguments), end)
    }

    /// A program as one test.
    fn whole(&self, command: &mut Command, end: Instant) -> Result<Outcome> {
        let began = Instant::now();
        let ending = process::supervise(command, Patience::unless_watched(end), |_| ())?;
        judge(ending, began, Tally::PASSED)
    }

    /// `cargo test` over the workspace. Every call names the whole workspace, so that the features
    /// of dependencies, and with them what was compiled, are the same for all.
    fn tests(
        &self,
        arguments: &[&str],
        variables: &[(&str, PathBuf)],
        count: fn(&str) -> Option<Tally>,
        end: Instant,
    ) -> Result<Outcome> {
        let mut command = self.workspace.cargo(&["test", "--workspace", "--locked"]);
        command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let mut tally = Tally::default();
        let ending = process::supervise(&mut command, Patience::unless_watched(end), |line| {
            if let Some(more) = count(line) {
                tally += more;
            }
        })?;
        match ending {
            Ending::Badly(_) if tally.failed > 0 => Ok(Outcome::Ran(tally)),
            ending => judge(ending, began, tally),
        }
    }

    fn bundle_stage(&mut self, end: Instant) -> Result<Outcome> {
        let command = self.workspace.built("debug")?.join("ringfort");
        let mut last = String::new();
        let began = Instant::now();
        let mut build = Command::new(command);
        build.args(["bundle", "build", "--kubernetes", KUBERNETES]);
        let ending = process::supervise(&mut build, Patience::unless_watched(end), |line| {
            line.clone_into(&mut last);
        })?;
        let outcome = judge(ending, began, Tally::PASSED)?;
        self.bundle = Some(PathBuf::from(last));
        Ok(outcome)
    }

    /// An integration test on throwaway machines, one after the other.
    fn machine_test(&mut self, name: &str, end: Instant) -> Result<Outcome> {
        if !self.has_test(name)? {
            return Ok(Outcome::Skipped(format!("there is no test target {name:?}")));
        }
        let mut variables = vec![("RINGFORT_E2E", PathBuf::from("1"))];
        if name == "e2e" {
            if self.bundle.is_none() {
                self.bundle_stage(end)?;
            }
            variables.extend(self.bundle.iter().map(|bundle| ("RINGFORT_BUNDLE", bundle.clone())));
            if self.share == Share::Whole {
                variables.push(("RINGFORT_E2E_WHOLE", PathBuf::from("1")));
            }
        }
        let arguments = ["--test", name, "--", "--test-threads=1", "--nocapture"];
        let outcome = self.tests(&arguments, &variables, Tally::of_machines, end);
        self.sweep()?;
        outcome
    }

    /// Takes down what tests left behind because they were killed or fell over. Whatever else there
    /// is belongs to somebody.
    fn sweep(&self) -> Result<()> {
        let built = self.workspace.built("debug")?;
        let is_alive = |process: u32| Path::new("/proc").join(process.to_string()).exists();
        // Tests of the lab have a directory of their own, where cargo lets tests write.
        let own = built.parent().map(|target| target.join("tmp/labs"));
        for directory in own.into_iter().chain([workspace::labs()]) {
            for lab in names_in(&directory).iter().filter(|lab| is_left(lab, is_alive)) {
                eprintln!("a test left the lab {lab} behind: taking it down");
                let mut down = Command::new(built.join("ringfort"));
                process::run(down.env("RINGFORT_LAB_DIR", &directory).args(["lab", "down", lab]))?;
            }
        }
        Ok(())
    }

    fn has_test(&self, name: &str) -> Result<bool> {
        let tests = PathBuf::from("tests");
        let targets = [tests.join(format!("{name}.rs")), tests.join(name).join("main.rs")];
        let files = self.workspace.files()?;
        Ok(files.iter().any(|file| targets.iter().any(|target| file.ends_with(target))))
    }
}

fn judge(ending: Ending, began: Instant, tally: Tally) -> Result<Outcome> {
    match ending {
        Ending::Well => Ok(Outcome::Ran(tally)),
        Ending::Badly(status) => Err(Failure::findings(format!("ended with {status}"))),
        Ending::OutOfTime => Err(Failure::stuck(format!(
            "killed after {} minutes: its time was over",
            began.elapsed().as_secs() / 60
        ))),
    }
}

/// How names of tests' labs begin. The number of the test's process follows, and more where it has
/// several.
const OF_A_TEST: &str = "rf-test-";

/// The names in a directory, if it can be read.
fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Says whether a lab is one of a test that is over.
fn is_left(lab: &str, is_alive: impl Fn(u32) -> bool) -> bool {
    let number = lab.strip_prefix(OF_A_TEST).and_then(|rest| rest.split('-').next());
    let is_name = lab.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let owner = number.and_then(|number| number.parse().ok());
    is_name && owner.is_some_and(|process| !is_alive(process))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_ci_nothing_is_left_out() {
        let skipped = || Outcome::Skipped("needs root".to_owned());
        assert!(matches!(settle(skipped(), Audience::Person), Ok(Outcome::Skipped(_))));
        let refused = settle(skipped(), Audience::Ci).err().unwrap();
        assert_eq!(refused.to_string(), "needs root; in CI nothing is left out");
        let ran = settle(Outcome::Ran(Tally::PASSED), Audience::Ci);
        assert!(matches!(ran, Ok(Outcome::Ran(Tally::PASSED))));
    }

    #[test]
    fn only_labs_of_tests_that_are_over_are_left() {
        let check = |lab: &str, expected: bool| {
            assert_eq!(is_left(lab, |process| process == 7), expected, "{lab}");
        };
        for lab in ["rf-test-12", "rf-test-12-1"] {
            check(lab, true);
        }
        let of_others =
            ["demo", "test", "test-12", "e2e-12", "rf-test", "rf-test-", "rf-test-mine"];
        let alive_or_a_file = ["rf-test-7", "rf-test-7-2", "rf-test-12.store"];
        for lab in of_others.into_iter().chain(alive_or_a_file) {
            check(lab, false);
        }
    }
}
