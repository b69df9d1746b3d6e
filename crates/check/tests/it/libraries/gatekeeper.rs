//! The suites of Gatekeeper's library: a violation is a fault.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Comes;
use super::ledger::Ledger;
use crate::guidelines::documents;
use crate::oracles::{entries, oracles};

#[test]
fn its_cases_come_to_the_same_here() {
    let Some(library) = oracles("gatekeeper-library") else { return };
    let mut ledger = Ledger::of("gatekeeper");
    for group in entries(&library).iter().filter(|it| it.is_dir()) {
        for suite in entries(group).iter().filter(|it| it.is_dir()) {
            for test in items(&read(&suite.join("suite.yaml"))[0]["tests"]) {
                items(&test["cases"])
                    .iter()
                    .for_each(|case| try_one(&mut ledger, suite, test, case));
            }
        }
    }
    ledger.close(LEAST, ALIKE);
}

/// So many suites at least have an answer.
const LEAST: usize = 18;

/// So many of a hundred cases at least come to the same.
const ALIKE: usize = 81;

fn try_one(ledger: &mut Ledger, suite: &Path, test: &Value, case: &Value) {
    let object = word(&case["object"]);
    let mut given = read(&suite.join(object));
    let name = suite.file_name().unwrap().to_str().unwrap();
    // Updates of what is there are let through by those that answer requests.
    if given[0]["kind"] == "AdmissionReview" {
        return;
    }
    for other in items(&case["inventory"]) {
        given.extend(read(&suite.join(word(other))));
    }
    let asserts = |it: &Value| {
        it["violations"] == "yes"
            || it["violations"] == true
            || it["violations"].as_i64().is_some_and(|many| many > 0)
    };
    let said =
        if items(&case["assertions"]).iter().any(asserts) { Comes::Fail } else { Comes::Pass };
    let file = object.rsplit('/').next().unwrap();
    ledger.try_case(
        name,
        &format!("{}/{}/{file}", word(&test["name"]), word(&case["name"])),
        said,
        &given,
    );
}

fn read(file: &Path) -> Vec<Value> {
    documents(
        &fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
    )
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
