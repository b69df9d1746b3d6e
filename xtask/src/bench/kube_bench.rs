//! `cargo xtask bench kube-bench`: kube-bench as it comes, on the machines of a handed-over cluster and
//! against its API, with a ledger of what it finds and why that is no fault.
//!
//! A finding that the ledger does not explain fails the run, and so does an explanation that nothing needs.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::ledger::LEDGER;
use super::lab::{Asked, Ground, Lab, module};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;
use crate::{packages, process};

const USAGE: &str = "usage: cargo xtask bench kube-bench [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       the program to make the cluster with, instead of the one that would be released
  --out DIR           where kube-bench's output is kept (target/kube-bench)";

/// The newest benchmark that the newest kube-bench knows which Go's module proxies serve whole.
const BENCHMARK: &str = "cis-1.9";
const MODULE: &str = "github.com/aquasecurity/kube-bench@v0.8.0";
/// Its scripts are written for the shell of its own image, which understands more than Debian's does.
const SHELL: &str = "mount --bind /bin/bash /bin/sh && exec \"$@\"";
/// Where it lies on machines while it runs.
const THERE: &str = "/tmp/kube-bench";

/// Makes a cluster, runs kube-bench on a control plane, a worker and the API, and prints what it came to.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let (asked, out) = Asked::with_out(workspace, arguments, USAGE, "kube-bench")?;
    let ground = asked.prepare(workspace)?;
    let parts = Parts::build(&ground)?;
    fs::create_dir_all(&out).map_err(|source| Failure::at("make", &out, &source))?;
    let lab = Lab::boot(&ground)?;
    let (_, made) = lab.converge("up")?;
    if !made.handed_over {
        return Err(Failure::findings(format!("not proved: {}", made.not_proved.join("; "))));
    }
    let mut found = parts.on_machines(&lab, &out)?;
    found.extend(results(&keep(&out, "api", parts.on_api(&lab)?)?)?);
    let weighed = Weighed::of(&found);
    println!("{}", weighed.markdown(&ground.kubernetes));
    match weighed.complaints().as_slice() {
        [] => Ok(()),
        complaints => Err(Failure::findings(complaints.join("\n"))),
    }
}

/// What kube-bench consists of.
pub(super) struct Parts {
    module: PathBuf,
    program: PathBuf,
}

impl Parts {
    /// Builds it.
    pub(super) fn build(ground: &Ground) -> Result<Self> {
        packages::install(&packages::missing_of(packages::JQ))?;
        Ok(Self { program: ground.program("kube-bench")?, module: module(MODULE)? })
    }

    /// Runs it on a control plane and on a worker, keeps its reports, and gives what it found.
    pub(super) fn on_machines(&self, lab: &Lab<'_>, out: &Path) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (machine, targets) in [("cp1", "master,etcd,controlplane,node"), ("w1", "node")] {
            let report = self.on_machine(lab, machine, targets)?;
            found.extend(results(&keep(out, machine, report)?)?);
        }
        Ok(found)
    }

    fn on_machine(&self, lab: &Lab<'_>, machine: &str, targets: &str) -> Result<String> {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.program.parent().unwrap_or(Path::new("/")));
        tar.arg("-c").arg(self.program.file_name().unwrap_or_default());
        let packed = env::temp_dir().join(format!("kube-bench-{}.tar", std::process::id()));
        tar.arg("-C").arg(&self.module).arg("cfg").arg("-f").arg(&packed);
        process::run(&mut tar)?;
        let sent = fs::File::open(&packed).map_err(|source| Failure::at("read", &packed, &source));
        let sent = sent.and_then(|mut file| {
            lab.feed(machine, &format!("mkdir -p {THERE} && tar -x -C {THERE}"), &mut file)
        });
        let _ = fs::remove_file(&packed);
        sent?;
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        let run = format!("cd {THERE} && ./{program} {}", arguments(targets).join(" "));
        lab.on(machine, &run)
    }

    /// Asks the API with the identity that was handed over and nothing more.
    fn on_api(&self, lab: &Lab<'_>) -> Result<String> {
        let mut path = lab.ground.bundle.join("files").into_os_string();
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        let mut run = lab.inside(Path::new("unshare"));
        run.args(["--mount", "--", "bash", "-c", SHELL, "kube-bench"]).arg(&self.program);
        run.args(arguments("policies")).current_dir(&self.module);
        run.env("KUBECONFIG", lab.state().join("admin.conf")).env("PATH", path);
        process::capture(&mut run)
    }
}

fn arguments(targets: &str) -> [&str; 10] {
    [
        "run",
        "--config-dir",
        "cfg",
        "--config",
        "cfg/config.yaml",
        "--benchmark",
        BENCHMARK,
        "--targets",
        targets,
        "--json",
    ]
}

/// Keeps a report, and gives it back.
fn keep(out: &Path, name: &str, report: String) -> Result<String> {
    let path = out.join(format!("{name}.json"));
    fs::write(&path, &report).map_err(|source| Failure::at("write", &path, &source))?;
    Ok(report)
}

