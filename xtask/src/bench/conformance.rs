//! `cargo xtask bench conformance`: Kubernetes' own conformance tests, as they come, on a handed-over
//! cluster, under the identity of a waiver and nothing else.
//!
//! No registry is asked: the tests' program and the one that most of their pods run are built from
//! upstream's module, the rest of their images is Debian's. Tests that want other images fail, and are
//! told.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::lab::{Asked, Ground, Lab};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench conformance [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --focus REGEX       which tests ([Conformance])
  --skip REGEX        which of them not (none)
  --left-out N        how many of --focus do not run, on purpose: those of --skip, and those that this kernel
                      cannot run (0)
  --wanted N          how many tests of --focus the suite has (as many as it says)
  --minutes N         end after so long, and tell what was found until then (240)
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       the program to make the cluster with, instead of the one that would be released
  --out DIR           where the tests' output is kept (target/conformance)";

/// The identity of the waiver, as `examples/conformance.yaml` has it.
const USER: &str = "e2e";
/// What the waivers of that example say, for any cluster.
const WAIVERS: &str = "  - control: access/pod-security
    scope: { namespaceLabel: e2e-framework, user: e2e }
    reason: the end-to-end tests make namespaces below the restricted standard
    owner: bench
    expires: 2099-12-31
  - control: access/pod-security
    scope: { namespaceLabel: e2e-run, user: e2e }
    reason: further namespaces of a test carry the label of the run only
    owner: bench
    expires: 2099-12-31
  - control: network/default-deny
    scope: { namespaceLabel: e2e-framework, user: e2e }
    reason: the end-to-end tests expect namespaces that are open until a policy closes them
    owner: bench
    expires: 2099-12-31
  - control: network/default-deny
    scope: { namespaceLabel: e2e-run, user: e2e }
    reason: further namespaces of a test carry the label of the run only
    owner: bench
    expires: 2099-12-31
  - control: access/no-privileged-containers
    reason: some end-to-end tests run privileged pods
    owner: bench
    expires: 2099-12-31
";

/// Runs the tests and prints what failed.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(workspace, arguments)?;
    let ground = wish.asked.prepare(workspace)?;
    let suite = ground.program("e2e.test")?;
    let skip = skipped(&wish.skip);
    let planned = Plan::of(&suite, &wish, &skip)?.agreed(&wish)?;
    let archives = images(workspace, &ground, &suite, &wish.out)?;
    let lab = Lab::boot(&ground)?;
    lab.waive("allowPrivileged: true\n", WAIVERS)?;
    let (_, made) = lab.converge("up")?;
    if !made.handed_over {
        return Err(Failure::findings(format!("not proved: {}", made.not_proved.join("; "))));
    }
    for machine in ["w1", "w2", "w3"] {
        for archive in &archives {
            let mut file =
                File::open(archive).map_err(|source| Failure::at("read", archive, &source))?;
            lab.feed(machine, "ctr -n k8s.io images import --no-unpack -", &mut file)?;
        }
    }
    let mut kubeconfig = lab.inside(&ground.ringfort);
    kubeconfig.args(["kubeconfig", "--waiver", USER, "--file"]).arg(lab.spec());
    let kubeconfig = process::capture(&mut kubeconfig)?;
    run(&lab, &wish, &suite, Path::new(kubeconfig.trim()), (&skip, planned))
}

struct Wish {
    asked: Asked,
    focus: String,
    skip: String,
    left_out: usize,
    wanted: Option<usize>,
    minutes: String,
    out: PathBuf,
}

impl Wish {
    fn read(workspace: &Workspace, arguments: &[&str]) -> Result<Self> {
        let mut wish = Self {
            asked: Asked::usual(),
            focus: r"\[Conformance\]".to_owned(),
            skip: String::new(),
            left_out: 0,
            wanted: None,
            minutes: "240".to_owned(),
            out: workspace.target()?.join("conformance"),
        };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let value = arguments.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
            match argument {
                option if wish.asked.takes(option, value) => {}
                "--focus" => wish.focus = value.to_owned(),
                "--skip" => wish.skip = value.to_owned(),
                "--left-out" => {
                    wish.left_out = value.parse().map_err(|_| Failure::usage(USAGE))?;
                }
                "--wanted" => {
                    wish.wanted = Some(value.parse().map_err(|_| Failure::usage(USAGE))?);
                }
                "--minutes" => {
                    wish.minutes =
                        value.parse::<u32>().map_err(|_| Failure::usage(USAGE))?.to_string();
                }
                "--out" => wish.out = PathBuf::from(value),
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{USAGE}"))),
            }
        }
        Ok(wish)
    }
}

/// What would run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Plan {
    /// Tests of the focus.
    focused: usize,
    /// Those of them that are not skipped.
    planned: usize,
}

impl Plan {
    /// Asks the suite, which runs nothing.
    fn of(suite: &Path, wish: &Wish, skip: &str) -> Result<Self> {
        Ok(Self {
            focused: counted(suite, &wish.focus, "")?,
            planned: counted(suite, &wish.focus, skip)?,
        })
    }

