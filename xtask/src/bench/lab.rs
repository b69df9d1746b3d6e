//! The six machines that are measured: boots them, runs commands on them, takes them down.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use serde_json::Value;

use super::story::Story;
use crate::failure::{Failure, Result};
use crate::stages::KUBERNETES;
use crate::workspace::Workspace;
use crate::{dist, packages, process};

/// What the measurements stand on.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// The program under test.
    pub(super) ringfort: PathBuf,
    /// The bundle.
    pub(super) bundle: PathBuf,
    /// The minor of Kubernetes.
    pub(super) kubernetes: String,
    /// Where `cluster.yaml`, the operator's state and logs are.
    pub(super) directory: PathBuf,
    /// Machines that are virtual ones.
    pub(super) virtual_machines: Option<String>,
}

/// What somebody asked to measure.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The minor of Kubernetes.
    pub(super) kubernetes: String,
    /// The program, other than the one that would be released.
    pub(super) binary: Option<PathBuf>,
    /// The bundle, other than the newest of that minor in the cache.
    pub(super) bundle: Option<PathBuf>,
    /// Machines that are to be virtual ones.
    pub(super) virtual_machines: Option<String>,
}

impl Asked {
    /// Asks for what would be released.
    pub(super) fn usual() -> Self {
        let kubernetes = KUBERNETES.to_owned();
        Self { kubernetes, binary: None, bundle: None, virtual_machines: None }
    }

    /// Takes an option that every measurement has; says whether it is one.
    pub(super) fn takes(&mut self, option: &str, value: &str) -> bool {
        match option {
            "--kubernetes" => self.kubernetes = value.to_owned(),
            "--binary" => self.binary = Some(PathBuf::from(value)),
            "--bundle" => self.bundle = Some(PathBuf::from(value)),
            _ => return false,
        }
        true
    }

    /// Reads these options and `--out`, the directory for reports, which is below the target directory otherwise.
    pub(super) fn with_out(
        workspace: &Workspace,
        arguments: &[&str],
        usage: &str,
        below: &str,
    ) -> Result<(Self, PathBuf)> {
        let (mut asked, mut out) = (Self::usual(), workspace.target()?.join(below));
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let value = arguments.next().copied().ok_or_else(|| Failure::usage(usage))?;
            match argument {
                option if asked.takes(option, value) => {}
                "--out" => out = PathBuf::from(value),
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{usage}"))),
            }
        }
        Ok((asked, out))
    }

    /// Installs and builds what is missing.
    pub(super) fn prepare(&self, workspace: &Workspace) -> Result<Ground> {
        let mut missing = packages::missing();
        if self.virtual_machines.is_some() {
            missing.extend(packages::missing_of(packages::VIRTUAL));
        }
        packages::install(&missing)?;
        let ringfort = match &self.binary {
            Some(binary) => binary.clone(),
            None => dist::build(workspace)?,
        };
        let bundle = match &self.bundle {
            Some(directory) => directory.clone(),
            None => build(&ringfort, &self.kubernetes, &[])?,
        };
        Ok(Ground {
            ringfort,
            bundle,
            kubernetes: self.kubernetes.clone(),
            directory: workspace.root().join(".ringfort").join(LAB),
            virtual_machines: self.virtual_machines.clone(),
        })
    }
}

impl Ground {
    /// Builds a program of Kubernetes that ships with no bundle.
    pub(super) fn program(&self, name: &str) -> Result<PathBuf> {
        build(&self.ringfort, &self.kubernetes, &["--only", name])
    }
}

/// Builds a bundle or a part of it, and gives where it lies.
fn build(ringfort: &Path, kubernetes: &str, more: &[&str]) -> Result<PathBuf> {
    let mut command = Command::new(ringfort);
    command.args(["bundle", "build", "--kubernetes", kubernetes]).args(more);
    let printed = process::capture(&mut command)?;
    let last = printed.lines().last().map(PathBuf::from);
    last.ok_or_else(|| Failure::stuck("`ringfort bundle build` said not where it lies"))
}

/// Finds an unpacked module of Go, which has more than its programs' source.
pub(super) fn module(name: &str) -> Result<PathBuf> {
    let mut go = Command::new("go");
    let printed = process::capture(go.args(["mod", "download", "-json", name]).current_dir("/"))?;
    let said: Value = serde_json::from_str(&printed)
        .map_err(|_| Failure::stuck("`go mod download` said not where the module lies"))?;
    let directory = said["Dir"].as_str().map(PathBuf::from);
    directory.ok_or_else(|| Failure::stuck(format!("{name} is not served here: {said}")))
}

