//! `ringfort audit sigma`: makes detections of one's own of Sigma rules.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ringfort_audit::sigma::{Components, detection};
use ringfort_controls::yaml;
use ringfort_facts::manifest;
use serde_json::{Value, json};

use crate::cli::files::{self, Unread};
use crate::cli::{Fault, print};

/// Make detections of your own of Sigma rules about Kubernetes' audit log
///
/// Writes the file that --own reads, and `audit.own` in cluster.yaml names: each rule with what it needs to be written
/// down, an expression in CEL, and examples that are found and that are not, tried before it is written. What a rule
/// says that cannot be said is told on standard error, and that rule is left out whole: fields that are none of an audit
/// event, words anywhere in it, counts, `cidr`, several rules together. A rule that names a resource and no part of it is
/// about the resource alone. Patches are judged by what they made of the object.
///
/// Exit codes: 0 all rules were made, 2 usage, or a file cannot be read, 3 some were left out.
#[derive(Args)]
pub struct SigmaArgs {
    /// Rules, or directories of them: .yml and .yaml
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Judge also what the cluster's own components do; the audit log grows by it
    #[arg(long)]
    components: bool,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read.
pub fn run(args: &SigmaArgs) -> Result<ExitCode, Fault> {
    let components = if args.components { Components::Judged } else { Components::Spared };
    let (mut made, mut left_out) = (BTreeMap::<String, (PathBuf, Value)>::new(), 0_usize);
    for file in rules(&args.paths)? {
        let text = files::text(&file).map_err(Fault::usage)?;
        let documents =
            manifest::read(&text).map_err(|error| Fault::usage(Unread::of(&file, &error)))?;
        for document in documents {
            let why = match detection(document.value(), components) {
                Ok(one) => {
                    let id = one["id"].as_str().unwrap_or_default().to_owned();
                    match made.get(&id) {
                        None => {
                            made.insert(id, (file.clone(), one));
                            continue;
                        }
                        Some((first, _)) => {
                            format!("it would be {id}, as that of {}", first.display())
                        }
                    }
                }
                Err(why) => why,
            };
            left_out += 1;
            anstream::eprintln!("left out: {}: {}", file.display(), super::plain(&why));
        }
    }
    if made.is_empty() && left_out == 0 {
        return Err(Fault::usage("there is no rule at these paths"));
    }
    anstream::eprintln!("{} detections, {left_out} rules left out", made.len());
    let all: Vec<Value> = made.into_values().map(|(_, one)| one).collect();
    if !all.is_empty() {
        print(&yaml::document(&json!({ "detections": all })));
    }
    Ok(ExitCode::from(if left_out > 0 { 3 } else { 0 }))
}

/// Finds the files; of a directory those that are named as rules are, in their order.
fn rules(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for path in paths {
        match path.is_dir() {
            true => open.push(path.clone()),
            false => found.push(path.clone()),
        }
    }
    while let Some(directory) = open.pop() {
        let unread = |error: std::io::Error| Fault::usage(Unread::of(&directory, &error));
        for entry in std::fs::read_dir(&directory).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let path = entry.path();
            // A link may lead around in a circle.
            if entry.file_type().map_err(unread)?.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
