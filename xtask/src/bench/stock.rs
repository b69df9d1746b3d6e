//! `cargo xtask bench stock`: `ringfort check` on a cluster that kubeadm made as it comes, by its administrator's
//! kubeconfig and over SSH, with kube-bench on the same machines.
//!
//! What is not decided is told with the fact that is missing. Where the two do not agree, both are told, with the reason;
//! fewer decided recommendations than are promised fail the run, and so does a difference without a reason.

mod differences;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use self::differences::{DIFFERENCES, Difference};
use super::kube_bench::{Found, Outcome, Parts};
use super::kubeadm::{self, Addons};
use super::lab::{Asked, Lab};
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench stock [OPTIONS]

  --kubernetes MINOR  the minor of Kubernetes
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       the program that checks, instead of the one that would be released
  --out DIR           where the reports are kept (target/stock)";

/// So many of the benchmark's 131 recommendations are decided.
const PROMISED: usize = 115;
/// Where kubeadm leaves what its administrator has.
const ADMIN: &str = "/etc/kubernetes/admin.conf";

/// Makes the cluster, judges it, and prints what it came to.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let (asked, out) = Asked::with_out(workspace, arguments, USAGE, "stock")?;
    let ground = asked.prepare(workspace)?;
    let parts = Parts::build(&ground)?;
    fs::create_dir_all(&out).map_err(|source| Failure::at("make", &out, &source))?;
    let lab = Lab::boot(&ground)?;
    kubeadm::make(&lab, Addons::Usual)?;
    let keep = |name: &str, text: &str| {
        let path = out.join(name);
        fs::write(&path, text).map_err(|source| Failure::at("write", &path, &source))?;
        Ok::<_, Failure>(path)
    };
    let admin = keep("admin.conf", &lab.on("cp1", &format!("cat {ADMIN}"))?)?;
    let mut check = lab.inside(&ground.ringfort);
    check.arg("check").arg("--kubeconfig").arg(&admin).arg("--cluster").arg(unwaived(&lab)?);
    // It finds something, as it should.
    let (status, said) = process::listen(check.args(["--format", "json"]))?;
    keep("check.json", &said)?;
    let report = Report::read(&said)
        .ok_or_else(|| Failure::stuck(format!("ringfort check ended with {status}: {said}")))?;
    let beside = parts.on_machines(&lab, &out)?;
    println!("{}", report.markdown(&ground.kubernetes, &beside));
    let apart = report.apart(&beside);
    println!("{}", told(&apart));
    let mut complaints: Vec<String> = apart.iter().filter_map(Apart::complaint).collect();
    let idle = DIFFERENCES.iter().flat_map(|it| it.rows);
    let idle = idle.filter(|row| apart.iter().all(|it| it.id != **row));
    complaints.extend(idle.map(|row| format!("{row} is explained, but both say the same")));
    if report.decided() < PROMISED {
        complaints.push(format!("{} are decided, and {PROMISED} are promised", report.decided()));
    }
    match complaints.is_empty() {
        true => Ok(()),
        false => Err(Failure::findings(complaints.join("\n"))),
    }
}

/// Writes what names the machines, without how ringfort would make them and what is waived of that.
fn unwaived(lab: &Lab<'_>) -> Result<PathBuf> {
    let (from, to) = (lab.spec(), lab.spec().with_file_name("stock.yaml"));
    let text = fs::read_to_string(&from).map_err(|source| Failure::at("read", &from, &source))?;
    let text = text.split_once("runtime:\n").map_or(text.as_str(), |(before, _)| before);
    fs::write(&to, text).map_err(|source| Failure::at("write", &to, &source))?;
    Ok(to)
}

/// What `ringfort check` said.
struct Report {
    /// How many recommendations came to each verdict.
    counts: BTreeMap<String, usize>,
    /// Those that are not decided: number, what is missing, and what would supply it.
    unknown: Vec<[String; 3]>,
    /// Verdict and what is said, by the number.
    rows: BTreeMap<String, [String; 2]>,
}

/// A recommendation of which the two say different things.
#[derive(Debug, Eq, PartialEq)]
struct Apart<'a> {
    id: &'a str,
    about: &'a str,
    /// Whether kube-bench is content.
    is_held: bool,
    verdict: &'a str,
    said: &'a str,
    why: Option<&'static Difference>,
}

impl Apart<'_> {
    fn complaint(&self) -> Option<String> {
        let Self { id, verdict, about, .. } = self;
        self.why
            .is_none()
            .then(|| format!("{id} is {verdict} here, which is not explained: {about}"))
    }
}

