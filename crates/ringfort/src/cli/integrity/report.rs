//! `ringfort integrity report`: delivers what a machine's agent found to the collectors of control planes.

mod journal;
mod pulse;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use ringfort_audit::finding::{Finding, OF_FILES};
use ringfort_integrity::change::{Blind, Change};
use ringfort_integrity::journal::{Line, Told};
use ringfort_integrity::os::status;
use ringfort_integrity::process::Who;
use ringfort_integrity::why::Why;
use ringfort_integrity::workload::Workload;
use ringfort_model::identity::witness_of;
use ringfort_model::integrity::{CANARY, STATE};
use ringfort_model::severity::Severity;
use ringfort_store::format::reported::Reported;
use ringfort_store::os::{
    Collectors, Deliverer, Directory, Pace, Peer, Room, Spool, Tls, hold, id_of,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::journal::{Journal, Missed, Place};
use self::pulse::{Beat, Pulse};
use super::status::when;
use crate::cli::files::Unread;
use crate::cli::peers::{PapersArgs, peer};
use crate::cli::session::now_s;
use crate::cli::{Fault, cursor};

/// Deliver what this machine's agent found to the collectors of control planes
///
/// Follows the agent's journal: changes that nothing explains, what explains one later, times in which changes may have
/// been missed, and baselines that are not believed. What is found waits on disk, 64 MiB at most, until one of the
/// named control planes has taken it, which it does when it is durable there; what there is no more room for is the
/// oldest, and is counted. That is found as well, and so are lines of the journal that are gone before they were
/// followed, and an agent that says nothing for two minutes. What proofs do to a file of their own is marked as that, and told to nobody. Both sides show certificates of the
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
    let followed: Followed = cursor::read(&place)?.unwrap_or_default();
    let mut following = Following::new(args, followed);
    let mut told = None;
    loop {
        let before = following.followed;
        let found = following.look(args, &deliverer)?;
        deliverer.push(&found).map_err(unable)?;
        // Behind what is durable in the spool.
        if following.followed != before {
            let text = serde_json::to_string(&following.followed).map_err(Fault::unable)?;
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

/// Up to where a machine's agent was followed, and what of it was told.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Followed {
    #[serde(flatten)]
    place: Place,
    /// How many findings it was told of that there was no room for.
    #[serde(default)]
    given_up: u64,
    /// When the agent last said something, where it was told that it does not run.
    #[serde(default)]
    silent: Option<u64>,
}

/// The file of it in the spool.
const PLACE: &str = "place";

/// An agent that is followed.
struct Following {
    journal: Journal,
    pulse: Pulse,
    begun: Instant,
    followed: Followed,
    /// When it was told last that there was no room.
    told_at: Option<Instant>,
}

/// What there is no room for is told so often at most: to tell it takes room.
const GIVEN_UP_AGAIN: Duration = Duration::from_secs(3_600);

impl Following {
    fn new(args: &ReportArgs, followed: Followed) -> Self {
        let journal = Journal::new(&args.state, followed.place);
        let pulse = Pulse::new(followed.silent);
        Self { journal, pulse, begun: Instant::now(), followed, told_at: None }
    }

    /// Gives what is to be delivered since the last look.
    fn look(&mut self, args: &ReportArgs, deliverer: &Deliverer) -> Result<Vec<String>, Fault> {
        let unread = |error: io::Error| Fault::blind(Unread::of(&args.state, &error));
        let fresh = self.journal.fresh().map_err(unread)?;
        let node = args.node.as_str();
        let mut found: Vec<String> =
            fresh.lines.iter().filter_map(|(line, text)| delivered(node, line, text)).collect();
        found.extend(fresh.missed.and_then(|missed| missing(node, &missed)));
        self.followed.place = self.journal.place;
        let at = status(&args.state).map(|status| status.at);
        let now = u64::try_from(now_s()).unwrap_or_default();
        found.extend(
            self.pulse.look(at, self.begun.elapsed()).and_then(|beat| of_agent(node, beat, now)),
        );
        self.followed.silent = self.pulse.silent();
        let state = deliverer.state();
        let more = state.lost.saturating_sub(self.followed.given_up);
        let is_time = self.told_at.is_none_or(|at| at.elapsed() >= GIVEN_UP_AGAIN);
        // Else it would only take room from what waits.
        if more > 0 && is_time && state.trouble.is_none() {
            found.extend(given_up(node, more, state.lost, now));
            (self.followed.given_up, self.told_at) = (state.lost, Some(Instant::now()));
        }
        Ok(found)
    }
}

/// Makes what is delivered of something that no line of the journal says. What the numbers are is named by them.
fn reported(
    node: &str,
    at: u64,
    (name, object, said): (&str, &str, String),
    numbers: &impl Serialize,
) -> Option<String> {
    let text = serde_json::to_string(numbers).ok()?;
    let finding = of(node, at, name, Severity::High, object.to_owned(), said);
    let line = RawValue::from_string(text.clone()).ok()?;
    let id = id_of(node, &format!("{name} {at} {text}"));
    serde_json::to_string(&Reported { id, finding, line: &line }).ok()
}

/// Finds that lines of the journal were not followed.
fn missing(node: &str, missed: &Missed) -> Option<String> {
    let Missed { gone, unread, after } = missed;
    let said = format!(
        "of what the agent told behind line {}, {gone} lines were gone before they were delivered, and {unread} cannot be read: \
         `ringfort integrity verify` says how the files are now",
        after.seq
    );
    reported(node, after.at, ("lost", "files", said), missed)
}

/// Finds that there was no room for findings.
fn given_up(node: &str, more: u64, lost: u64, now: u64) -> Option<String> {
    let said = format!(
        "{more} findings of the agent were given up, the oldest first, since nobody took them and there was no more room; \
         {lost} ever"
    );
    let numbers = serde_json::json!({ "givenUp": more, "ever": lost });
    reported(node, now, ("lost", "files", said), &numbers)
}

/// Finds that the agent does not run, or does again.
fn of_agent(node: &str, beat: Beat, now: u64) -> Option<String> {
    match beat {
        Beat::Silent { since: None } => {
            let said =
                "no agent runs, and none ever did: nobody sees what happens to files".to_owned();
            reported(node, now, ("agent-silent", "files", said), &serde_json::json!({}))
        }
        Beat::Silent { since: Some(since) } => {
            let said = format!(
                "the agent does not run since {}: nobody sees what happens to files",
                when(since)
            );
            reported(
                node,
                now,
                ("agent-silent", "files", said),
                &serde_json::json!({ "since": since }),
            )
        }
        Beat::Returned { since, at } => {
            let from = since.map_or_else(String::new, |since| format!(" since {}", when(since)));
            let said = format!("the agent runs again, and did not{from} until {}", when(at));
            let numbers = serde_json::json!({ "since": since, "until": at });
            reported(node, at, ("agent-returned", "files", said), &numbers)
        }
    }
}

/// Begins a finding of a machine's.
fn of(
    node: &str,
    at: u64,
    name: &str,
    severity: Severity,
    object: String,
    said: String,
) -> Finding {
    let at = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    Finding {
        verb: "change".to_owned(),
        object,
        said,
        ..Finding::on_machine(node, format!("{OF_FILES}{name}"), severity, at)
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
    let of = |name: &str, severity, object: String, said: String| {
        of(node, line.at, name, severity, object, said)
    };
    match &line.told {
        Told::Change(change) => unexplained(change, &of),
        Told::Settled { change, .. } => {
            let said = format!("change {change} is explained by now");
            Some(of("settled", Severity::Low, format!("files {change}"), said))
        }
        Told::Blind(Blind { from, until, why }) => {
            // A clock may have gone back meanwhile.
            let seconds = until.saturating_sub(*from);
            let said = format!("for {seconds} seconds changes may have been missed: {why}");
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
            let (user, place) = (process.exe.clone(), &process.place);
            let (pod, inside) = match place.workload.as_deref() {
                Some(Workload::Named(names)) => (Some(names.full_name()), Some(names.inside())),
                Some(unknown) => (place.pod.clone(), Some(unknown.text())),
                None => (place.pod.clone(), None),
            };
            let inside = inside.map_or_else(String::new, |inside| format!("; {inside}"));
            Finding { user, pod, said: format!("{}{inside}", finding.said), ..finding }
        }
        Who::Unknown(_) => Finding { user: "somebody unknown".to_owned(), ..finding },
    })
}

#[cfg(test)]
mod tests {
    use ringfort_integrity::journal::{Line, Tip, Told};
    use ringfort_store::format::reported::{OF_A_PROOF, REPORTED, Reported};
    use serde_json::{Value, json};

    use super::{Beat, Followed, Missed, Place, delivered, given_up, missing, of_agent};

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

    #[test]
    fn who_did_it_in_a_pod_is_delivered_by_the_pods_names() {
        let told = |more: Value| {
            let mut process =
                json!({"pid": 7, "start": 1, "exe": "/bin/sh", "parent": 1, "pod": "u"});
            process.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let mut line = serde_json::to_value(change("/etc/a", &json!("unexplained"))).unwrap();
            line["who"] = json!({ "process": process });
            let line: Line = serde_json::from_value(line).unwrap();
            let text = delivered("w1", &line, &serde_json::to_string(&line).unwrap()).unwrap();
            Reported::read(text.as_bytes()).unwrap().finding.to_string()
        };
        let names = json!({"namespace": "shop", "pod": "web-7", "container": "app",
            "account": {"named": "shop:web"}});
        let named = told(json!({"workload": {"named": names}}));
        assert!(
            named.contains(": /bin/sh in pod shop/web-7 from w1: change files /etc/a"),
            "{named}"
        );
        assert!(
            named.ends_with("(change abc); container app, account shop:web by its token"),
            "{named}"
        );
        let unknown = told(json!({"workload": {"unknown": "it is gone"}}));
        assert!(unknown.contains(": /bin/sh in pod u from w1"), "{unknown}");
        assert!(unknown.ends_with("; names unknown (it is gone)"), "{unknown}");
        assert!(told(json!({})).ends_with("(change abc)"));
    }

    #[test]
    fn a_clock_that_went_back_is_no_time_without_end() {
        let blind = json!({"told": "blind", "from": 100, "until": 40, "why": "overflow"});
        let (line, text) = Tip::default().append(5, serde_json::from_value(blind).unwrap());
        let one = delivered("w1", &line, text.trim_end()).unwrap();
        assert!(one.contains("for 0 seconds changes may have been missed"), "{one}");
    }

    #[test]
    fn what_was_lost_and_an_agent_that_does_not_run_are_findings() {
        let after = Place { seq: 7, at: 1_767_607_200 };
        let cases = [
            (
                missing("w1", &Missed { gone: 3, unread: 1, after }),
                "integrity/lost",
                "behind line 7, 3 lines were gone before they were delivered, and 1 cannot be read",
            ),
            (
                given_up("w1", 5, 9, 1_767_607_200),
                "integrity/lost",
                "5 findings of the agent were given up",
            ),
            (
                of_agent("w1", Beat::Silent { since: Some(1_767_607_200) }, 1_767_607_300),
                "integrity/agent-silent",
                "the agent does not run since 2026-01-05T10:00:00Z",
            ),
            (
                of_agent("w1", Beat::Silent { since: None }, 1_767_607_300),
                "integrity/agent-silent",
                "none ever did",
            ),
            (
                of_agent("w1", Beat::Returned { since: Some(1_767_607_200), at: 1_767_607_500 }, 0),
                "integrity/agent-returned",
                "did not since 2026-01-05T10:00:00Z until 2026-01-05T10:05:00Z",
            ),
        ];
        for (text, detection, said) in cases {
            let text = text.unwrap();
            let reported = Reported::read(text.as_bytes()).unwrap();
            let finding = reported.finding;
            assert_eq!((&*finding.detection, finding.severity), (detection, super::Severity::High));
            assert!(finding.said.contains(said), "{}", finding.said);
            assert!(REPORTED.contains(&detection), "{detection}");
        }
        for line in ["unexplained-change", "settled", "blind", "baseline-refused"] {
            assert!(REPORTED.contains(&format!("integrity/{line}").as_str()), "{line}");
        }
    }

    #[test]
    fn a_place_that_an_earlier_version_wrote_is_one() {
        let read: Followed = serde_json::from_str(r#"{"seq":4,"at":9}"#).unwrap();
        let expected = Followed { place: Place { seq: 4, at: 9 }, ..Followed::default() };
        assert_eq!(read, expected);
        let again = serde_json::to_string(&Followed { silent: Some(3), ..read }).unwrap();
        assert_eq!(serde_json::from_str::<Followed>(&again).unwrap().silent, Some(3));
    }
}
