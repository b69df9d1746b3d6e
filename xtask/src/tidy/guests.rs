//! Dependencies are guests: each has its row in ARCHITECTURE.md, and one TLS provider is enough.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::workspace::{Package, Workspace};

use super::Violation;

/// Packages that must not be in the graph, with the reason.
const UNWANTED: &[(&str, &str)] = &[
    ("ring", "a second TLS provider makes rustls panic at first use"),
    ("openssl-sys", "it would have to be found on every machine"),
    ("native-tls", "it would have to be found on every machine"),
];

/// Checks Cargo.toml, ARCHITECTURE.md and what is compiled against each other.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Violation>> {
    let manifest = read(workspace, "Cargo.toml")?;
    let architecture = read(workspace, "ARCHITECTURE.md")?;
    let mut violations = missing_rows(&manifest, &architecture);
    violations.extend(stale_rows(&manifest, &architecture));
    violations.extend(unwanted(&workspace.graph(&["--workspace"])?));
    Ok(violations)
}

fn read(workspace: &Workspace, name: &str) -> Result<String> {
    let path: PathBuf = workspace.root().join(name);
    fs::read_to_string(&path).map_err(|source| Failure::at("read", &path, &source))
}

/// Guests of the manifest that have no row.
fn missing_rows(manifest: &str, architecture: &str) -> Vec<Violation> {
    let rows: Vec<_> = rows(architecture).map(|(_, name)| name).collect();
    guests(manifest)
        .filter(|(_, name)| !rows.contains(name))
        .map(|(line, name)| {
            let message = format!("{name} has no row under Guests in ARCHITECTURE.md");
            Violation::new(Path::new("Cargo.toml"), line, message)
        })
        .collect()
}

/// Rows of guests that have left.
fn stale_rows(manifest: &str, architecture: &str) -> Vec<Violation> {
    let guests: Vec<_> = guests(manifest).map(|(_, name)| name).collect();
    rows(architecture)
        .filter(|(_, name)| !guests.contains(name))
        .map(|(line, name)| {
            let message = format!("{name} is not in Cargo.toml any more; remove its row");
            Violation::new(Path::new("ARCHITECTURE.md"), line, message)
        })
        .collect()
}

/// The names under `[workspace.dependencies]` that are not rooms of ours, with their lines.
fn guests(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    manifest.lines().zip(1..).filter_map(move |(line, number)| {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        }
        let (name, value) = line.split_once('=')?;
        let guest = inside && !line.starts_with('#') && !value.contains("path =");
        guest.then(|| (number, name.trim()))
    })
}

/// The names in the table under the heading `Guests`, with their lines.
fn rows(architecture: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    architecture.lines().zip(1..).filter_map(move |(line, number)| {
        if line.starts_with('#') {
            inside = line.trim_start_matches('#').trim() == "Guests";
        }
        let name = line.strip_prefix("| `")?.split('`').next()?;
        inside.then_some((number, name))
    })
}

/// Packages that are compiled and should not be.
fn unwanted(graph: &[Package]) -> Vec<Violation> {
    UNWANTED
        .iter()
        .filter(|(name, _)| graph.iter().any(|package| package.name == *name))
        .map(|(name, why)| {
            let message = format!("{name} is compiled in: {why}; see `cargo tree -i {name}`");
            Violation::new(Path::new("Cargo.lock"), 1, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.dependencies]\n# Guests.\nringfort-spec = { path = \"crates/spec\" }\nserde = \"1\"\ntar = { version = \"0.4\" }\n\n[profile.dev]\nopt-level = 1\n";

    fn messages(violations: &[Violation]) -> Vec<&str> {
        violations.iter().map(|violation| violation.message.as_str()).collect()
    }

    #[test]
    fn every_guest_has_a_row_and_every_row_a_guest() {
        let page = "# Guests\n\n| `serde` | why |\n| `gone` | why |\n\n# Rooms\n\n| `other` | |\n";
        assert_eq!(
            messages(&missing_rows(MANIFEST, page)),
            ["tar has no row under Guests in ARCHITECTURE.md"]
        );
        assert_eq!(
            messages(&stale_rows(MANIFEST, page)),
            ["gone is not in Cargo.toml any more; remove its row"]
        );
    }

    #[test]
    fn a_second_provider_is_found_and_a_longer_name_is_not() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT".to_owned(),
        };
        assert_eq!(unwanted(&[package("ring-map")]), []);
        let found = unwanted(&[package("ring"), package("ring-map")]);
        assert!(found[0].message.starts_with("ring is compiled in: "), "{}", found[0].message);
    }
}
