//! What a witness does beside: it counts what its own machine's API server logs, and tells what did not come.

use std::net::SocketAddr;
use std::time::Duration;

use ringfort_audit::finding::Finding;
use ringfort_store::format::reported::{Reported, of_log};
use ringfort_store::os::{
    ApiServer, COUNT, Counting, Directory, Missed, Office, Papers, Peer, Tls, id_of,
};
use serde_json::value::RawValue;

use super::now;
use super::witness::{Line, WitnessArgs, rest, say, shown};
use crate::cli::Fault;

/// Who counts, and who is told.
pub(super) struct Counts {
    machine: String,
    counting: Counting<ApiServer>,
    /// The machine that sees this one's log: what is wrong with the log is to be kept elsewhere.
    peer: Option<Peer>,
    /// Findings that nobody has taken yet.
    waiting: Vec<String>,
}

/// Whom an API server's certificate speaks for.
const SERVER: &str = "kube-apiserver";
/// So long a server may take to say what it measures.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two rounds,
const PAUSE: Duration = Duration::from_secs(30);
/// and while something is in doubt.
const SOON: Duration = Duration::from_secs(2);
/// So many findings wait at most: the numbers of the newest say enough.
const MOST_WAITING: usize = 16;

/// Prepares to count.
pub(super) fn counting(
    args: &WitnessArgs,
    papers: &Papers,
    (machine, at): &(String, SocketAddr),
) -> Result<Counts, Fault> {
    let tls = Tls::between(at.ip(), SERVER, papers, PATIENCE).map_err(Fault::usage)?;
    let server = ApiServer { at: *at, tls };
    let file = args.state.join(COUNT);
    let counting = Counting::new(args.store.clone(), machine.clone(), file, server);
    let peer = args.shows.as_ref().map(|shows| shown(papers, shows)).transpose()?;
    Ok(Counts { machine: machine.clone(), counting, peer, waiting: Vec::new() })
}

/// Counts for as long as nobody says that it is over.
pub(super) fn go_on(mut counts: Counts, office: &Office<Directory>, is_over: &dyn Fn() -> bool) {
    let mut told = None;
    while !is_over() {
        let trouble = match counts.counting.round(&|| now() / 1_000_000, is_over) {
            Ok(missed) => {
                counts.find(&missed);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        counts.deliver(office);
        let tally = &counts.counting.count().tally;
        // Who does not listen does not keep anything from being counted.
        let _ = match (&trouble, &told) {
            (Some(said), told) if told.as_ref() != Some(said) => say(&Line::Uncounted { said }),
            (None, Some(_)) => say(&Line::Counted { events: tally.events, lost: tally.lost }),
            _ => Ok(()),
        };
        let is_unheard = counts.counting.count().unheard > 0;
        let is_in_doubt = tally.is_in_doubt() || is_unheard || !counts.waiting.is_empty();
        let is_soon = trouble.is_some() || is_in_doubt;
        told = trouble;
        rest(if is_soon { SOON } else { PAUSE }, is_over);
    }
}

impl Counts {
    /// Makes a finding of what was missed, and holds it until somebody has it.
    fn find(&mut self, missed: &Missed) {
        let Some(finding) = finding(&self.machine, missed, now()) else { return };
        let _ = say(&Line::Finding(&finding));
        let Ok(text) = serde_json::to_string(missed) else { return };
        let id = id_of(&self.machine, &format!("{} {text}", finding.time));
        let Ok(line) = RawValue::from_string(text) else { return };
        let line = serde_json::to_string(&Reported { id, finding, line: &line });
        self.waiting.extend(line.ok());
        let over = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..over);
    }

    /// Gives what waits to the machine that sees this one's log, or keeps it here.
    fn deliver(&mut self, office: &Office<Directory>) {
        if self.waiting.is_empty() {
            return;
        }
        let is_taken =
            self.peer.as_ref().is_some_and(|peer| peer.deliver(&self.waiting, 0).is_ok());
        let keeps = |line: &String| office.find(&self.machine, line).is_ok();
        if is_taken || self.waiting.iter().all(keeps) {
            self.waiting.clear();
        }
    }
}

fn finding(machine: &str, missed: &Missed, now: i64) -> Option<Finding> {
    let (name, said) = match missed {
        Missed::Nothing => return None,
        Missed::Events { more, failed, since } => {
            let failed = match failed {
                0 => String::new(),
                _ => format!("; its backends failed to write {failed} since they are counted"),
            };
            let after = said_of(" after ", *since);
            let said = format!("{more} events that the API server counted{after} did not come");
            ("events-lost", said + &failed)
        }
        Missed::Everything { since } => {
            let since = said_of(" since ", *since);
            let said = format!(
                "the API server answers, and nothing of what it is asked comes to its store{since}: it does not log, \
                 it logs elsewhere, or nobody collects"
            );
            ("nothing-comes", said)
        }
    };
    Some(of_log(machine, name, now, said))
}

/// Says a time, where there is one.
fn said_of(word: &str, second: Option<i64>) -> String {
    let time = second.and_then(|it| jiff::Timestamp::from_second(it).ok());
    time.map_or_else(String::new, |time| format!("{word}{time}"))
}

#[cfg(test)]
mod tests {
    use ringfort_store::os::Missed;

    use super::finding;

    #[test]
    fn what_is_missed_is_said() {
        let said = |missed| finding("cp1", &missed, 1_796_000_000_000_000);
        assert_eq!(said(Missed::Nothing), None);
        let lost = said(Missed::Events { more: 3, failed: 0, since: Some(1_795_999_940) }).unwrap();
        assert_eq!(
            (&*lost.detection, lost.object.as_str(), lost.said.as_str()),
            (
                "audit/events-lost",
                "audit-log cp1",
                "3 events that the API server counted after 2026-11-30T00:52:20Z did not come"
            )
        );
        let failed = said(Missed::Events { more: 3, failed: 2, since: None }).unwrap();
        assert!(failed.said.ends_with("failed to write 2 since they are counted"), "{failed:?}");
        let silent = said(Missed::Everything { since: Some(1_796_000_000) }).unwrap();
        assert_eq!(&*silent.detection, "audit/nothing-comes");
        assert!(silent.said.contains("since 2026-11-30T"), "{silent:?}");
        let never = said(Missed::Everything { since: None }).unwrap();
        assert!(never.said.contains("comes to its store: it does not log"), "{never:?}");
    }
}
