//! `ringfort integrity report`: delivers what a machine's agent found to the collectors of control planes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ringfort_audit::finding::{Finding, OF_FILES};
use ringfort_integrity::change::{Blind, Change};
use ringfort_integrity::journal::{Line, Told};
use ringfort_integrity::process::Who;
use ringfort_integrity::why::Why;
use ringfort_model::identity::witness_of;
use ringfort_model::integrity::{CANARY, STATE};
use ringfort_model::severity::Severity;
use ringfort_store::format::reported::Reported;
use ringfort_store::os::{
    Collectors, Deliverer, Directory, Pace, Peer, Room, Spool, Tls, hold, id_of,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cli::files::Unread;
use crate::cli::peers::{PapersArgs, peer};
use crate::cli::{Fault, cursor};

/// Deliver what this machine's agent found to the collectors of control planes
///
/// Follows the agent's journal: changes that nothing explains, what explains one later, times in which changes may have
/// been missed, and baselines that are not believed. What is found waits on disk, 64 MiB at most, until one of the
/// named control planes has taken it, which it does when it is durable there; what there is no more room for is the
/// oldest, and is counted. What proofs do to a file of their own is marked as that, and told to nobody. Both sides show certificates of the
/// cluster's authority; only TLS 1.3 is spoken.
///
/// Exit codes: 2 usage, 3 the journal cannot be read, 4 what waits cannot be kept; with --once 0 everything was taken.
#[derive(Args)]
pub struct ReportArgs {
    /// This machine's name in cluster.yaml
    #[arg(long, value_name = "NAME")]
    node: String,
    /// The agent's directory
    #[arg(long, value_name = "DIR", default_value = STATE)]
    state: PathBuf,
    /// Where what is found waits: a directory
    #[arg(long, value_name = "DIR")]
    spool: PathBuf,
    #[command(flatten)]
    papers: PapersArgs,
    /// A control plane that takes it; may be given more than once, and one of them is enough
    #[arg(long = "to", value_name = "NAME=ADDRESS:PORT", value_parser = peer, required = true)]
    to: Vec<(String, SocketAddr)>,
    /// End when everything that is there was taken
    #[arg(long)]
    once: bool,
}

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a delivery may take at one control plane before the next is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits until everything was taken.
const DRAIN: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// There is nothing to follow, or no way to deliver.
pub fn run(args: &ReportArgs) -> Result<ExitCode, Fault> {
    let papers = args.papers.read()?;
    let peers = args.to.iter().map(|(machine, at)| {
        let tls = Tls::between(at.ip(), &witness_of(machine), &papers, PATIENCE);
        let tls = tls.map_err(Fault::usage)?;
        Ok(Peer { machine: machine.clone(), at: *at, tls })
    });
    let collectors = Collectors::new(peers.collect::<Result<_, Fault>>()?);
    let unable = |error: io::Error| Fault::unable(Unread::of(&args.spool, &error));
    let directory = Directory::new(&args.spool.join("findings")).map_err(unable)?;
    let held = hold(&args.spool).map_err(unable)?;
    let lock = held.ok_or_else(|| Fault::usage(Unread::of(&args.spool, &"another delivers it")))?;
    let spool = Spool::open(directory, Room::default()).map_err(unable)?;
    let deliverer = Deliverer::new(spool, Box::new(collectors), Pace::default());
    let place = args.spool.join(PLACE);
    let mut journal = Journal::new(&args.state, cursor::read(&place)?.unwrap_or_default());
    let mut told = None;
    loop {
        let lines =
            journal.fresh().map_err(|error| Fault::blind(Unread::of(&args.state, &error)))?;
        let findings = lines.iter().filter_map(|(line, text)| delivered(&args.node, line, text));
        deliverer.push(&findings.collect::<Vec<_>>()).map_err(unable)?;
        // Behind what is durable in the spool.
        if !lines.is_empty() {
            let text = serde_json::to_string(&journal.place).map_err(Fault::unable)?;
            cursor::write(&place, &text)?;
        }
        let trouble = deliverer.state().trouble;
        if trouble != told {
            match &trouble {
                Some(why) => anstream::eprintln!("nobody takes what is found: {why}"),
                None => anstream::eprintln!("what is found is taken again"),
            }
            told = trouble;
        }
        if args.once {
            let is_done = deliverer.drain(DRAIN);
            drop((deliverer, lock));
            return match is_done {
                true => Ok(ExitCode::SUCCESS),
                false => Err(Fault::unable("nobody took what is found; it waits")),
            };
        }
        std::thread::sleep(LOOK);
    }
}

/// Up to where a journal was followed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Place {
    /// The number of the last line,
    seq: u64,
    /// and when it was written: a journal that was begun anew has smaller numbers, and later times.
    at: u64,
}

