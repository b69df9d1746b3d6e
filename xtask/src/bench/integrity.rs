//! `cargo xtask bench integrity`: what verifying files costs on one core, what a baseline takes, how an agent goes,
//! and what AIDE takes for the same tree; and on machines, whether attacks are told with who made them.

mod attacks;
mod judge;
mod lab;
mod maintenance;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::figures::{self, Bound, Promise};
use crate::failure::{Failure, Result};
use crate::packages;
use crate::process;
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench integrity [lab, see bench integrity lab --help]

Measures in the release profile, on one core, on warm trees that are written for it below the directory for
temporary files: 40,000 files of 4 KiB, then 2 GiB in large files. A baseline of a million entries is packed. As root,
an agent of the small files is told of 200 changes, and seen for 30 s without any, with the processes that run here;
and AIDE, of the distribution's
package, looks at the same small files with SHA-256: it is installed with apt-get where it is missing.
With `lab` it makes attacks and ordinary maintenance on machines, and judges what is told of them.";

/// What was promised.
const PROMISED: &[Promise] = &[
    ("/files_per_second", "files/s", Bound::Least(40_000.0)),
    ("/bytes_per_second", "bytes/s", Bound::Least(2e9)),
    ("/bytes_per_entry", "bytes an entry of a baseline", Bound::Most(120.0)),
    (
        "/agent/change_ms_median",
        "ms from a change to what is told, in the median",
        Bound::Most(100.0),
    ),
    ("/agent/idle_core_percent", "% of a core when nothing happens", Bound::Most(1.0)),
    ("/agent/memory_bytes", "bytes of memory of an agent of 40,000 files", Bound::Most(60e6)),
    ("/aide/times", "times the processor's time of ringfort, for AIDE", Bound::Least(15.0)),
];

/// Measures, and prints the table. Fails if a promise was missed, or could not be looked at.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    if let Some((&"lab", options)) = arguments.split_first() {
        return lab::task(workspace, options);
    }
    if !figures::is_asked(arguments, USAGE)? {
        return Ok(());
    }
    let program = figures::program(workspace, "ringfort-integrity")?;
    let mut found = figures::found(&mut Command::new(&program))?;
    found["aide"] = match beside(&program) {
        Ok(aide) => aide,
        Err(why) => {
            println!("  AIDE is left out: {why}");
            Value::Null
        }
    };
    if found["agent"].is_null() {
        println!("  the agent is left out: it takes root");
    }
    figures::compare(&found, PROMISED)
}

/// Has ringfort and AIDE look at the same tree. What AIDE learns of it first is not counted.
fn beside(program: &Path) -> Result<Value> {
    let directory = std::env::temp_dir().join(format!("ringfort-bench-{}", std::process::id()));
    fs::create_dir_all(&directory).map_err(|error| Failure::stuck(error.to_string()))?;
    let found = measured(program, &directory);
    // What stays is thrown away with all that is temporary.
    let _ = fs::remove_dir_all(&directory);
    found
}

fn measured(program: &Path, directory: &Path) -> Result<Value> {
    packages::install(&packages::missing_of(packages::AIDE))?;
    let own = figures::found(Command::new(program).arg("tree").arg(directory))?;
    let own = own["cpu_seconds"].as_f64().unwrap_or(f64::NAN);
    let at = |name: &str| directory.join(name).display().to_string();
    let settings = format!(
        "database_in=file:{0}\ndatabase_out=file:{1}\ngzip_dbout=no\nlog_level=error\n{2} p+u+g+s+i+n+m+c+sha256\n",
        at("known"),
        at("new"),
        at("small"),
    );
    fs::write(directory.join("aide.conf"), settings)
        .map_err(|error| Failure::stuck(error.to_string()))?;
    let run = |what: &str| {
        // A shell tells what its children took of the processor.
        let script = "\"$1\" --config \"$2\" \"$3\" >/dev/null 2>&1; echo $?; times";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", "aide", &at("aide.conf"), what]);
        process::capture(&mut shell)
    };
    ended_well(&run("--init")?)?;
    fs::rename(at("new"), at("known")).map_err(|error| Failure::stuck(error.to_string()))?;
    let said = run("--check")?;
    ended_well(&said)?;
    let seconds =
        children_seconds(&said).ok_or_else(|| Failure::stuck("a shell tells no times"))?;
    println!(
        "  {seconds:14.2} s of the processor for AIDE, and {own:.2} s for ringfort, on the same 40,000 files"
    );
    Ok(serde_json::json!({ "cpu_seconds": seconds, "times": seconds / own }))
}

fn ended_well(said: &str) -> Result<()> {
    match said.lines().next() {
        Some("0") => Ok(()),
        other => Err(Failure::stuck(format!("aide ended with {}", other.unwrap_or("nothing")))),
    }
}

/// Reads what `times` says of children: the last line, of the user's and of the system's time.
fn children_seconds(said: &str) -> Option<f64> {
    let seconds = |text: &str| {
        let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    let mut words = said.lines().last()?.split(' ');
    Some(seconds(words.next()?)? + seconds(words.next()?)?)
}

#[cfg(test)]
mod tests {
    use super::children_seconds;

    #[test]
    fn what_a_shell_tells_of_its_children_is_read() {
        let said = "0\n0m0.001000s 0m0.002000s\n1m2.500000s 0m0.250000s\n";
        assert_eq!(children_seconds(said), Some(62.75));
        assert_eq!(children_seconds("0\n"), None);
    }
}