    /// Gives how many tests have to run, if that is what was wanted: an expression that means less than it
    /// should must not pass for a suite that passed.
    fn agreed(self, wish: &Wish) -> Result<usize> {
        let Self { focused, planned } = self;
        let focus = &wish.focus;
        if focused == 0 {
            return Err(Failure::findings(format!("the suite has no test of {focus:?}")));
        }
        if let Some(wanted) = wish.wanted.filter(|wanted| *wanted != focused) {
            return Err(Failure::findings(format!(
                "the suite has {focused} tests of {focus:?}, and {wanted} are wanted"
            )));
        }
        let left_out = focused.saturating_sub(planned);
        if left_out != wish.left_out {
            return Err(Failure::findings(format!(
                "{planned} of {focused} tests of {focus:?} would run: {left_out} are left out, and {} are to \
                 be; if that is on purpose, say --left-out {left_out}",
                wish.left_out
            )));
        }
        Ok(planned)
    }
}

/// Counts the tests that would run.
fn counted(suite: &Path, focus: &str, skip: &str) -> Result<usize> {
    let mut ask = Command::new(suite);
    ask.args(["--provider=skeleton", "--ginkgo.dry-run", "--ginkgo.no-color"]).current_dir("/");
    ask.arg("--ginkgo.focus").arg(focus);
    if !skip.is_empty() {
        ask.arg("--ginkgo.skip").arg(skip);
    }
    Ok(Outcome::read(&process::capture(&mut ask)?).ran)
}

/// Makes the archives of what the tests' pods run.
fn images(
    workspace: &Workspace,
    ground: &Ground,
    suite: &Path,
    out: &Path,
) -> Result<Vec<PathBuf>> {
    let agnhost = ground.program("agnhost")?;
    let listed = process::capture(Command::new(suite).arg("--list-images").current_dir("/"))?;
    let wanted: Vec<&str> = listed.lines().filter(|line| is_makable(line)).collect();
    let script = workspace.root().join("xtask/src/bench/conformance/images.sh");
    let mut make = Command::new("sh");
    make.arg(script).arg(out.join(format!("images-{}", ground.kubernetes))).arg(agnhost);
    let made = process::capture(make.args(wanted))?;
    Ok(made.lines().map(PathBuf::from).collect())
}

/// The images of upstream's list that are made here.
const MAKABLE: [&str; 5] = ["agnhost", "busybox", "glibc-dns-testing", "httpd", "nginx"];

fn is_makable(reference: &str) -> bool {
    MAKABLE.iter().any(|name| reference.contains(&format!("e2e-test-images/{name}:")))
}

/// Runs what is not skipped: as many tests as were planned.
fn run(
    lab: &Lab<'_>,
    wish: &Wish,
    suite: &Path,
    kubeconfig: &Path,
    (skip, planned): (&str, usize),
) -> Result<()> {
    fs::create_dir_all(&wish.out).map_err(|source| Failure::at("make", &wish.out, &source))?;
    let log = wish.out.join("e2e.log");
    let file = File::create(&log).map_err(|source| Failure::at("write", &log, &source))?;
    let again = file.try_clone().map_err(|source| Failure::at("write", &log, &source))?;
    let mut tests = lab.inside(suite);
    tests.arg("--kubeconfig").arg(kubeconfig).arg("--provider=skeleton");
    tests.arg("--kubectl-path").arg(lab.ground.bundle.join("files/kubectl"));
    tests.arg("--ginkgo.focus").arg(&wish.focus);
    if !skip.is_empty() {
        tests.arg("--ginkgo.skip").arg(skip);
    }
    tests.arg(format!("--ginkgo.timeout={}m", wish.minutes));
    tests.args(["--ginkgo.no-color", "--disable-log-dump"]);
    tests.arg("--report-dir").arg(&wish.out);
    eprintln!("running the tests; their output is in {}", log.display());
    let began = Instant::now();
    let ended = process::run(tests.stdout(Stdio::from(file)).stderr(Stdio::from(again)));
    let text = fs::read_to_string(&log).map_err(|source| Failure::at("read", &log, &source))?;
    let outcome = Outcome::read(&text);
    println!(
        "{}\n{} minutes",
        outcome.markdown(&lab.ground.kubernetes),
        began.elapsed().as_secs() / 60
    );
    if let Some(why) = outcome.fault(planned) {
        return Err(Failure::findings(format!("{why}: {}", log.display())));
    }
    ended.map_err(|_| Failure::findings(format!("not all tests passed: {}", log.display())))
}

/// Adds to what is left out the tests of a protocol that this kernel does not speak: their pods end.
fn skipped(wanted: &str) -> String {
    let _ = Command::new("modprobe").arg("sctp").output();
    let speaks = fs::read_to_string("/proc/net/protocols")
        .is_ok_and(|protocols| protocols.lines().any(|line| line.starts_with("SCTP")));
    if speaks {
        return wanted.to_owned();
    }
    eprintln!("this kernel has no SCTP: tests of Feature:SCTPConnectivity are left out");
    [wanted, "SCTPConnectivity"]
        .iter()
        .filter(|it| !it.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join("|")
}

/// What the tests came to.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    ran: usize,
    /// Names of tests that failed, each with how it failed.
    failed: BTreeMap<String, String>,
}

