//! `ringfort check pods`: judges pods by the Pod Security Standards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ringfort_check::pods::{Judged, Pod, Reported, Verdict, pods};
use ringfort_facts::manifest::{self, Document};
use ringfort_model::pod_security::{Level, NotAVersion, Policy, Version};
use ringfort_spec::{Problem, Report};

use super::{drawn, place};
use crate::cli::files::{self, Unread};
use crate::cli::{Fault, print, sources};

/// Judge pods by Kubernetes' Pod Security Standards
///
/// Reads Pods and everything that makes pods of a template, in YAML or JSON. Checks have the names that
/// Kubernetes' own admission gives them. What Kubernetes could not read is unknown, never passed.
///
/// Exit codes: 0 every pod passed, 1 one failed, 2 usage, or a file that was named cannot be read, 3 a pod or a
/// file below a directory could not be judged.
#[derive(Args)]
pub struct PodsArgs {
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
pub fn run(args: &PodsArgs) -> Result<ExitCode, Fault> {
    let mut found = Found::default();
    let policy = Policy { level: args.level, version: args.kubernetes };
    for path in &args.paths {
        found.look(path, &args.paths, policy)?;
    }
    found.unread.iter().for_each(|unread| eprintln!("error: {unread}"));
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&found.reported).map_err(Fault::unable)?;
            print(&format!("{json}\n"));
        }
        Format::Table => print(&found.people(policy)),
    }
    Ok(ExitCode::from(found.code()))
}

/// What was found in all files.
#[derive(Default)]
struct Found {
    reported: Vec<Reported>,
    /// What is wrong, a report for each file where something is.
    wrong: Vec<Report>,
    unread: Vec<Unread>,
}

impl Found {
    /// Looks at a file, or at all below a directory. What cannot be read is told at the end, unless it was
    /// named itself.
    fn look(&mut self, path: &Path, named: &[PathBuf], policy: Policy) -> Result<(), Fault> {
        let is_named = !path.is_dir();
        let found = sources::find(path, named).map_err(Fault::usage)?;
        self.unread.extend(found.unread);
        let text = if is_named { files::text } else { files::text_found };
        let files = found.files.into_iter().map(|file| (text(&file), file));
        let built = found.built.into_iter().map(|it| (Ok(it.text), PathBuf::from(it.name)));
        for (text, file) in files.chain(built) {
            let read = text.and_then(|text| {
                let documents = manifest::read(&text).map_err(|error| Unread::of(&file, &error))?;
                Ok((text, documents))
            });
            match read {
                Ok((text, documents)) => self.judge(&file, &text, &documents, policy),
                Err(unread) if is_named => return Err(Fault::usage(unread)),
                Err(unread) => self.unread.push(unread),
            }
        }
        Ok(())
    }

    fn judge(&mut self, file: &Path, text: &str, documents: &[Document], policy: Policy) {
        let name = file.display().to_string();
        let mut problems = Vec::new();
        for document in documents {
            for pod in pods(document.value()) {
                let judged = pod.judge(policy);
                self.reported.push(Reported::of(&name, document.index(), &pod, &judged));
                problems.extend(wrong(document, &pod, &judged));
            }
        }
        if !problems.is_empty() {
            self.wrong.push(Report::new(&name, text, problems));
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.reported.iter().filter(|one| one.verdict == verdict).count()
    }

    fn code(&self) -> u8 {
        match (self.count(Verdict::Fail), self.count(Verdict::Unknown) + self.unread.len()) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    fn people(&self, policy: Policy) -> String {
        let mut text = drawn(&self.wrong);
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

/// Says what is wrong with a pod, each at its place in the text.
fn wrong(document: &Document, pod: &Pod<'_>, judged: &Judged) -> Vec<Problem> {
    let whose = format!("{} {}", pod.kind(), pod.name());
    let failed = judged.failures.iter().flat_map(|failure| {
        failure.faults.iter().map(|fault| {
            let (range, missing) = place(document, &fault.pointer);
            let label = match missing.as_str() {
                "" => whose.clone(),
                missing => format!("{whose}: {missing} is not set"),
            };
            let help = fault.remedy.to_string();
            Problem::new(failure.check, range, failure.asks).label(label).help(help)
        })
    });
    let unread = judged.unreadable.iter().map(|it| {
        let (range, _) = place(document, &it.pointer);
        Problem::new("unreadable", range, it.why.clone()).label(whose.clone())
    });
    failed.chain(unread).collect()
}