/// A lab, which goes with this value.
#[derive(Debug)]
pub(super) struct Lab<'a> {
    /// What it stands on.
    pub(super) ground: &'a Ground,
    /// How long its machines took to boot.
    pub(super) boot_seconds: f64,
}

/// How often `up` is run until it has come to its end.
const MOST_RUNS: usize = 6;

/// What the lab is called, and the directory of its files: nobody else's, since what is left of an
/// earlier run is removed.
pub(super) const LAB: &str = "ringfort-bench";

impl<'a> Lab<'a> {
    /// Boots fresh machines; what an interrupted run left of a lab goes first.
    pub(super) fn boot(ground: &'a Ground) -> Result<Self> {
        process::run(Command::new(&ground.ringfort).args(["lab", "down", LAB]))?;
        empty(&ground.directory)?;
        let mut lab = Self { ground, boot_seconds: 0.0 };
        let mut up = lab.command(&["up", LAB, "--store"]);
        up.arg(&ground.bundle).stdout(io::stderr());
        if let Some(machines) = &ground.virtual_machines {
            up.args(["--vm", machines]);
        }
        let began = Instant::now();
        process::run(&mut up)?;
        lab.boot_seconds = began.elapsed().as_secs_f64();
        let hosts = ["hosts", LAB, "--kubernetes", &ground.kubernetes];
        let spec = process::capture(&mut lab.command(&hosts))?;
        fs::write(lab.spec(), spec).map_err(|source| Failure::at("write", &lab.spec(), &source))?;
        Ok(lab)
    }

    /// `cluster.yaml` for the machines.
    pub(super) fn spec(&self) -> PathBuf {
        self.ground.directory.join("cluster.yaml")
    }

    /// Adds waivers to the specification, and other lines before them.
    pub(super) fn waive(&self, lines: &str, waivers: &str) -> Result<()> {
        let path = self.spec();
        let text =
            fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
        let (before, after) = text.split_once("waivers:\n").unwrap_or((&text, ""));
        fs::write(&path, format!("{before}{lines}waivers:\n{waivers}{after}"))
            .map_err(|source| Failure::at("write", &path, &source))
    }

