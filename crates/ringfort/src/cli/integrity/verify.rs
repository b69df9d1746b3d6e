//! `ringfort integrity verify`: holds a machine against the baseline that the operator has.

use std::process::ExitCode;

use clap::Args;
use ringfort_controls::paths::PROGRAMS;
use ringfort_forge::make::doors;
use ringfort_host::quote;
use ringfort_integrity::baseline::{Trusted, read_text};
use ringfort_integrity::layers::Drift;
use ringfort_integrity::path::FilePath;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::machines::{ANSWER, kept, require, run as run_on};
use super::{not_compared, plain, read};
use crate::cli::session::{beside, home};
use crate::cli::specification::{self, SpecFile};
use crate::cli::{Fault, print};

/// Hold a machine's files against the signed baseline that lies beside cluster.yaml
///
/// The machine is entered over SSH and reads its files now; what they should be comes from here and not from
/// there, so that a baseline that was exchanged there says nothing. A machine whose kernel or ringfort lies
/// can still lie: look at its disk from another one, with `ringfort integrity scan`.
///
/// What nobody knows beforehand is not compared, and counted: what keys hold that are made on the machine, and what
/// somebody added to a directory such as /etc/systemd/system. `ringfort integrity changes` tells that.
///
/// Exit codes: 0 all that was compared is as it should be, 1 something is not, 2 usage or bad input, 3 something
/// could not be compared, or the machine could not be asked.
#[derive(Args)]
pub struct VerifyArgs {
    /// The machine
    #[arg(long, value_name = "NAME")]
    node: String,
    #[command(flatten)]
    spec: SpecFile,
    /// Compare the files of packages with the machine's package database as well
    #[arg(long)]
    packages: bool,
    /// Compare what the machine's containers wrote into their own roots with their images as well
    #[arg(long)]
    layers: bool,
    /// Write an object for programs
    #[arg(long)]
    json: bool,
}

/// Asks the machine.
///
/// # Errors
/// The baseline is not there or not to be believed, or the machine does not answer.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Fault> {
    let spec = specification::read(&args.spec.file)?;
    require(&spec, &args.node)?;
    let kept = kept(&args.spec)?;
    let known = kept.trust.baselines.iter().find(|(node, _)| node.as_str() == args.node);
    let (_, facts) = known
        .ok_or_else(|| Fault::usage(format!("{} has no baseline yet: ringfort up", args.node)))?;
    let bytes = read(&kept.state.baselines().join(&args.node))?;
    let key = kept.key()?;
    let trusted = Trusted { key, node: Some(&args.node), least: facts.number };
    read_text(&bytes, &trusted).map_err(Fault::usage)?;
    let doors = doors(&spec, &home()?, beside(&args.spec.file));
    let door = doors.iter().find(|(name, _)| name.as_str() == args.node).map(|(_, door)| door);
    let door = door.ok_or_else(|| Fault::usage("there is no way to the machine"))?;
    let more = [(args.packages, " --packages"), (args.layers, " --layers")];
    let more: String =
        more.iter().filter(|(is_asked, _)| *is_asked).map(|(_, word)| *word).collect();
    let program = format!("{PROGRAMS}/ringfort");
    let command = command(&program, key, &args.node, &more);
    let runtime = Runtime::new().map_err(Fault::blind)?;
    // Files of packages are many: a disk that nobody has read yet takes minutes.
    let longest = if args.packages || args.layers { 20 * ANSWER } else { ANSWER };
    let said = runtime.block_on(run_on(door, &command, &bytes, longest));
    let said = said.map_err(|why| Fault::blind(format!("{}: {why}", args.node)))?;
    let scan: Value = serde_json::from_slice(&said)
        .map_err(|error| Fault::blind(format!("{} answers in another way ({error})", args.node)))?;
    print(&if args.json { String::from_utf8_lossy(&said).into_owned() } else { people(&scan) });
    // Whatever is not said was not seen.
    let of = |part: &str, is_asked: bool, name: &str| match is_asked {
        true => scan[part][format!("{name}Count")].as_u64(),
        false => Some(0),
    };
    let count = |name: &str| {
        let own = scan[name].as_array().map(Vec::len);
        let (packages, layers) =
            (of("packages", args.packages, name), of("layers", args.layers, name));
        Some(own? as u64 + packages? + layers?)
    };
    let is_of_this = scan["baseline"]["counter"].as_u64() == Some(facts.number);
    Ok(ExitCode::from(match (count("findings"), count("unknown")) {
        (Some(findings), _) if findings > 0 => 1,
        (Some(0), Some(0)) if is_of_this => 0,
        _ => 3,
    }))
}

