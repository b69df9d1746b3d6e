//! `cargo xtask bench sabotage`: breaks each control of a real cluster in each of its ways, one after the
//! other, and sees whether its proof fails, whether others do that nobody declared, and that no kubeconfig
//! is issued.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::lab::{Asked, Ground, LAB, Lab};
use super::story::Story;
use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench sabotage [OPTIONS]

  --only TEXT         those whose name has this in it; may be given again
  --kubernetes MINOR  the minor of Kubernetes
  --bundle DIR        the bundle, other than the newest of that minor in the cache
  --binary FILE       break what this program makes, instead of the one that would be released";

/// What guards of waivers keep can be tried only where there is one.
const WAIVER: &str = "  - control: access/pod-security
    scope: { namespaceLabel: sabotaged, user: sabotage }
    reason: what waivers open is to be kept from everybody else
    owner: bench
    expires: 2099-12-31
";

/// Somebody who is told what is found, so that they can be left out.
const TOLD: &str = "audit: { tell: { machineLog: true, metrics: true } }\n";

/// An add-on, so that one can be edited.
const ADDON: (&str, &str) = (
    "addons:\n  - { name: addon, files: [addon.yaml] }\n",
    "apiVersion: v1
kind: Namespace
metadata: { name: addon }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: addon }
data: { mode: closed }
",
);

/// Breaks, and prints the table. Fails if a sabotage was not caught, or if more failed than was declared.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if arguments == ["--help"] {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(arguments)?;
    let ground = wish.asked.prepare(workspace)?;
    let results = break_all(&ground, &wish.only)?;
    println!("{}", table(&wish.asked.kubernetes, &results));
    let wrong: Vec<String> = results.iter().filter_map(Tried::complaint).collect();
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(Failure::findings(wrong.join("\n"))),
    }
}

struct Wish {
    asked: Asked,
    only: Vec<String>,
}

impl Wish {
    fn read(arguments: &[&str]) -> Result<Self> {
        let mut wish = Self { asked: Asked::usual(), only: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            let value = arguments.next().copied().ok_or_else(|| Failure::usage(USAGE))?;
            match argument {
                option if wish.asked.takes(option, value) => {}
                "--only" => wish.only.push(value.to_owned()),
                _ => return Err(Failure::usage(format!("{argument} is unknown\n{USAGE}"))),
            }
        }
        Ok(wish)
    }
}

/// One sabotage as `ringfort lab sabotage --json` lists it.
#[derive(Clone, Debug)]
struct Sabotage {
    name: String,
    about: String,
    also: BTreeSet<String>,
}

impl Sabotage {
    /// The control that is broken.
    fn control(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(control, _)| control)
    }
}

/// What came of one.
struct Tried {
    sabotage: Sabotage,
    /// The controls whose proofs failed, and those that could not be shown.
    failed: BTreeSet<String>,
    unknown: BTreeSet<String>,
    handed_over: bool,
    seconds: f64,
    /// What kept it from being tried.
    error: Option<String>,
}

impl Tried {
    fn is_caught(&self) -> bool {
        self.failed.contains(self.sabotage.control()) && !self.handed_over
    }

    /// The controls that failed though nobody said that they would.
    fn undeclared(&self) -> Vec<&str> {
        let is_declared = |control: &&String| {
            *control == self.sabotage.control() || self.sabotage.also.contains(*control)
        };
        let all = self.failed.union(&self.unknown);
        all.filter(|control| !is_declared(control)).map(String::as_str).collect()
    }

    fn complaint(&self) -> Option<String> {
        let name = &self.sabotage.name;
        match &self.error {
            Some(error) => Some(format!("{name} could not be tried: {error}")),
            None if !self.is_caught() => Some(format!("{name} was not caught")),
            None if !self.undeclared().is_empty() => {
                Some(format!("{name} also failed {}", self.undeclared().join(", ")))
            }
            None => None,
        }
    }
}

fn break_all(ground: &Ground, only: &[String]) -> Result<Vec<Tried>> {
    let lab = Lab::boot(ground)?;
    let manifest = lab.spec().with_file_name("addon.yaml");
    fs::write(&manifest, ADDON.1).map_err(|source| Failure::at("write", &manifest, &source))?;
    lab.waive(&format!("{TOLD}{}", ADDON.0), WAIVER)?;
    let mut wanted: Vec<Sabotage> = listed(&lab)?
        .into_iter()
        .filter(|one| only.is_empty() || only.iter().any(|part| one.name.contains(part)))
        .collect();
    if wanted.is_empty() {
        return Err(Failure::usage(format!("no sabotage has such a name\n{USAGE}")));
    }
    healthy(&lab)?;
    let spared = spared(&lab)?;
    wanted.retain(|one| {
        let is_spared = spared.contains(one.control());
        if is_spared {
            eprintln!("{} is left out: its control has nothing to show here", one.name);
        }
        !is_spared
    });
    let count = wanted.len();
    let mut results: Vec<Tried> = Vec::new();
    for (place, sabotage) in wanted.into_iter().enumerate() {
        let tried = try_one(&lab, sabotage)?;
        let verdict = tried.complaint().unwrap_or_else(|| "caught".to_owned());
        let name = &tried.sabotage.name;
        eprintln!("{} of {count}: {name}: {verdict} ({:.0} s)", place + 1, tried.seconds);
        // What went wrong is not carried into the next.
        if tried.error.is_some() {
            healthy(&lab)?;
        }
        results.push(tried);
    }
    healthy(&lab)?;
    Ok(results)
}

