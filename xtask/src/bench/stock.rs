//! `cargo xtask bench stock`: `ringfort check` on a cluster that kubeadm made as it comes, by its administrator's
//! kubeconfig and over SSH, with kube-bench on the same machines.
//!
//! What is not decided is told with the fact that is missing. Fewer decided recommendations than are promised fail the run.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

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
    match report.decided() {
        enough if enough >= PROMISED => Ok(()),
        few => Err(Failure::findings(format!("{few} are decided, and {PROMISED} are promised"))),
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
        Some(Self { counts, unknown })
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
    use super::Report;

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
}
