//! `ringfort check`: judges what somebody means to give to a cluster, before it is there.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use ringfort_check::pods::{Judged, Level, NotAVersion, Policy, Reported, Verdict, Version, pods};
use ringfort_facts::yaml;
use serde_json::Value;

use super::files::{self, Unread};
use super::{Fault, print};

/// Judge manifests before they reach a cluster
///
/// Speaks to no cluster and opens no connection.
#[derive(Args)]
pub struct CheckArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Pods(PodsArgs),
}

/// Judge pods by Kubernetes' Pod Security Standards
///
/// Reads Pods and everything that makes pods of a template, in YAML or JSON. Checks have the names that
/// Kubernetes' own admission gives them. What Kubernetes could not read is unknown, never passed.
///
/// Exit codes: 0 every pod passed, 1 one failed, 2 usage, or a file that was named cannot be read, 3 a pod or a
/// file below a directory could not be judged.
#[derive(Args)]
struct PodsArgs {
    /// Files of manifests, directories of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The level: privileged, baseline or restricted
    #[arg(long, default_value = "restricted")]
    level: Level,
    /// Whose rules hold: a minor such as v1.36, or latest
    #[arg(long, value_name = "VERSION", default_value = "latest", value_parser = version)]
    kubernetes: Version,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: each pod that did not pass, and what to write instead
    Table,
    /// A list with an object for each pod: file, document, pod, verdict, checks
    Json,
}

/// Reads a version as Kubernetes' labels write it, or as cluster.yaml does, without the `v`.
fn version(text: &str) -> Result<Version, NotAVersion> {
    text.parse().or_else(|fault| format!("v{text}").parse().map_err(|_| fault))
}

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<ExitCode, Fault> {
    let What::Pods(args) = &args.what;
    let mut found = Found::default();
    let policy = Policy { level: args.level, version: args.kubernetes };
    for path in &args.paths {
        found.look(path, policy)?;
    }
    found.unread.iter().for_each(|unread| eprintln!("error: {unread}"));
    match args.format {
        Format::Json => print(&format!("{}\n", found.json().map_err(Fault::unable)?)),
        Format::Table => print(&found.people(policy)),
    }
    Ok(ExitCode::from(found.code()))
}

/// A pod, and what came of judging it.
struct One {
    kind: &'static str,
    reported: Reported,
    judged: Judged,
}

/// What was found in all files.
#[derive(Default)]
struct Found {
    pods: Vec<One>,
    unread: Vec<Unread>,
}

impl Found {
    /// Looks at a file, or at all below a directory. What cannot be read is told at the end, unless it was
    /// named itself.
    fn look(&mut self, path: &std::path::Path, policy: Policy) -> Result<(), Fault> {
        let is_named = !path.is_dir();
        for file in files::manifests(path).map_err(Fault::usage)? {
            let read = files::text(&file).and_then(|text| {
                yaml::documents::<Value>(&text).map_err(|error| Unread::of(&file, &error))
            });
            match read {
                Ok(documents) => self.judge(&file.display().to_string(), &documents, policy),
                Err(unread) if is_named => return Err(Fault::usage(unread)),
                Err(unread) => self.unread.push(unread),
            }
        }
        Ok(())
    }

    fn judge(&mut self, file: &str, documents: &[Value], policy: Policy) {
        for (document, value) in documents.iter().enumerate() {
            self.pods.extend(pods(value).iter().map(|pod| {
                let judged = pod.judge(policy);
                let reported = Reported::of(file, document, pod, &judged);
                One { kind: pod.kind(), reported, judged }
            }));
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.pods.iter().filter(|one| one.reported.verdict == verdict).count()
    }

    fn code(&self) -> u8 {
        match (self.count(Verdict::Fail), self.count(Verdict::Unknown) + self.unread.len()) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    fn json(&self) -> Result<String, serde_json::Error> {
        let reported: Vec<&Reported> = self.pods.iter().map(|one| &one.reported).collect();
        serde_json::to_string_pretty(&reported)
    }

    fn people(&self, policy: Policy) -> String {
        let mut text = String::new();
        for one in self.pods.iter().filter(|one| one.reported.verdict != Verdict::Pass) {
            let One { kind, reported: Reported { file, document, pod, .. }, judged } = one;
            text.push_str(&format!("{file}, document {document}: {kind} {pod}\n"));
            for failure in &judged.failures {
                text.push_str(&format!("  {}: {}\n", failure.check, failure.asks));
                text.extend(failure.faults.iter().map(|fault| format!("    {fault}\n")));
            }
            text.extend(judged.unreadable.iter().map(|it| format!("  cannot be read: {it}\n")));
            text.push('\n');
        }
        text.push_str(&format!(
            "{} {}: passed {}, failed {}, unknown {}\n",
            policy.level,
            policy.version,
            self.count(Verdict::Pass),
            self.count(Verdict::Fail),
            self.count(Verdict::Unknown)
        ));
        text
    }
}
