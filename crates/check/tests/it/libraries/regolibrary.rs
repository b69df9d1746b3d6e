//! The rules of Kubescape's regolibrary: an expected alert is a fault, an empty list none.

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
            let said = match expected.as_array() {
                Some(alerts) if !alerts.is_empty() => Comes::Fail,
                _ => Comes::Pass,
            };
            let mut given = vec![site.clone()];
            let input = case.join("input");
            for file in files(&input) {
                given.extend(documents(&fs::read_to_string(file).unwrap()));
            }
            ledger.try_case(name(rule), name(&case), said, &given);
        }
    }
    ledger.close(LEAST, ALIKE);
}

/// So many rules at least have an answer.
const LEAST: usize = 110;

/// So many of a hundred cases at least come to the same.
const ALIKE: usize = 90;

fn files(directory: &Path) -> Vec<PathBuf> {
    let below = if directory.is_dir() { entries(directory) } else { Vec::new() };
    below.into_iter().flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] }).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
