//! The table of types is what Kubernetes publishes: `RINGFORT_OPENAPI` names the file
//! `api/openapi-spec/swagger.json` of its source, and `UPDATE_GOLDEN=1` writes the table anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ringfort_model::pod_security::Version;
use serde_json::Value;

use crate::oracles::skipped;

/// The objects that are judged.
const ROOTS: [&str; 23] = [
    "io.k8s.api.apps.v1.DaemonSet",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.batch.v1.CronJob",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.LimitRange",
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.PodTemplate",
    "io.k8s.api.core.v1.ReplicationController",
    "io.k8s.api.core.v1.ResourceQuota",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.networking.v1.Ingress",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.rbac.v1.ClusterRole",
    "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
];

/// Types that JSON has no object for.
const SINGLE: [(&str, &str); 4] = [
    ("FieldsV1", "anything"),
    ("IntOrString", "number-or-text"),
    ("Quantity", "quantity"),
    ("Time", "time"),
];

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/shape/types.txt");

#[test]
fn the_table_of_types_is_what_kubernetes_publishes() {
    let Some(path) = std::env::var_os("RINGFORT_OPENAPI") else {
        skipped("the table of types was not compared: RINGFORT_OPENAPI names no file");
        return;
    };
    let published: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let minor = Version::NEWEST;
    let mut table = format!(
        "# Written by the test of types from the OpenAPI document of Kubernetes 1.{minor}.\n"
    );
    for (name, fields) in types(&published["definitions"]) {
        table.push_str(&name);
        for (field, shape) in fields {
            table.push_str(&format!(" {field}:{shape}"));
        }
        table.push('\n');
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(TABLE, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(TABLE).unwrap(), table);
}

/// Gives every type that the roots lead to, with its fields.
fn types(definitions: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut wanted: BTreeSet<String> = ROOTS.map(str::to_owned).into();
    let mut seen = wanted.clone();
    while let Some(name) = wanted.pop_first() {
        let mut fields = BTreeMap::new();
        for (field, schema) in definitions[&name]["properties"].as_object().into_iter().flatten() {
            let (shape, reference) = shape(schema);
            fields.insert(field.clone(), shape);
            wanted.extend(reference.filter(|name| seen.insert(name.clone())));
        }
        let is_first = found.insert(last(&name).to_owned(), fields).is_none();
        assert!(is_first, "two types are called {}", last(&name));
    }
    found
}

/// Gives what stands in a field, and the type that it refers to.
fn shape(schema: &Value) -> (String, Option<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let reference = reference.trim_start_matches("#/definitions/");
        return match SINGLE.iter().find(|(name, _)| *name == last(reference)) {
            Some((_, single)) => ((*single).to_owned(), None),
            None => (last(reference).to_owned(), Some(reference.to_owned())),
        };
    }
    let around = |open, inner: &Value, close| {
        let (inner, reference) = shape(inner);
        (format!("{open}{inner}{close}"), reference)
    };
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), _) => around('[', &schema["items"], ']'),
        (Some("object"), _) => around('{', &schema["additionalProperties"], '}'),
        (Some("boolean"), _) => ("boolean".to_owned(), None),
        (Some("integer"), Some(format)) => (format.to_owned(), None),
        (Some("string"), None | Some("byte")) => ("text".to_owned(), None),
        other => panic!("{other:?} has no word in the table"),
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}