fn told(apart: &[Apart<'_>]) -> String {
    let mut text = format!(
        "Of {} they say different things:\n\n| | what is asked | kube-bench | ringfort | which says | why |\n\
         |---|---|---|---|---|---|",
        apart.len()
    );
    for Apart { id, about, is_held, verdict, said, why } in apart {
        let word = if *is_held { "held" } else { "not content" };
        let why = why.map_or("NOT EXPLAINED", |it| it.why);
        text.push_str(&format!("\n| {id} | {about} | {word} | {verdict} | {said} | {why} |"));
    }
    text
}

impl Report {
    fn read(text: &str) -> Option<Self> {
        let report: Value = serde_json::from_str(text).ok()?;
        let rows = report["rows"].as_array()?;
        let word = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let mut counts = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(word(row, "verdict")).or_default() += 1);
        let unknown = rows.iter().filter(|row| row["verdict"] == "unknown");
        let unknown =
            unknown.map(|row| ["id", "said", "closes"].map(|name| word(row, name))).collect();
        let verdicts = rows
            .iter()
            .map(|row| (word(row, "id"), ["verdict", "said"].map(|name| word(row, name))));
        Some(Self { counts, unknown, rows: verdicts.collect() })
    }

    /// Those that kube-bench decides otherwise, on any machine.
    fn apart<'a>(&'a self, beside: &'a [Found]) -> Vec<Apart<'a>> {
        let mut decided: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
        for Found { id, about, outcome } in
            beside.iter().filter(|it| it.outcome != Outcome::LeftToPeople)
        {
            let is_held = *outcome == Outcome::Held;
            let (_, all) = decided.entry(id).or_insert((about, true));
            *all &= is_held;
        }
        let apart = decided.into_iter().filter_map(|(id, (about, is_held))| {
            let [verdict, said] = self.rows.get(id)?;
            let is_kept = matches!(verdict.as_str(), "pass" | "not-applicable");
            let is_same = if is_held { is_kept } else { verdict == "fail" };
            let why = DIFFERENCES.iter().find(|it| it.rows.contains(&id) && it.is_held == is_held);
            (!is_same).then_some(Apart { id, about, is_held, verdict, said, why })
        });
        apart.collect()
    }

    fn decided(&self) -> usize {
        self.counts.values().sum::<usize>() - self.unknown.len()
    }

    fn markdown(&self, kubernetes: &str, beside: &[Found]) -> String {
        let counted: Vec<String> =
            self.counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let of = |outcome: Outcome| beside.iter().filter(|it| it.outcome == outcome).count();
        let mut text = format!(
            "kubeadm, Kubernetes {kubernetes}: ringfort decides {} of {} recommendations ({}); kube-bench on one control \
             plane and one worker: {} held, {} not content, {} left to people\n\n| not decided | what is missing | what \
             supplies it |\n|---|---|---|",
            self.decided(),
            self.counts.values().sum::<usize>(),
            counted.join(", "),
            of(Outcome::Held),
            of(Outcome::Blamed),
            of(Outcome::LeftToPeople),
        );
        for [id, said, closes] in &self.unknown {
            text.push_str(&format!("\n| {id} | {said} | {closes} |"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{DIFFERENCES, Found, Outcome, Report};

    #[test]
    fn what_is_not_decided_is_told_with_what_is_missing() {
        let text = r#"{"rows": [
            {"id": "1.1.1", "verdict": "pass", "said": "well"},
            {"id": "1.1.2", "verdict": "fail", "said": "badly"},
            {"id": "3.1.1", "verdict": "unknown", "said": "who may is not said", "closes": "cluster.yaml"}]}"#;
        let report = Report::read(text).unwrap();
        assert_eq!(report.decided(), 2);
        let said = report.markdown("1.37", &[]);
        assert!(
            said.contains("decides 2 of 3")
                && said.contains("| 3.1.1 | who may is not said | cluster.yaml |")
        );
        assert!(Report::read("error").is_none() && Report::read("{}").is_none());
    }

    #[test]
    fn where_two_say_different_things_both_are_told() {
        let text = r#"{"rows": [
            {"id": "9.1.1", "verdict": "pass", "said": "well"}, {"id": "9.1.2", "verdict": "fail", "said": "badly"},
            {"id": "9.1.3", "verdict": "unknown", "said": "who knows"}, {"id": "9.1.4", "verdict": "fail", "said": "no"},
            {"id": "9.1.5", "verdict": "not-applicable", "said": "none"}]}"#;
        let report = Report::read(text).unwrap();
        let of = |id: &str, outcome| Found { id: id.to_owned(), about: "a".to_owned(), outcome };
        let beside = [
            of("9.1.1", Outcome::Held),
            of("9.1.1", Outcome::Blamed),
            of("9.1.2", Outcome::Blamed),
            of("9.1.3", Outcome::Held),
            of("9.1.4", Outcome::LeftToPeople),
            of("9.1.5", Outcome::Held),
            of("9.9.9", Outcome::Blamed),
        ];
        let apart = report.apart(&beside);
        let found: Vec<_> = apart.iter().map(|it| (it.id, it.is_held, it.verdict)).collect();
        assert_eq!(found, [("9.1.1", false, "pass"), ("9.1.3", true, "unknown")]);
        assert!(apart.iter().all(|it| it.complaint().is_some()));
        assert!(DIFFERENCES.iter().all(|it| !it.why.is_empty() && !it.rows.is_empty()));
    }
}