/// One test of one run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// Its number.
    pub(super) id: String,
    /// What it asks.
    pub(super) about: String,
    /// What came of it.
    pub(super) outcome: Outcome,
}

/// What kube-bench says of a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It holds.
    Held,
    /// It does not, or a test that it calls manual looked and is not content.
    Blamed,
    /// It is left to people without a look.
    LeftToPeople,
}

/// Reads a report; one without a test is none.
fn results(report: &str) -> Result<Vec<Found>> {
    let report: Value = serde_json::from_str(report)
        .map_err(|_| Failure::stuck("kube-bench wrote no report; see where its output is kept"))?;
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let results: Vec<Found> = list(&report, "Controls")
        .iter()
        .flat_map(|control| list(control, "tests"))
        .flat_map(|test| list(&test, "results"))
        .map(|result| found(&result))
        .collect();
    match results.is_empty() {
        true => Err(Failure::stuck("kube-bench's report has no test in it")),
        false => Ok(results),
    }
}

fn found(result: &Value) -> Found {
    let text = |name: &str| result[name].as_str().unwrap_or_default().trim().to_owned();
    let outcome = match text("status").as_str() {
        "PASS" => Outcome::Held,
        "WARN" if text("reason") == "Test marked as a manual test" => Outcome::LeftToPeople,
        _ => Outcome::Blamed,
    };
    Found { id: text("test_number"), about: text("test_desc"), outcome }
}

/// What was found beside what the ledger says of it.
struct Weighed<'a> {
    held: usize,
    left: BTreeSet<&'a str>,
    /// Tests that are not content, with the ledger's word.
    blamed: BTreeMap<&'a str, (&'a str, Option<&'static ledger::Entry>)>,
}

impl<'a> Weighed<'a> {
    fn of(found: &'a [Found]) -> Self {
        let with = |outcome| found.iter().filter(move |it| it.outcome == outcome);
        let word = |id: &str| LEDGER.iter().find(|entry| entry.tests.contains(&id));
        Self {
            held: with(Outcome::Held).count(),
            left: with(Outcome::LeftToPeople).map(|it| it.id.as_str()).collect(),
            blamed: with(Outcome::Blamed)
                .map(|it| (it.id.as_str(), (it.about.as_str(), word(&it.id))))
                .collect(),
        }
    }

    fn markdown(&self, kubernetes: &str) -> String {
        let (held, left, blamed) = (self.held, self.left.len(), self.blamed.len());
        let mut text = format!(
            "Kubernetes {kubernetes}, {MODULE}, {BENCHMARK}: {held} held, {left} left to people \
             without a look, {blamed} not content\n\n| test | what it wants | why it is no fault | held by |\n\
             |---|---|---|---|"
        );
        for (id, (about, entry)) in &self.blamed {
            let (why, control) = entry.map_or(("NOT EXPLAINED", ""), |it| (it.why, it.control));
            text.push_str(&format!("\n| {id} | {about} | {why} | {control} |"));
        }
        text
    }

    fn complaints(&self) -> Vec<String> {
        let unexplained = self.blamed.iter().filter(|(_, (_, entry))| entry.is_none());
        let idle = LEDGER.iter().flat_map(|entry| entry.tests);
        unexplained
            .map(|(id, (about, _))| format!("{id} is not explained: {about}"))
            .chain(
                idle.filter(|id| !self.blamed.contains_key(**id))
                    .map(|id| format!("{id} is explained, but kube-bench is content with it")),
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"Controls":[{"tests":[{"results":[
        {"test_number":"1.1.1","test_desc":"modes","status":"PASS"},
        {"test_number":"9.9.9","test_desc":"unheard of","status":"FAIL"},
        {"test_number":"3.1.1","test_desc":"users","status":"WARN","reason":"Test marked as a manual test"},
        {"test_number":"1.2.11","test_desc":"pulls","status":"WARN"}]}]}]}"#;

    #[test]
    fn what_is_not_explained_is_told_and_what_explains_nothing_as_well() {
        let found = results(REPORT).unwrap();
        let weighed = Weighed::of(&found);
        assert_eq!((weighed.held, weighed.left.len(), weighed.blamed.len()), (1, 1, 2));
        let complaints = weighed.complaints();
        assert_eq!(complaints[0], "9.9.9 is not explained: unheard of");
        assert!(!complaints.iter().any(|text| text.starts_with("1.2.11")), "{complaints:?}");
        let idle = LEDGER.iter().map(|entry| entry.tests.len()).sum::<usize>() - 1;
        assert_eq!(complaints.len(), 1 + idle);
    }

    #[test]
    fn no_test_is_no_pass() {
        assert!(results("{}").is_err());
        assert!(results("Warning: no kubectl").is_err());
    }

    #[test]
    fn the_ledger_names_controls_that_there_are_and_no_test_twice() {
        let controls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/controls/src");
        let mut tests = BTreeSet::new();
        for entry in LEDGER {
            let page = controls.join(entry.control.replace('-', "_")).with_extension("md");
            assert!(page.is_file(), "{}", entry.control);
            entry.tests.iter().for_each(|test| assert!(tests.insert(test), "{test} stands twice"));
        }
    }
}