/// Sees that the cluster is well. What was broken before is put right by it.
fn healthy(lab: &Lab<'_>) -> Result<()> {
    let mut last = Vec::new();
    for _ in 0..2 {
        let (_, story) = lab.converge("up")?;
        if story.handed_over {
            return Ok(());
        }
        last = story.not_proved;
    }
    Err(Failure::findings(format!("the healthy cluster is not proved: {}", last.join("; "))))
}

/// What the event of a waiver says of one that is not limited.
const WHOLE: &str = "for the whole cluster";

/// The controls of which there is nothing to show on these machines, or which are waived as a whole.
fn spared(lab: &Lab<'_>) -> Result<BTreeSet<String>> {
    let path = lab.ground.directory.join("up.jsonl");
    let events = fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))?;
    let is_waived = |event: &Value| {
        event["event"] == "waiver" && event["holds"] == true && event["scope"] == WHOLE
    };
    let waived = controls(&events, is_waived);
    Ok(of(&events, "not-applicable").union(&waived).cloned().collect())
}

/// The controls of one verdict.
fn of(events: &str, verdict: &str) -> BTreeSet<String> {
    controls(events, |event| event["event"] == "proof" && event["verdict"] == verdict)
}

/// The controls that such events name.
fn controls(events: &str, is_such: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter(is_such)
        .filter_map(|event| event["control"].as_str().map(str::to_owned))
        .collect()
}

fn listed(lab: &Lab<'_>) -> Result<Vec<Sabotage>> {
    let printed = process::capture(&mut lab.command(&["sabotage", "--json"]))?;
    read(&printed).ok_or_else(|| Failure::stuck("the list of sabotages is none"))
}

fn read(printed: &str) -> Option<Vec<Sabotage>> {
    let list: Value = serde_json::from_str(printed).ok()?;
    let one = |value: &Value| {
        let also = value["also"].as_array()?.iter();
        Some(Sabotage {
            name: value["name"].as_str()?.to_owned(),
            about: value["about"].as_str()?.to_owned(),
            also: also.filter_map(|control| control.as_str().map(str::to_owned)).collect(),
        })
    };
    list.as_array()?.iter().map(one).collect()
}

fn try_one(lab: &Lab<'_>, sabotage: Sabotage) -> Result<Tried> {
    let mut command = lab.command(&["sabotage", LAB, &sabotage.name, "--file"]);
    command.env("RINGFORT_IDENTITY_FILE", lab.ground.directory.join("identity.txt"));
    command.arg(lab.spec()).arg("--bundle").arg(&lab.ground.bundle).arg("--json");
    let (status, events) = process::listen(&mut command)?;
    let kept = lab.ground.directory.join(format!("{}.jsonl", sabotage.name.replace('/', "-")));
    fs::write(&kept, &events).map_err(|source| Failure::at("write", &kept, &source))?;
    let story = Story::read(&events)
        .ok_or_else(|| Failure::stuck(format!("ringfort lab sabotage ended with {status}")))?;
    Ok(Tried {
        failed: of(&events, "failed"),
        unknown: of(&events, "unknown"),
        handed_over: story.handed_over,
        seconds: story.seconds,
        error: story.error,
        sabotage,
    })
}

fn table(kubernetes: &str, results: &[Tried]) -> String {
    let caught = results.iter().filter(|tried| tried.complaint().is_none()).count();
    let mut text = format!(
        "{caught} of {} sabotages of Kubernetes {kubernetes} on three control planes and three workers \
         were caught by their own proofs and no undeclared one, and no kubeconfig was issued\n\n\
         | sabotage | what is wrong | what came of it |\n|---|---|---|\n",
        results.len()
    );
    for tried in results {
        let came = tried.complaint().unwrap_or_else(|| match tried.failed.len() {
            1 => "caught".to_owned(),
            more => format!("caught, with {} declared", more - 1),
        });
        text.push_str(&format!(
            "| {} | {} | {came} |\n",
            tried.sabotage.name, tried.sabotage.about
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Tried, read};

    fn tried(failed: &[&str], unknown: &[&str], handed_over: bool) -> Tried {
        let list = r#"[{"name": "a/b/c", "about": "it is", "also": ["a/d"]}]"#;
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Tried {
            sabotage: read(list).unwrap().remove(0),
            failed: owned(failed),
            unknown: owned(unknown),
            handed_over,
            seconds: 1.0,
            error: None,
        }
    }

    #[test]
    fn only_its_own_proof_catches_a_sabotage_and_others_must_be_declared() {
        assert_eq!(tried(&["a/b"], &[], false).complaint(), None);
        assert_eq!(tried(&["a/b", "a/d"], &[], false).complaint(), None);
        for (failed, unknown, handed_over) in [
            (&["a/d"][..], &[][..], false),
            (&[], &["a/b"], false),
            (&[], &[], true),
            (&["a/b"], &[], true),
            (&["a/b", "x/y"], &[], false),
            (&["a/b"], &["x/y"], false),
        ] {
            assert!(tried(failed, unknown, handed_over).complaint().is_some());
        }
    }
}
