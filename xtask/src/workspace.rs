//! Where things are: the checkout, the target directory, the built command, the caches.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;

/// The target that `.cargo/config.toml` names.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the checkout that this task was started from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
            Failure::usage("start this by `cargo xtask …`, which says where the checkout is")
        })?;
        let root = Path::new(&manifest).parent().map(Path::to_owned);
        let root = root.ok_or_else(|| Failure::usage("CARGO_MANIFEST_DIR has no parent"))?;
        Ok(Self { root })
    }

    /// A copy of the checkout in another place.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo, run in the checkout.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What `cargo run` set for this task describes xtask, not what is run next.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_about_this_package) {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(&self.root);
        command
    }

    /// What Cargo says about the packages of the workspace.
    pub(crate) fn metadata(&self) -> Result<Value> {
        let mut command = self.cargo(&["metadata", "--format-version=1", "--quiet", "--no-deps"]);
        let text = process::capture(&mut command)?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::stuck(format!("cargo metadata is not JSON: {error}")))
    }

    /// Every package that `scope` compiles in, once each, sorted. Unlike the lock file it leaves out
    /// what no feature asks for.
    pub(crate) fn graph(&self, scope: &[&str]) -> Result<Vec<Package>> {
        let mut command = self.cargo(&["tree", "--quiet", "--prefix=none", "--format={p}|{l}"]);
        let printed = process::capture(command.args(scope))?;
        let mut packages: Vec<_> = printed.lines().filter_map(Package::of_line).collect();
        packages.sort();
        packages.dedup();
        Ok(packages)
    }

    /// The names of the packages of the workspace.
    pub(crate) fn packages(&self) -> Result<Vec<String>> {
        let metadata = self.metadata()?;
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let name = |package: &Value| package["name"].as_str().map(str::to_owned);
        Ok(packages.iter().filter_map(name).collect())
    }

    /// The directory of everything that Cargo makes.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let target = metadata["target_directory"].as_str().map(PathBuf::from);
        target.ok_or_else(|| Failure::stuck("cargo names no target directory"))
    }

    /// The directory of what was built in a profile (`debug`, `release`).
    pub(crate) fn built(&self, profile: &str) -> Result<PathBuf> {
        Ok(self.target()?.join(TARGET).join(profile))
    }

    /// Files that are part of the repository, relative to its root, sorted.
    ///
    /// They are found by walking, since a checkout may have come without git.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let ignored = fs::read_to_string(self.root.join(".gitignore")).unwrap_or_default();
        let mut ignored: Vec<_> = ignored.lines().map(|line| line.trim_matches('/')).collect();
        ignored.push(".git");
        let mut files = Vec::new();
        self.walk(Path::new(""), &ignored, &mut files)?;
        files.sort();
        Ok(files)
    }

    fn walk(&self, below: &Path, ignored: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
        let directory = self.root.join(below);
        let failed = |source| Failure::at("read", &directory, &source);
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type().map_err(failed)?;
            if ignored.iter().any(|name| path == Path::new(name)) {
                continue;
            } else if kind.is_dir() {
                self.walk(&path, ignored, files)?;
            } else if kind.is_file() {
                files.push(path);
            }
        }
        Ok(())
    }
}

/// A package of the graph.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version, without the letter before it.
    pub(crate) version: String,
    /// The licence it states, or nothing.
    pub(crate) licence: String,
}

impl Package {
    /// Reads a line of `cargo tree` in the format `{p}|{l}`.
    fn of_line(line: &str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split_whitespace();
        let name = words.next()?.to_owned();
        let version = words.next()?.strip_prefix('v')?.to_owned();
        // A package that was printed before is marked, after its licence.
        let licence = licence.trim_end_matches("(*)").trim().to_owned();
        Some(Self { name, version, licence })
    }
}

/// The cache of the operator's machine, which the demo and the lab fill.
pub(crate) fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache")
    });
    base.join("ringfort")
}

/// Where the lab keeps its machines.
pub(crate) fn labs() -> PathBuf {
    env::var_os("RINGFORT_LAB_DIR").map_or_else(|| "/var/lib/ringfort-lab".into(), PathBuf::from)
}

fn is_about_this_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || variable.starts_with("CARGO_MANIFEST_")
        || matches!(variable, "CARGO_CRATE_NAME" | "CARGO_BIN_NAME" | "CARGO_PRIMARY_PACKAGE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, &str, &str)>) {
        let found = Package::of_line(line);
        let found = found.as_ref().map(|package| {
            (package.name.as_str(), package.version.as_str(), package.licence.as_str())
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn packages_are_read_from_the_tree() {
        check("serde v1.0.228|MIT OR Apache-2.0", Some(("serde", "1.0.228", "MIT OR Apache-2.0")));
        check("syn v2.0.1 (proc-macro)|MIT (*)", Some(("syn", "2.0.1", "MIT")));
        check("", None);
        check("[build-dependencies]", None);
    }
}