impl Outcome {
    /// Reads ginkgo's summary at the end of its output.
    fn read(text: &str) -> Self {
        let (mut outcome, mut is_summary) = (Self::default(), false);
        for line in text.lines().map(str::trim) {
            is_summary |= line.starts_with("Summarizing ");
            if let Some(rest) = line.strip_prefix("Ran ") {
                let number = rest.split_whitespace().next().and_then(|word| word.parse().ok());
                outcome.ran = number.unwrap_or_default();
            }
            let Some((how, name)) = line.strip_prefix('[').and_then(|rest| rest.split_once("] "))
            else {
                continue;
            };
            // `[FAIL] [sig-node] Pods [It] should … [Conformance]`, once for each test.
            if is_summary && matches!(how, "FAIL" | "PANICKED!" | "TIMEDOUT" | "INTERRUPTED") {
                outcome.failed.insert(name.to_owned(), how.to_owned());
            }
        }
        outcome
    }

    /// Says what keeps it from being a success: a test that failed, or that never ran.
    fn fault(&self, planned: usize) -> Option<String> {
        if !self.failed.is_empty() {
            return Some("not all tests passed".to_owned());
        }
        (self.ran != planned).then(|| format!("{} tests ran, and {planned} had to", self.ran))
    }

    fn markdown(&self, kubernetes: &str) -> String {
        let passed = self.ran.saturating_sub(self.failed.len());
        let mut text = format!("Kubernetes {kubernetes}: {passed} of {} tests passed", self.ran);
        self.failed.iter().for_each(|(name, how)| text.push_str(&format!("\n- {how}: {name}")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Plan, Wish, is_makable};
    use crate::bench::lab::Asked;

    fn wish(left_out: usize, wanted: Option<usize>) -> Wish {
        let (focus, skip) = ("Netpol".to_owned(), String::new());
        let (minutes, out) = (String::new(), "out".into());
        Wish { asked: Asked::usual(), focus, skip, left_out, wanted, minutes, out }
    }

    #[test]
    fn what_would_run_is_what_is_wanted_or_nothing_runs() {
        let check = |focused, planned, wish: &Wish, expected: Result<usize, &str>| {
            let agreed = Plan { focused, planned }.agreed(wish);
            match (agreed, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(failure), Err(part)) => {
                    let said = failure.to_string();
                    assert!(said.contains(part) && failure.exit() == 1, "{said}");
                }
                (agreed, expected) => panic!("{agreed:?}, not {expected:?}"),
            }
        };
        check(51, 51, &wish(0, None), Ok(51));
        check(51, 48, &wish(3, Some(51)), Ok(48));
        check(51, 48, &wish(0, None), Err("say --left-out 3"));
        check(51, 51, &wish(3, None), Err("0 are left out, and 3 are to be"));
        check(51, 49, &wish(3, None), Err("say --left-out 2"));
        check(48, 48, &wish(0, Some(51)), Err("has 48 tests of \"Netpol\", and 51 are wanted"));
        check(0, 0, &wish(0, None), Err("has no test"));
    }

    #[test]
    fn a_test_that_never_ran_is_a_fault() {
        let ran = |ran| Outcome { ran, ..Outcome::default() };
        assert_eq!(ran(48).fault(48), None);
        assert_eq!(ran(47).fault(48).unwrap(), "47 tests ran, and 48 had to");
        assert!(Outcome::read("panic: no such flag").fault(48).is_some());
        let failed = [("a".to_owned(), "FAIL".to_owned())].into();
        assert!(Outcome { ran: 48, failed }.fault(48).is_some());
    }

    #[test]
    fn a_summary_is_read_and_no_summary_is_no_pass() {
        let text = "• [FAILED] [5.1 seconds]\n[INTERRUPTED] by a user\nSummarizing 1 Failure:\n  \
                    [FAIL] [sig-node] Pods [It] should work [Conformance]\n  k8s/pods.go:7\n\n\
                    Ran 12 of 7000 Specs in 61.2 seconds\nFAIL! -- 11 Passed | 1 Failed\n";
        let found = Outcome::read(text);
        assert_eq!((found.ran, found.failed.len()), (12, 1));
        let said = found.markdown("1.37");
        assert!(
            said.starts_with("Kubernetes 1.37: 11 of 12 tests passed\n- FAIL: [sig-node]"),
            "{said}"
        );
        assert_eq!(Outcome::read("panic: no such flag"), Outcome::default());
    }

    #[test]
    fn only_what_can_be_made_here_is_made() {
        assert!(is_makable("registry.k8s.io/e2e-test-images/agnhost:2.66.1"));
        assert!(is_makable("registry.k8s.io/e2e-test-images/busybox:1.37.0-2"));
        assert!(is_makable("registry.k8s.io/e2e-test-images/nginx:1.14-4"));
        assert!(!is_makable("registry.k8s.io/e2e-test-images/sample-apiserver:1.29.2"));
    }
}