/// What runs on the machine. It ends as the scan does: one that refuses is no answer.
fn command(program: &str, key: &str, node: &str, more: &str) -> String {
    format!(
        "umask 077; d=$(mktemp -d) && cat >$d/baseline && printf '%s' {} >$d/key && \
         {program} integrity scan --root / --json --baseline $d/baseline --key $d/key --node {}{more}; \
         s=$?; rm -r \"$d\"; exit $s",
        quote(key),
        quote(node),
    )
}

fn people(scan: &Value) -> String {
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    // A path is written as everywhere; what is none is not one to be obeyed.
    let path = |value: &Value| {
        let parsed = value.as_str().and_then(|path| path.parse::<FilePath>().ok());
        parsed.map_or_else(|| text(value), |path| path.to_string())
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut said = String::new();
    let (packages, layers) = (&scan["packages"], &scan["layers"]);
    let all = |name: &str| [list(&packages[name]), list(&layers[name]), list(&scan[name])].concat();
    for finding in all("findings") {
        let of = finding["package"].as_str().map(|of| format!(" of {}", plain(of)));
        let (severity, at) = (text(&finding["severity"]), path(&finding["path"]));
        said.push_str(&format!("{severity}: {at}{}\n", of.unwrap_or_default()));
        if let Ok(drift) = serde_json::from_value::<Drift>(finding["drift"].clone()) {
            said.push_str(&format!("  {}\n", plain(&drift.text())));
        }
        for each in list(&finding["differences"]) {
            let (of, expected) = (text(&each["of"]), text(&each["expected"]));
            said.push_str(&format!("  {of}: should be {expected}, is {}\n", text(&each["found"])));
        }
    }
    for unknown in all("unknown") {
        said.push_str(&format!(
            "unknown: {}\n  {}\n",
            path(&unknown["path"]),
            text(&unknown["why"])
        ));
    }
    if packages.is_object() {
        said.push_str(&format!(
            "{} files of {} packages compared: {} not as they should be, {} unknown\n",
            packages["files"],
            packages["packages"],
            packages["findingsCount"],
            packages["unknownCount"],
        ));
    }
    if layers.is_object() {
        said.push_str(&format!(
            "{} paths that {} containers wrote compared: {} not as their images have them, {} unknown\n",
            layers["paths"], layers["containers"], layers["findingsCount"], layers["unknownCount"],
        ));
    }
    // One that does not say it is not one that compared everything.
    said.push_str(&match (scan["unstated"].as_u64(), scan["watched"].as_u64()) {
        (Some(files), Some(directories)) => not_compared(files, directories),
        _ => {
            "how much was not compared is not known: ringfort up brings the machine this ringfort\n"
                .to_owned()
        }
    });
    said.push_str(&format!(
        "{} paths of {} looked at, by baseline {}: {} not as they should be, {} unknown\n",
        scan["entries"],
        text(&scan["baseline"]["node"]),
        scan["baseline"]["counter"],
        list(&scan["findings"]).len(),
        list(&scan["unknown"]).len(),
    ));
    said
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use serde_json::json;

    use super::*;

    #[test]
    fn a_scan_that_refuses_is_heard() {
        let directory = tempfile::tempdir().unwrap();
        // What refuses as a scan does, in place of the machine's own program.
        let program = "sh -c 'echo it is of another machine >&2; exit 2'";
        let command = command(program, "a key", "w1", " --packages");
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &command]).env("TMPDIR", directory.path());
        let ended = shell.stdin(Stdio::null()).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("another machine"));
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "nothing of it stays");
    }

    #[test]
    fn what_is_not_compared_is_said() {
        let scan = json!({"entries": 9, "unstated": 4, "watched": 5, "findings": [], "unknown": [],
            "baseline": {"node": "w1", "counter": 3}});
        let said = people(&scan);
        assert!(said.contains("contents of 4 files and of 5 directories"), "{said}");
        let silent = people(&json!({"entries": 9, "findings": [], "unknown": [], "watched": "5"}));
        assert!(silent.contains("how much was not compared is not known"), "{silent}");
    }

    #[test]
    fn what_a_machine_says_moves_no_cursor() {
        let odd = "/a\u{1b}[2J\nall is well";
        let found = json!({"path": odd, "severity": odd, "package": odd, "differences": [
            {"of": odd, "expected": odd, "found": odd}]});
        let scan = json!({"entries": 1, "unstated": 0, "watched": 0, "findings": [found],
            "unknown": [{"path": odd, "why": odd}, {"path": "/gr\u{fc}n", "why": ""}],
            "baseline": {"node": odd, "counter": 3}});
        let said = people(&scan);
        assert!(!said.contains('\u{1b}') && !said.contains("\nall is well"), "{said}");
        assert!(said.contains("/gr\u{fc}n"), "a name of letters stays as it is: {said}");
    }
}
