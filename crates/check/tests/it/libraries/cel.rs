//! The controls of Kubescape's library of admission policies: a request that is refused or warned of is a fault.
//! Its cases name templates and what is changed in them; the templates here are our own, of the same shape.

use std::fs;

use serde_json::{Map, Value, json};

use super::Comes;
use super::ledger::Ledger;
use crate::guidelines::documents;
use crate::oracles::{entries, oracles};

#[test]
fn its_cases_come_to_the_same_here() {
    let Some(library) = oracles("cel-admission-library") else { return };
    let templates = documents(include_str!("templates.yaml"));
    let site = json!({"apiVersion": "check.ringfort.dev/v1", "kind": "Conventions",
        "metadata": {"name": "site"}, "spec": {"registries": REGISTRIES,
            "resources": {"requests": {"cpu": {"least": "100m"}}, "limits": {"cpu": {"most": "4"}}}}});
    let mut ledger = Ledger::of("cel");
    for control in entries(&library).iter().filter(|it| it.is_dir()) {
        let tests = fs::read_to_string(control.join("tests.json")).unwrap();
        let tests: Vec<Value> = serde_json::from_str(&tests).unwrap();
        for (number, test) in tests.iter().enumerate() {
            let name = test["template"].as_str().unwrap().trim_end_matches(".yaml");
            let template =
                templates.iter().find(|it| it["metadata"]["annotations"]["template"] == name);
            let mut object =
                template.unwrap_or_else(|| panic!("there is no template {name}")).clone();
            for change in test["field_change_list"].as_array().into_iter().flatten() {
                let (path, value) = change.as_str().unwrap().split_once('=').unwrap();
                set(&mut object, path, value);
            }
            let said = if test["expected"] == "pass" { Comes::Pass } else { Comes::Fail };
            let rule = control.file_name().unwrap().to_str().unwrap();
            ledger.try_case(rule, &format!("{number}"), said, &[object, site.clone()]);
        }
    }
    ledger.close(LEAST, ALIKE);
}

/// Registries that its cases take for agreed on, as they do bounds of processors.
const REGISTRIES: [&str; 2] = ["docker.io", "gcr.io"];

/// So many controls at least have an answer.
const LEAST: usize = 27;

/// So many of a hundred cases at least come to the same.
const ALIKE: usize = 97;

/// Writes a value, with all that leads to it. One that is no YAML is a text.
fn set(object: &mut Value, path: &str, text: &str) {
    let value = documents(text).into_iter().next().unwrap_or_default();
    let mut place = object;
    for step in path.split('.') {
        place = match step.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(index) => {
                let index: usize = index.parse().unwrap();
                if !place.is_array() {
                    *place = json!([]);
                }
                let list = place.as_array_mut().unwrap();
                while list.len() <= index {
                    list.push(json!({}));
                }
                &mut list[index]
            }
            None => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                place.as_object_mut().unwrap().entry(step).or_insert(Value::Null)
            }
        };
    }
    *place = value;
}
