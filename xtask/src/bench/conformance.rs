//! `cargo xtask bench conformance`: Kubernetes' own conformance tests, as they come, on a handed-over
//! cluster, under the identity of a waiver and nothing else.
//!
//! No registry is asked: the tests' program and the one that most of their pods run are built from
//! upstream's module, the rest of their images is Debian's. Tests that want other images fail, and are
//! told with the ledger's word for it. A failure that the ledger does not explain fails the run, and so does, where
//! all were to run, an explanation that nothing needs.

mod ledger;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use self::ledger::LEDGER;
use super::lab::{Asked, Ground, Lab, module};
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
  --at-once N         how many tests run at once; those that upstream calls serial run alone (3)
  --minutes N         end after so long, and tell what was found until then (240)
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       the program to make the cluster with, instead of the one that would be released
  --out DIR           where the tests' output is kept (target/conformance)";

/// The tests that upstream calls so.
const CONFORMANCE: &str = r"\[Conformance\]";

/// How many of them run at once.
const AT_ONCE: u32 = 3;

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
    let (suite, runner) = (ground.program("e2e.test")?, ground.program("ginkgo")?);
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
    let tests = Tests { runner, suite, kubeconfig: PathBuf::from(kubeconfig.trim()), skip };
    run(&lab, &wish, &tests, planned)
}

struct Wish {
    asked: Asked,
    focus: String,
    skip: String,
    left_out: usize,
    wanted: Option<usize>,
    at_once: u32,
    minutes: String,
    out: PathBuf,
}

impl Wish {
    fn read(workspace: &Workspace, arguments: &[&str]) -> Result<Self> {
        let mut wish = Self {
            asked: Asked::usual(),
            focus: CONFORMANCE.to_owned(),
            skip: String::new(),
            left_out: 0,
            wanted: None,
            at_once: AT_ONCE,
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
                "--at-once" => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    wish.at_once = number.ok_or_else(|| Failure::usage(USAGE))?;
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
    let version = process::capture(Command::new(suite).arg("--version").current_dir("/"))?;
    let module = module(&format!("k8s.io/kubernetes@{}", version.trim()))?;
    let listed = process::capture(Command::new(suite).arg("--list-images").current_dir("/"))?;
    let wanted: Vec<&str> = listed.lines().filter(|line| is_makable(line)).collect();
    let script = workspace.root().join("xtask/src/bench/conformance/images.sh");
    let mut make = Command::new("sh");
    make.arg(script).arg(out.join(format!("images-{}", ground.kubernetes)));
    make.arg(ground.program("agnhost")?).arg(ground.program("nnp")?);
    make.arg(module.join("test/images"));
    let made = process::capture(make.args(wanted))?;
    Ok(made.lines().map(PathBuf::from).collect())
}

/// The images of upstream's list that are made here.
const MAKABLE: [&str; 9] = [
    "agnhost",
    "busybox",
    "glibc-dns-testing",
    "httpd",
    "kitten",
    "nautilus",
    "nginx",
    "nonewprivs",
    "nonroot",
];

fn is_makable(reference: &str) -> bool {
    MAKABLE.iter().any(|name| reference.contains(&format!("e2e-test-images/{name}:")))
}

/// What runs, and as whom.
struct Tests {
    /// What starts several processes of the suite and gives each its tests.
    runner: PathBuf,
    suite: PathBuf,
    kubeconfig: PathBuf,
    skip: String,
}

/// Runs what is not skipped: as many tests as were planned.
fn run(lab: &Lab<'_>, wish: &Wish, what: &Tests, planned: usize) -> Result<()> {
    fs::create_dir_all(&wish.out).map_err(|source| Failure::at("make", &wish.out, &source))?;
    let log = wish.out.join("e2e.log");
    let file = File::create(&log).map_err(|source| Failure::at("write", &log, &source))?;
    let again = file.try_clone().map_err(|source| Failure::at("write", &log, &source))?;
    let mut tests = lab.inside(&what.runner);
    tests.arg(format!("--procs={}", wish.at_once)).arg("--no-color");
    tests.arg(format!("--timeout={}m", wish.minutes)).arg("--focus").arg(&wish.focus);
    if !what.skip.is_empty() {
        tests.arg("--skip").arg(&what.skip);
    }
    tests.arg(named(&what.suite, &wish.out)?).arg("--").arg("--kubeconfig").arg(&what.kubeconfig);
    tests.args(["--provider=skeleton", "--disable-log-dump"]);
    tests.arg("--kubectl-path").arg(lab.ground.bundle.join("files/kubectl"));
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
    let reach = if wish.focus == CONFORMANCE { Reach::All } else { Reach::Some };
    if let Some(why) = outcome.fault(planned, reach) {
        return Err(Failure::findings(format!("{why}: {}", log.display())));
    }
    // What the runner ends with says nothing new where tests failed, and all where none did.
    let is_told = !outcome.failed.is_empty();
    ended.or_else(|_| match is_told {
        true => Ok(()),
        false => Err(Failure::findings(format!("the tests' runner failed: {}", log.display()))),
    })
}

/// Gives the suite the ending by which its runner knows it.
fn named(suite: &Path, directory: &Path) -> Result<PathBuf> {
    let link = directory.join("e2e.test");
    if link.is_symlink() {
        fs::remove_file(&link).map_err(|source| Failure::at("remove", &link, &source))?;
    }
    symlink(suite, &link).map_err(|source| Failure::at("make", &link, &source))?;
    Ok(link)
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
    /// Tests that failed, by name.
    failed: BTreeMap<String, Failed>,
}

/// A test that failed.
#[derive(Debug, Default, Eq, PartialEq)]
struct Failed {
    /// How, in the suite's word.
    how: String,
    /// What it wrote, in plain.
    output: String,
}

impl Outcome {
    /// Reads ginkgo's output: what each test wrote, and the summary at its end.
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
                let failed = Failed { how: how.to_owned(), output: String::new() };
                outcome.failed.insert(name.to_owned(), failed);
            }
        }
        for part in text.split(BETWEEN_TESTS) {
            let mut lines = part.lines().map(str::trim);
            let name = lines.find(|line| line.contains("• [")).and_then(|_| lines.next());
            if let Some(failed) = name.and_then(|name| outcome.failed.get_mut(name)) {
                failed.output = ledger::plain(part);
            }
        }
        outcome
    }

    /// Says what keeps it from being a success: a test that failed for no known reason, a reason that no test
    /// needs, or a test that never ran.
    fn fault(&self, planned: usize, reach: Reach) -> Option<String> {
        if self.ran != planned {
            return Some(format!("{} tests ran, and {planned} had to", self.ran));
        }
        let is_unexplained = |failed: &&Failed| ledger::why(&failed.output).is_none();
        let unexplained = self.failed.values().filter(is_unexplained).count();
        if unexplained > 0 {
            return Some(format!("{unexplained} tests failed that the ledger does not explain"));
        }
        let needed = |part: &str| self.failed.values().any(|failed| failed.output.contains(part));
        let mut parts = LEDGER.iter().flat_map(|entry| entry.says);
        let idle = parts.find(|part| reach == Reach::All && !needed(part));
        idle.map(|part| format!("the ledger explains a failure that there is not: {part}"))
    }

    fn markdown(&self, kubernetes: &str) -> String {
        let passed = self.ran.saturating_sub(self.failed.len());
        let mut text = format!("Kubernetes {kubernetes}: {passed} of {} tests passed", self.ran);
        for (name, Failed { how, output }) in &self.failed {
            let why = ledger::why(output).unwrap_or("not explained");
            text.push_str(&format!("\n- {how}: {name}: {why}"));
        }
        text
    }
}

