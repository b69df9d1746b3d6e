//! `cargo xtask generate`: writes what can be derived from the built command, or compares it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process;
use crate::workspace::Workspace;

/// Where the reference of the command line is kept.
const REFERENCE: &str = "docs/reference.md";
/// Where the schema of `cluster.yaml` is kept.
const SCHEMA: &str = "schema/cluster.json";
/// Where the schema of what `check --format json` writes is kept.
const REPORT: &str = "schema/check.json";
/// Where the schema of what `fix --json` writes is kept.
const FIXES: &str = "schema/fix.json";
/// Where it is kept which control answers for which recommendation.
const COVERAGE: &str = "docs/cis-2.0.1.md";
/// The same for an earlier release of the benchmark.
const EARLIER: &str = "docs/cis-1.12.md";
/// The same for requirements of DISA's guide.
const REQUIREMENTS: &str = "docs/stig-v1r6.md";
/// The same for controls of NIST's catalogue.
const CONTROLS: &str = "docs/nist-800-53.md";
/// The same for the guidance of NSA and CISA.
const GUIDANCE: &str = "docs/nsa-cisa.md";
/// The same for the ten of OWASP.
const TEN: &str = "docs/owasp-2025.md";

/// Writes every derived file, or, with `--check`, says which ones are out of date.
pub(crate) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let check = match arguments {
        [] => false,
        ["--check"] => true,
        _ => return Err(Failure::usage("usage: cargo xtask generate [--check]")),
    };
    let command = command(workspace)?;
    let derived = [
        (REFERENCE, reference(&command)?),
        (SCHEMA, schema(&command, "cluster")?),
        (REPORT, schema(&command, "check")?),
        (FIXES, schema(&command, "fix")?),
        (COVERAGE, coverage(&command, "cis-2.0.1")?),
        (EARLIER, coverage(&command, "cis-1.12")?),
        (REQUIREMENTS, coverage(&command, "stig-v1r6")?),
        (CONTROLS, coverage(&command, "nist-800-53")?),
        (GUIDANCE, coverage(&command, "nsa")?),
        (TEN, coverage(&command, "owasp-2025")?),
    ];
    let mut stale = Vec::new();
    for (name, text) in derived {
        let path = workspace.root().join(name);
        if fs::read_to_string(&path).is_ok_and(|kept| kept == text) {
            continue;
        }
        if check {
            stale.push(name);
        } else {
            write(&path, &text)?;
            eprintln!("wrote {name}");
        }
    }
    match stale.as_slice() {
        [] => Ok(()),
        names => Err(Failure::findings(format!(
            "out of date: {}; run `cargo xtask generate` and look at the difference",
            names.join(", ")
        ))),
    }
}

/// The command, built if it is not yet.
pub(crate) fn command(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let mut build = workspace.cargo(&["build", "--quiet", "--workspace", "--all-targets"]);
    process::run(build.arg("--locked").stdout(std::io::stderr()))?;
    Ok(workspace.built("debug")?.join("ringfort"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|source| Failure::at("make", directory, &source))?;
    }
    fs::write(path, text).map_err(|source| Failure::at("write", path, &source))
}

fn schema(command: &Path, of: &str) -> Result<String> {
    process::capture(Command::new(command).args(["schema", of]))
}

/// Which control answers for which recommendation or requirement.
fn coverage(command: &Path, of: &str) -> Result<String> {
    let page = process::capture(Command::new(command).args(["explain", of]))?;
    Ok(format!("<!-- Written by `cargo xtask generate`; change the rows instead. -->\n\n{page}"))
}

/// The help of the command and of every command below it, as one page.
fn reference(command: &Path) -> Result<String> {
    let mut page = String::from(
        "<!-- Written by `cargo xtask generate`; change the help texts instead. -->\n\n# Command line\n",
    );
    describe(command, &[], &mut page)?;
    Ok(page)
}

fn describe(command: &Path, path: &[&str], page: &mut String) -> Result<()> {
    let mut asked = Command::new(command);
    let help = process::capture(asked.args(path).arg("--help").env("COLUMNS", "100"))?;
    let name = ["ringfort"].iter().chain(path).copied().collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim()));
    for below in commands(&help) {
        describe(command, &[path, &[below]].concat(), page)?;
    }
    Ok(())
}

/// The names under `Commands:` in a help text.
fn commands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_help() {
        let help = "Does things\n\nUsage: x\n\nCommands:\n  up    makes\n        goes on here\n  down  undoes\n  help  Print this\n\nOptions:\n  -h, --help  Print\n";
        assert_eq!(commands(help), ["up", "down"]);
        assert_eq!(commands("Usage: x\n\nOptions:\n  -h\n"), Vec::<&str>::new());
    }
}
