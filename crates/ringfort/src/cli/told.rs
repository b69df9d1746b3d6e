//! `ringfort node told`: who was told what a detection found on this machine, for a proof of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;

use ringfort_controls::paths;
use ringfort_model::act::ToldSeen;
use ringfort_model::receiver::Recipient;
use ringfort_node::Tools;
use ringfort_store::os::{Passed, passed};

use super::Fault;
use super::audit::COUNTED;
use super::files::Unread;

/// What is asked.
#[derive(Args)]
pub(super) struct ToldArgs {
    /// What the finding's object holds.
    #[arg(long, value_name = "TEXT")]
    holding: String,
    /// The detection, such as detect/secrets-role.
    #[arg(long, value_name = "DETECTION")]
    detection: String,
    /// Who is to have been told: machine-log, metrics, webhook, syslog or datagrams.
    #[arg(value_name = "WHO", required = true)]
    to: Vec<Recipient>,
    /// Where what is told waits to be sent.
    #[arg(long, value_name = "DIR", default_value = paths::TELL)]
    spool: PathBuf,
    /// The directory of numbers for Prometheus.
    #[arg(long, value_name = "DIR", default_value = paths::METRICS)]
    metrics: PathBuf,
}

/// Looks at everybody of whom it is asked.
pub(super) fn look(args: &ToldArgs, tools: &dyn Tools) -> Result<ToldSeen, Fault> {
    let is_it = |line: &str| line.contains(&args.holding) && line.contains(&args.detection);
    let (mut has, mut lost) = (BTreeSet::new(), BTreeMap::new());
    for recipient in &args.to {
        let is_told = match recipient {
            Recipient::MachineLog => log(tools)?.lines().any(is_it),
            Recipient::Metrics => {
                let text = text(&args.metrics.join("ringfort.prom"))?;
                text.lines().any(|line| counts(line, &args.detection))
                    && text.lines().any(|line| is_last(line, &args.holding))
            }
            Recipient::Webhook | Recipient::Syslog | Recipient::Datagrams => {
                let spool = args.spool.join(spool_of(*recipient));
                let unread = |error| Fault::blind(Unread::of(&spool, &error));
                let Passed { is_sent, lost: gone } = passed(&spool, is_it).map_err(unread)?;
                lost.insert(*recipient, gone);
                is_sent
            }
        };
        if is_told {
            has.insert(*recipient);
        }
    }
    Ok(ToldSeen { has, lost })
}

/// Both ways to a syslog server wait in one place.
fn spool_of(recipient: Recipient) -> &'static str {
    match recipient {
        Recipient::Datagrams => Recipient::Syslog.name(),
        other => other.name(),
    }
}

/// Reads what stands in the machine's log of findings, of the last quarter of an hour.
fn log(tools: &dyn Tools) -> Result<String, Fault> {
    let findings = journal(tools, "--identifier=ringfort-audit")?;
    // Whoever looks has just come in by SSH, if by nothing else: a journal that has no word at all keeps none.
    if findings.is_empty() && journal(tools, "--lines=1")?.is_empty() {
        let why = "the machine's journal keeps nothing, so that what is written to the machine's log is not seen: \
                   look at Storage= in journald.conf";
        return Err(Fault::blind(why));
    }
    Ok(findings)
}

fn journal(tools: &dyn Tools, of: &str) -> Result<String, Fault> {
    let arguments = [of, "--since=-15min", "--output=cat", "--no-pager", "--quiet"];
    let said = tools.run("journalctl", &arguments);
    let said = said.map_err(|error| Fault::blind(format!("journalctl: {error}")))?;
    // It ends with 1 where there is nothing.
    match said.well || said.stderr.trim().is_empty() {
        true => Ok(said.stdout),
        false => Err(Fault::blind(format!("journalctl: {}", said.complaint()))),
    }
}

fn text(file: &Path) -> Result<String, Fault> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Fault::blind(Unread::of(file, &error))),
    }
}

/// Whether a line says that numbers count what is looked for: numbers that stand there from before do not.
fn is_last(line: &str, holding: &str) -> bool {
    line.strip_prefix(COUNTED).is_some_and(|canary| canary.contains(holding))
}

