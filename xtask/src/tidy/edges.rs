//! Which room may know which, and which guests have one host. Pure.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Violation;

/// The rooms by height: a room may know those below it, never one beside or above it.
const HEIGHTS: &[&[&str]] = &[
    &["ringfort-expression", "ringfort-model", "xtask"],
    &["ringfort-audit", "ringfort-facts", "ringfort-spec"],
    &[
        "ringfort-api",
        "ringfort-controls",
        "ringfort-engine",
        "ringfort-host",
        "ringfort-pki",
        "ringfort-policy",
    ],
    &[
        "ringfort-check",
        "ringfort-forge",
        "ringfort-integrity",
        "ringfort-lab",
        "ringfort-netpol",
        "ringfort-node",
        "ringfort-prove",
        "ringfort-store",
    ],
    &["ringfort-queue"],
    &["ringfort"],
];

/// Guests that only some rooms may name.
const HOSTS: &[(&str, &[&str])] = &[
    ("async-nats", &["ringfort-queue"]),
    ("cel", &["ringfort-expression"]),
    ("kube", &["ringfort-api"]),
    ("k8s-openapi", &["ringfort-api"]),
    ("russh", &["ringfort-host"]),
    ("rcgen", &["ringfort-pki"]),
    ("x509-parser", &["ringfort-facts", "ringfort-pki"]),
    ("serde-saphyr", &["ringfort-node", "ringfort-pki", "ringfort-spec"]),
    ("granit-parser", &["ringfort-facts", "ringfort-spec"]),
    ("clap", &["ringfort"]),
];

/// Checks what each package of the workspace names in its manifest.
pub(crate) fn check(metadata: &Value) -> Vec<Violation> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Value) -> Vec<Violation> {
    let name = package["name"].as_str().unwrap_or_default();
    let file = manifest(name);
    let Some(height) = height(name) else {
        let message = format!("{name} has no height; add it to the table in xtask's tidy/edges.rs");
        return vec![Violation::new(&file, 1, message)];
    };
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .filter_map(|dependency| dependency["name"].as_str())
        .filter_map(|wanted| fault(name, height, wanted))
        .map(|message| Violation::new(&file, 1, message))
        .collect()
}

/// What is wrong with `name` depending on `wanted`, if anything.
fn fault(name: &str, own: usize, wanted: &str) -> Option<String> {
    if let Some((guest, hosts)) = HOSTS.iter().find(|(guest, _)| *guest == wanted) {
        return (!hosts.contains(&name))
            .then(|| format!("{name} names {guest}, which only {} may", hosts.join(", ")));
    }
    if name == "xtask" && wanted.starts_with("ringfort") {
        return Some("xtask depends on no room: it must build on a machine that has none".into());
    }
    (height(wanted)? >= own)
        .then(|| format!("{name} depends on {wanted}, which does not stand below it"))
}

fn height(name: &str) -> Option<usize> {
    HEIGHTS.iter().position(|rooms| rooms.contains(&name))
}

fn manifest(name: &str) -> PathBuf {
    match name.strip_prefix("ringfort-") {
        Some(room) => Path::new("crates").join(room).join("Cargo.toml"),
        None if name == "ringfort" => PathBuf::from("crates/ringfort/Cargo.toml"),
        None => Path::new(name).join("Cargo.toml"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check_edge(name: &str, kind: &Value, wanted: &str, expected: Option<&str>) {
        let package = json!({"name": name, "dependencies": [{"name": wanted, "kind": kind}]});
        let found = check(&json!({"packages": [package]}));
        let found = found.first().map(|violation| violation.message.as_str());
        assert_eq!(found, expected, "{name} -> {wanted}");
    }

    #[test]
    fn rooms_know_only_what_is_below() {
        check_edge("ringfort-forge", &Value::Null, "ringfort-spec", None);
        check_edge(
            "ringfort-forge",
            &Value::Null,
            "ringfort-prove",
            Some("ringfort-forge depends on ringfort-prove, which does not stand below it"),
        );
        check_edge(
            "ringfort-model",
            &json!("build"),
            "ringfort-spec",
            Some("ringfort-model depends on ringfort-spec, which does not stand below it"),
        );
        check_edge("ringfort-controls", &Value::Null, "ringfort-facts", None);
    }

    #[test]
    fn guests_keep_to_their_hosts_and_tests_may_name_anything() {
        check_edge(
            "ringfort-prove",
            &Value::Null,
            "kube",
            Some("ringfort-prove names kube, which only ringfort-api may"),
        );
        check_edge("ringfort-prove", &json!("dev"), "kube", None);
    }

    #[test]
    fn a_room_without_a_height_is_named() {
        check_edge(
            "ringfort-attic",
            &Value::Null,
            "serde",
            Some("ringfort-attic has no height; add it to the table in xtask's tidy/edges.rs"),
        );
    }
}