    /// `ringfort lab …`.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.ground.ringfort);
        command.arg("lab").args(arguments);
        command
    }

    /// A program of this host, run in the machines' network.
    pub(super) fn inside(&self, program: &Path) -> Command {
        let mut command = self.command(&["run", LAB, "--"]);
        command.arg(program);
        command.env("RINGFORT_IDENTITY_FILE", self.ground.directory.join("identity.txt"));
        command
    }

    /// Runs `ringfort VERB --json` on the cluster and returns when it began and what it told.
    pub(super) fn converge(&self, verb: &str) -> Result<(SystemTime, Story)> {
        self.converge_with(verb, &[])
    }

    /// The same with more arguments.
    pub(super) fn converge_with(&self, verb: &str, and: &[&str]) -> Result<(SystemTime, Story)> {
        let mut command = self.inside(&self.ground.ringfort);
        command.arg(verb).args(and).arg("--file").arg(self.spec());
        command.arg("--bundle").arg(&self.ground.bundle).arg("--json");
        let began = SystemTime::now();
        let (status, events) = process::listen(&mut command)?;
        let kept = self.ground.directory.join(format!("{verb}.jsonl"));
        fs::write(&kept, &events).map_err(|source| Failure::at("write", &kept, &source))?;
        let story = Story::read(&events)
            .ok_or_else(|| Failure::stuck(format!("ringfort {verb} ended with {status}")))?;
        if let Some(error) = &story.error {
            return Err(Failure::stuck(format!("ringfort {verb}: {error}")));
        }
        Ok((began, story))
    }

    /// The same with machines that may be too slow for ringfort's patience: run again, as its error
    /// says, until nothing is left to do. All runs count.
    pub(super) fn converge_in_the_end(&self, verb: &str) -> Result<(SystemTime, Story)> {
        let (began, clock) = (SystemTime::now(), Instant::now());
        for _ in 1..MOST_RUNS {
            match self.converge(verb) {
                Ok((_, story)) if story.handed_over => {
                    let seconds = clock.elapsed().as_secs_f64();
                    return Ok((began, Story { seconds, ..story }));
                }
                Ok((_, story)) => eprintln!("not proved yet: {}", story.not_proved.join("; ")),
                Err(failure) => eprintln!("{failure}"),
            }
            eprintln!("running again");
        }
        let (_, story) = self.converge(verb)?;
        Ok((began, Story { seconds: clock.elapsed().as_secs_f64(), ..story }))
    }

    /// `kubectl` with the kubeconfig that was handed over.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        process::capture(&mut self.kubectl_with(arguments))
    }

    /// Says whether kubectl gets what it asks for, without a word about it where it does not.
    pub(super) fn gets(&self, arguments: &[&str]) -> bool {
        let mut command = self.kubectl_with(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn kubectl_with(&self, arguments: &[&str]) -> Command {
        let mut command = self.inside(&self.ground.bundle.join("files/kubectl"));
        command.arg("--kubeconfig").arg(self.state().join("admin.conf")).args(arguments);
        command
    }

    /// Where the operator's state is.
    pub(super) fn state(&self) -> PathBuf {
        self.ground.directory.join(".ringfort").join(LAB)
    }

    /// Runs a command on a machine and returns what it wrote.
    pub(super) fn on(&self, machine: &str, command: &str) -> Result<String> {
        process::capture(&mut self.command(&["ssh", LAB, machine, "--", command]))
    }

    /// Runs a command on a machine that reads `input`; what it writes is kept in a log.
    pub(super) fn feed(
        &self,
        machine: &str,
        command: &str,
        input: &mut dyn io::Read,
    ) -> Result<()> {
        let path = self.ground.directory.join(format!("{machine}.log"));
        let log = File::options().create(true).append(true).open(&path);
        let log = log.map_err(|source| Failure::at("write", &path, &source))?;
        let again = log.try_clone().map_err(|source| Failure::at("write", &path, &source))?;
        let mut ssh = self.command(&["ssh", LAB, machine, "--", command]);
        ssh.stdout(Stdio::from(log)).stderr(Stdio::from(again));
        process::feed(&mut ssh, input).map_err(|failure| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let end = lines[lines.len().saturating_sub(25)..].join("\n  ");
            Failure::stuck(format!("{machine}: {failure}; it wrote at last:\n  {end}"))
        })
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        if let Err(failure) = process::run(&mut self.command(&["down", LAB])) {
            eprintln!("{failure}; take it down by `ringfort lab down {LAB}`");
        }
    }
}

fn empty(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).map_err(|source| Failure::at("empty", directory, &source))?;
    }
    fs::create_dir_all(directory).map_err(|source| Failure::at("make", directory, &source))
}

/// The seconds from a moment to the last change of a node's readiness, in what `kubectl` printed:
/// a line for each node with `True` or `False` and the time of that change. Kubernetes tells times
/// in whole seconds; the second that is begun counts as spent.
pub(super) fn ready_seconds(began: SystemTime, printed: &str, nodes: usize) -> Result<f64> {
    let lines: Vec<_> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
    let times: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("True ")).collect();
    if times.is_empty() || times.len() != nodes || lines.len() != nodes {
        let (ready, all) = (times.len(), lines.len());
        return Err(Failure::stuck(format!("{ready} of {all} nodes are Ready, not {nodes}")));
    }
    let last = times.iter().max().copied().unwrap_or_default();
    let mut date = Command::new("date");
    let last = process::capture(date.args(["-u", "+%s", "-d", last]))?;
    let last: f64 = last.trim().parse().map_err(|_| Failure::stuck("date told no number"))?;
    let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Ok(last + 1.0 - began)
}

/// What makes `kubectl get nodes` print such lines.
pub(super) const READINESS: &str = "jsonpath={range .items[*]}{range .status.conditions[?(@.type==\"Ready\")]}{.status} {.lastTransitionTime}{\"\\n\"}{end}{end}";

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::ready_seconds;

    #[test]
    fn the_last_node_counts_and_all_must_be_there() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let two = "True 2001-09-09T01:46:45Z\nTrue 2001-09-09T01:46:42Z\n";
        assert_eq!(ready_seconds(began, two, 2).unwrap(), 6.0);
        assert!(ready_seconds(began, two, 3).is_err());
        assert!(ready_seconds(began, &two.replacen("True", "False", 1), 2).is_err());
        assert!(ready_seconds(began, "", 0).is_err());
    }
}