/// The file of it in the spool.
const PLACE: &str = "place";

/// A journal that is followed over its being begun anew.
struct Journal {
    directory: PathBuf,
    place: Place,
    /// The file that is read, and how much of it was.
    file: Option<u64>,
    offset: u64,
}

impl Journal {
    fn new(directory: &Path, place: Place) -> Self {
        Self { directory: directory.to_owned(), place, file: None, offset: 0 }
    }

    /// Gives the lines that were written since the last look.
    fn fresh(&mut self) -> io::Result<Vec<(Line, String)>> {
        let mut lines = Vec::new();
        let Some(newest) = open(&self.directory.join("journal"))? else { return Ok(lines) };
        let number = newest.metadata()?.ino();
        if self.file != Some(number) {
            // What was written last before it was begun anew is in the other.
            if let Some(before) = open(&self.directory.join("journal.1"))? {
                let is_it = self.file == Some(before.metadata()?.ino());
                let from = if is_it { self.offset } else { 0 };
                self.read(before, from, &mut lines)?;
            }
            (self.file, self.offset) = (Some(number), 0);
        }
        let from = self.offset;
        self.offset = self.read(newest, from, &mut lines)?;
        Ok(lines)
    }

    /// Reads whole lines from a place on that come behind what was followed, and gives where they end.
    fn read(
        &mut self,
        mut file: File,
        from: u64,
        lines: &mut Vec<(Line, String)>,
    ) -> io::Result<u64> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for text in String::from_utf8_lossy(&bytes[..end]).lines() {
            // A line that is none ends the agent's own chain, which the next look of its own tells.
            let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
            let Place { seq, at } = self.place;
            if line.seq <= seq && line.at <= at {
                continue;
            }
            self.place = Place { seq: line.seq, at: line.at.max(at) };
            lines.push((line, text.to_owned()));
        }
        Ok(from + end as u64)
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes of a line what is delivered of it, if anything is.
fn delivered(node: &str, line: &Line, text: &str) -> Option<String> {
    let finding = finding(node, line)?;
    let line = RawValue::from_string(text.to_owned()).ok()?;
    let reported = Reported { id: id_of(node, text), finding, line: &line };
    serde_json::to_string(&reported).ok()
}

fn finding(node: &str, line: &Line) -> Option<Finding> {
    let at = i64::try_from(line.at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let of = |name: &str, severity, object: String, said: String| Finding {
        verb: "change".to_owned(),
        object,
        said,
        ..Finding::on_machine(node, format!("{OF_FILES}{name}"), severity, at)
    };
    match &line.told {
        Told::Change(change) => unexplained(change, &of),
        Told::Settled { change, .. } => {
            let said = format!("change {change} is explained by now");
            Some(of("settled", Severity::Low, format!("files {change}"), said))
        }
        Told::Blind(Blind { from, until, why }) => {
            let said = format!("for {} seconds changes may have been missed: {why}", until - from);
            Some(of("blind", Severity::Medium, "files".to_owned(), said))
        }
        Told::Refused { why } => {
            let said = format!("a baseline is not believed: {why}");
            Some(of("baseline-refused", Severity::High, "files".to_owned(), said))
        }
        _ => None,
    }
}

type Of<'o> = dyn Fn(&str, Severity, String, String) -> Finding + 'o;

/// Makes a finding of a change that nothing explains. What files hold is in no line of an agent's.
fn unexplained(change: &Change, of: &Of<'_>) -> Option<Finding> {
    let path = change.finding.path.to_string();
    if change.why != Why::Unexplained {
        return None;
    }
    if path == CANARY {
        let said = format!("a proof changed a file of its own (change {})", change.id);
        return Some(of("canary", Severity::Low, format!("files {path}"), said));
    }
    let aspects = change.finding.differences.iter().map(|each| each.of.to_string());
    let aspects: Vec<String> = aspects.collect();
    let what = match aspects.is_empty() {
        true => "it was written to, and is as it was".to_owned(),
        false => format!("it differs in {}", aspects.join(", ")),
    };
    let said = format!("{what}, and nothing explains it (change {})", change.id);
    let finding = of("unexplained-change", change.finding.severity, format!("files {path}"), said);
    Some(match &change.who {
        Who::Process(process) => {
            Finding { user: process.exe.clone(), pod: process.place.pod.clone(), ..finding }
        }
        Who::Unknown(_) => Finding { user: "somebody unknown".to_owned(), ..finding },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ringfort_integrity::journal::{Line, Tip, Told};
    use ringfort_store::format::reported::{OF_A_PROOF, Reported};
    use serde_json::{Value, json};

    use super::{Journal, Place, delivered};

    fn blind(tip: &mut Tip, from: u64) -> String {
        let told = json!({"from": from, "until": from + 3, "why": "overflow"});
        let told = Told::Blind(serde_json::from_value(told).unwrap());
        tip.append(100 + from, told).1
    }

    fn numbers(journal: &mut Journal) -> Vec<u64> {
        journal.fresh().unwrap().into_iter().map(|(line, _)| line.seq).collect()
    }

    #[test]
    fn a_journal_is_followed_over_restarts_and_over_being_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let (file, before) = (at.join("journal"), at.join("journal.1"));
        let mut journal = Journal::new(at, Place::default());
        assert!(numbers(&mut journal).is_empty(), "there is none yet");
        let mut tip = Tip::default();
        let (one, two, three) = (blind(&mut tip, 1), blind(&mut tip, 2), blind(&mut tip, 3));
        fs::write(&file, format!("{one}{}", &two[..10])).unwrap();
        assert_eq!(numbers(&mut journal), [1], "half a line is none");
        fs::write(&file, format!("{one}{two}")).unwrap();
        assert_eq!(numbers(&mut journal), [2]);
        let noted = serde_json::to_string(&journal.place).unwrap();
        // The third is written, and then the file is begun anew before anybody looks.
        fs::write(&file, format!("{one}{two}{three}")).unwrap();
        fs::rename(&file, &before).unwrap();
        let (four, five) = (blind(&mut tip, 4), blind(&mut tip, 5));
        fs::write(&file, &four).unwrap();
        let mut again = Journal::new(at, serde_json::from_str(&noted).unwrap());
        assert_eq!(numbers(&mut journal), [3, 4]);
        assert_eq!(numbers(&mut again), [3, 4]);
        fs::write(&file, format!("{four}{five}")).unwrap();
        assert_eq!(numbers(&mut again), [5]);
        // A damaged one was set aside: numbers begin anew, and times go on.
        fs::remove_file(&before).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(numbers(&mut again).is_empty());
        fs::write(&file, blind(&mut Tip::default(), 50)).unwrap();
        assert_eq!(numbers(&mut again), [1]);
    }

    fn change(path: &str, why: &Value) -> Line {
        let text = json!({
            "version": 1, "seq": 4, "previous": "", "at": 1_767_607_200, "told": "change", "id": "abc",
            "path": path, "class": "exact", "severity": "critical",
            "differences": [{"of": "content", "expected": "a secret", "found": "another"}],
            "isRight": false, "who": {"unknown": "forked"}, "why": why,
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_nothing_explains_is_delivered_and_what_is_explained_is_not() {
        let told = |line: &Line| {
            let text = serde_json::to_string(line).unwrap();
            delivered("w1", line, &text)
        };
        let one = told(&change("/etc/passwd", &json!("unexplained"))).unwrap();
        let reported = Reported::read(one.as_bytes()).unwrap();
        let finding = &reported.finding;
        assert_eq!(
            finding.to_string(),
            "2026-01-05T10:00:00Z critical integrity/unexplained-change: somebody unknown from w1: change files \
             /etc/passwd: it differs in content, and nothing explains it (change abc)"
        );
        assert!(told(&change("/etc/passwd", &json!({"explained": "package"}))).is_none());
        let of_a_proof = told(&change(super::CANARY, &json!("unexplained"))).unwrap();
        let of_a_proof = Reported::read(of_a_proof.as_bytes()).unwrap().finding;
        assert_eq!(of_a_proof.detection, OF_A_PROOF);
        // The same line has the same name, whoever delivers it when.
        let again = told(&change("/etc/passwd", &json!("unexplained"))).unwrap();
        assert_eq!(Reported::read(again.as_bytes()).unwrap().id, reported.id);
        let mut tip = Tip::default();
        let settled = json!({"told": "settled", "change": "abc", "why": {"explained": "package"}});
        let (settled, _) = tip.append(5, serde_json::from_value(settled).unwrap());
        assert!(told(&settled).unwrap().contains("is explained by now"));
        let (begun, _) = tip.append(6, Told::Baseline { number: 2 });
        assert!(told(&begun).is_none());
    }
}