/// What ginkgo writes between two tests of which it has to tell more than that they passed.
const BETWEEN_TESTS: &str = "------------------------------";

/// Which tests were to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reach {
    /// All that the ledger speaks of.
    All,
    /// Some.
    Some,
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, BETWEEN_TESTS, Failed, LEDGER, Outcome, Plan, Reach, Wish, is_makable};
    use crate::bench::lab::Asked;

    fn wish(left_out: usize, wanted: Option<usize>) -> Wish {
        let (focus, skip) = ("Netpol".to_owned(), String::new());
        let (minutes, out) = (String::new(), "out".into());
        Wish {
            asked: Asked::usual(),
            focus,
            skip,
            left_out,
            wanted,
            at_once: AT_ONCE,
            minutes,
            out,
        }
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
    fn a_test_that_never_ran_or_failed_for_no_known_reason_is_a_fault() {
        let ran = |ran| Outcome { ran, ..Outcome::default() };
        assert_eq!(ran(48).fault(48, Reach::Some), None);
        assert_eq!(ran(47).fault(48, Reach::Some).unwrap(), "47 tests ran, and 48 had to");
        assert!(Outcome::read("panic: no such flag").fault(48, Reach::Some).is_some());
        let failed = |output: &str| {
            let failed = Failed { how: "FAIL".to_owned(), output: output.to_owned() };
            Outcome { ran: 48, failed: [("a".to_owned(), failed)].into() }
        };
        assert!(failed("it waited in vain").fault(48, Reach::Some).is_some());
        assert!(failed("").fault(48, Reach::Some).is_some());
        let known = LEDGER[0].says[0];
        assert_eq!(failed(known).fault(48, Reach::Some), None);
        assert!(failed(known).fault(49, Reach::Some).is_some());
        assert!(failed(known).fault(48, Reach::All).unwrap().contains(LEDGER[1].says[0]));
        assert!(ran(48).fault(48, Reach::All).unwrap().contains(known));
    }

    #[test]
    fn each_test_is_explained_by_its_own_output() {
        let one = |name: &str, output: &str| {
            format!(
                "SS\n{BETWEEN_TESTS}\n• [FAILED] [5.1 seconds]\n{name}\n  {output}\n{BETWEEN_TESTS}\nS\n"
            )
        };
        let refused = "foos.x.example.com is forbidden: User \"e2e\" cannot create resource \"foos\"\n\
                       in API group \\\"x.example.com\\\" in the\n      namespace \"a\"";
        let text = [
            one("[sig-a] writes what it made [Conformance]", refused),
            one("[sig-b] waits [Conformance]", "timed out"),
            "Summarizing 2 Failures:\n  [FAIL] [sig-a] writes what it made [Conformance]\n  \
             [TIMEDOUT] [sig-b] waits [Conformance]\nRan 2 of 9 Specs in 1 seconds"
                .to_owned(),
        ]
        .concat();
        let found = Outcome::read(&text);
        let said = found.markdown("1.37");
        assert!(
            said.contains("- FAIL: [sig-a] writes what it made [Conformance]: it writes objects"),
            "{said}"
        );
        assert!(said.contains("- TIMEDOUT: [sig-b] waits [Conformance]: not explained"), "{said}");
        assert!(found.fault(2, Reach::Some).unwrap().starts_with("1 tests failed"));
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