/// Whether a line of numbers says that a detection found something.
fn counts(line: &str, detection: &str) -> bool {
    let rest = line.strip_prefix("ringfort_audit_findings_total{");
    let Some((labels, number)) = rest.and_then(|rest| rest.split_once("} ")) else { return false };
    labels.contains(&format!("detection=\"{detection}\""))
        && number.trim().parse::<u64>().is_ok_and(|number| number > 0)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use ringfort_model::receiver::Recipient;
    use ringfort_node::{Said, Tools};

    use super::{COUNTED, ToldArgs, counts, look};

    /// What a journal has of findings, and of anything.
    struct Journal(&'static str, &'static str);

    impl Tools for Journal {
        fn run(&self, program: &str, arguments: &[&str]) -> io::Result<Said> {
            assert_eq!(program, "journalctl");
            let stdout = match arguments[0] {
                "--identifier=ringfort-audit" => self.0.to_owned(),
                "--lines=1" => self.1.to_owned(),
                other => panic!("nobody asks for {other}"),
            };
            Ok(Said { well: !stdout.is_empty(), stdout, stderr: String::new() })
        }
    }

    const OTHERS: &str = "Accepted publickey for root\n";

    fn args(at: &Path, to: &[Recipient]) -> ToldArgs {
        ToldArgs {
            holding: "canary-told-1".to_owned(),
            detection: "detect/secrets-role".to_owned(),
            to: to.to_vec(),
            spool: at.join("tell"),
            metrics: at.to_owned(),
        }
    }

    const LOG: &str = "\
T high detect/secrets-role: eve from 10.0.0.1: create roles canary/canary-told-0: it reads Secrets
T high detect/token-requested: eve from 10.0.0.1: create roles canary/canary-told-1: it takes a token
";

    #[test]
    fn only_who_has_this_very_finding_was_told() {
        let at = tempfile::tempdir().unwrap();
        let all = args(at.path(), &Recipient::ALL);
        let told = look(&all, &Journal("", OTHERS)).unwrap();
        assert!(told.has.is_empty(), "{told:?}");
        let told = look(&all, &Journal(LOG, OTHERS)).unwrap();
        assert!(told.has.is_empty(), "another finding, and of another detection: {told:?}");
        let line = LOG.lines().next().unwrap().replace("told-0", "told-1");
        let told = look(&all, &Journal(line.leak(), OTHERS)).unwrap();
        assert_eq!(told.has, [Recipient::MachineLog].into());
        // What waits was not told; what was received was, in whichever way it went.
        let syslog = at.path().join("tell/syslog");
        std::fs::create_dir_all(&syslog).unwrap();
        std::fs::write(
            syslog.join("0000000001.lines"),
            "other\ndetect/secrets-role of canary-told-1\n",
        )
        .unwrap();
        let mark = |sent: u64| {
            let mark = format!("{{\"file\":1,\"sent\":{sent},\"lost\":7}}");
            std::fs::write(syslog.join("sent"), mark).unwrap();
            look(&args(at.path(), &[Recipient::Datagrams]), &Journal("", "")).unwrap()
        };
        assert_eq!((mark(1).has.len(), mark(1).lost[&Recipient::Datagrams]), (0, 7));
        assert_eq!(mark(2).has, [Recipient::Datagrams].into());
    }

    /// Whoever tells may have stopped long ago, and its numbers stay.
    #[test]
    fn numbers_that_stand_there_from_before_tell_nobody_anything() {
        let at = tempfile::tempdir().unwrap();
        let counted = |canary: &str| {
            let numbers = "ringfort_audit_findings_total{detection=\"detect/secrets-role\",severity=\"high\"} 2\n";
            let file = at.path().join("ringfort.prom");
            std::fs::write(file, format!("{numbers}{canary}\n")).unwrap();
            let all = args(at.path(), &[Recipient::Metrics]);
            !look(&all, &Journal("", "")).unwrap().has.is_empty()
        };
        assert!(!counted(""));
        assert!(!counted(&format!("{COUNTED}roles canary canary-told-0")));
        assert!(!counted("# roles canary canary-told-1"));
        assert!(counted(&format!("{COUNTED}roles canary canary-told-1")));
    }

    #[test]
    fn a_journal_that_keeps_nothing_is_no_answer() {
        let at = tempfile::tempdir().unwrap();
        let all = args(at.path(), &[Recipient::MachineLog]);
        let fault = look(&all, &Journal("", "")).unwrap_err();
        assert!(fault.to_string().contains("keeps nothing"), "{fault}");
        assert!(look(&all, &Journal("", OTHERS)).unwrap().has.is_empty());
    }

    #[test]
    fn a_number_counts_for_its_own_detection_alone() {
        let line = |detection: &str, number: u64| {
            format!(
                "ringfort_audit_findings_total{{detection=\"{detection}\",severity=\"high\"}} {number}"
            )
        };
        assert!(counts(&line("detect/a", 1), "detect/a"));
        assert!(!counts(&line("detect/a", 0), "detect/a"));
        assert!(!counts(&line("detect/ab", 1), "detect/a"));
        assert!(!counts("ringfort_audit_waived_total 1", "detect/a"));
    }
}
