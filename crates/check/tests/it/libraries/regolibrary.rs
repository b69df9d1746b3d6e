//! The rules of Kubescape's regolibrary: an expected alert is a fault, an empty list none, and an alert that what is
//! asked could not be looked at is neither.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Comes;
use super::ledger::Ledger;
use crate::guidelines::documents;
use crate::oracles::{entries, oracles};

#[test]
fn its_cases_come_to_the_same_here() {
    let Some(library) = oracles("regolibrary") else { return };
    // The most that its parameters allow an agent's sandbox where nobody sets them.
    let site = json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
        "metadata": {"name": "site"}, "spec": {"resources":
            {"limits": {"cpu": {"most": "1000m"}, "memory": {"most": "512Mi"}}}}});
    let mut ledger = Ledger::of("regolibrary");
    for rule in entries(&library).iter().filter(|it| it.join("test").is_dir()) {
        for case in entries(&rule.join("test")) {
            let expected = fs::read_to_string(case.join("expected.json")).unwrap_or_default();
            let expected: Value = serde_json::from_str(&expected).unwrap_or_default();
            let mut given = vec![site.clone()];
            let parameters = parameters(&case);
            given.push(shapes(&parameters));
            given.extend(exempt(&parameters));
            let input = case.join("input");
            for file in files(&input) {
                given.extend(documents(&fs::read_to_string(file).unwrap()));
            }
            ledger.try_case(name(rule), name(&case), said(&expected), &given);
        }
    }
    ledger.close(LEAST, ALIKE);
}

/// What a case is expected to come to. Where a file could not be read it is told as an alert like any other, whose
/// message alone says so.
fn said(expected: &Value) -> Comes {
    let alerts = expected.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_blind = |alert: &Value| alert["alertMessage"] == "Failed to analyze config file";
    match alerts {
        [] => Comes::Pass,
        alerts if alerts.iter().all(is_blind) => Comes::Unknown,
        _ => Comes::Fail,
    }
}

/// What a case sets of the library's parameters.
fn parameters(case: &Path) -> Value {
    let text = fs::read_to_string(case.join("data.json")).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

/// What values of secrets look like, as a site says it: what a case sets, or what the library sets by itself. It
/// spares paths, which say where a secret is.
fn shapes(parameters: &Value) -> Value {
    let set = parameters["postureControlInputs"]["sensitiveValues"].as_array();
    let set = set.map(|all| all.iter().filter_map(Value::as_str).collect());
    let shapes: Vec<String> = set
        .unwrap_or_else(|| SHAPES.to_vec())
        .into_iter()
        .map(|shape| format!("^([^/].*)?({shape})"))
        .collect();
    json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
        "metadata": {"name": "shapes"}, "spec": {"secretValues": shapes}})
}

/// What the library takes for values of secrets where nobody sets it.
const SHAPES: [&str; 7] =
    ["BEGIN \\w+ PRIVATE KEY", "PRIVATE KEY", "eyJhbGciO", "JWT", "Bearer", "_key_", "_secret_"];

/// The registries that a case spares from digests, as a site says it. Their names are complete here.
fn exempt(parameters: &Value) -> Option<Value> {
    let spared = parameters["postureControlInputs"]["imageDigestExemptRepositories"].as_array()?;
    let spared = spared.iter().filter_map(Value::as_str);
    let whole = |name: &str| match name.split('/').next().is_some_and(|it| it.contains('.')) {
        true => name.to_owned(),
        false => format!("docker.io/{name}"),
    };
    Some(json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
        "metadata": {"name": "spared"}, "spec": {"fixedTags": spared.map(whole).collect::<Vec<_>>()}}))
}

/// So many rules at least have an answer.
const LEAST: usize = 113;

/// So many of a hundred cases at least come to the same.
const ALIKE: usize = 92;

fn files(directory: &Path) -> Vec<PathBuf> {
    let below = if directory.is_dir() { entries(directory) } else { Vec::new() };
    below.into_iter().flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] }).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
