//! The suites of Gatekeeper's library: a violation is a fault.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

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
const LEAST: usize = 22;

/// So many of a hundred cases at least come to the same.
const ALIKE: usize = 95;

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
    given.extend(read(&suite.join(word(&test["constraint"]))).iter().filter_map(conventions));
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

/// Gives what a constraint's parameters have a site agree on.
fn conventions(constraint: &Value) -> Option<Value> {
    let parameters = &constraint["spec"]["parameters"];
    let matched = items(&constraint["spec"]["match"]["kinds"]);
    let kinds: Vec<&Value> = matched.iter().flat_map(|it| items(&it["kinds"])).collect();
    let asked = |part: &str| -> Vec<Value> {
        let all = items(&parameters[part]).iter();
        all.map(|it| json!({"kinds": kinds, "key": it["key"], "like": it["allowedRegex"]}))
            .collect()
    };
    let (labels, annotations) = (asked("labels"), asked("annotations"));
    let mut limits = Map::new();
    for resource in ["cpu", "memory"] {
        // A limit below nothing is none that is wanted.
        if let Some(most) = parameters[resource].as_str().filter(|it| !it.starts_with('-')) {
            limits.insert(resource.to_owned(), json!({"most": most}));
        }
    }
    let is_ranged = matches!(word(&parameters["rule"]), "MayRunAs" | "MustRunAs");
    let range = |it: &Value| json!({"least": it["min"], "most": it["max"]});
    let groups = is_ranged.then(|| items(&parameters["ranges"]).iter().map(range).collect());
    let groups: Option<Vec<Value>> = groups.filter(|_| constraint["kind"] == "K8sPSPFSGroup");
    let is_any = !labels.is_empty() || !annotations.is_empty() || !limits.is_empty();
    (is_any || groups.is_some()).then(|| {
        json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
            "metadata": {"name": "site"}, "spec": {"labels": labels, "annotations": annotations,
                "resources": {"limits": limits}, "groups": groups}})
    })
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
