//! Who had a command running in a container by the API when something in it changed: from what control planes keep
//! of their audit logs. It says who was there, and explains nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ringfort_audit::event::{Event, Stage};
use ringfort_controls::paths::AUDIT_STORE;
use ringfort_integrity::containerd::Container;
use serde::{Deserialize, Serialize};

use super::machines::ask_control_planes;
use crate::cli::Fault;
use crate::cli::specification::SpecFile;

/// Clocks of two machines may differ by so much.
const SLACK_SECONDS: i64 = 5;
/// A session that was not seen to end went on for no longer.
const LONGEST_SECONDS: i64 = 4 * 3600;

/// A command that somebody ran in a container by the API.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Exec {
    /// The user, and as whom.
    pub user: String,
    /// From where.
    pub from: String,
    /// What was run.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub at: i64,
    #[serde(skip)]
    namespace: String,
    #[serde(skip)]
    pod: String,
    #[serde(skip)]
    container: Option<String>,
    #[serde(skip)]
    until: i64,
}

impl Exec {
    fn is_in(&self, container: &Container, at: i64) -> bool {
        let is_same = |own: &str, of: &Option<String>| of.as_deref() == Some(own);
        is_same(&self.namespace, &container.namespace)
            && is_same(&self.pod, &container.pod)
            && (self.container.is_none() || self.container == container.name)
            && (self.at - SLACK_SECONDS..=self.until + SLACK_SECONDS).contains(&at)
    }
}

/// Gives those that were open in a container at a moment, the newest last.
pub fn open_in(all: &[Exec], container: &Container, at: u64) -> Vec<Exec> {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    all.iter().filter(|exec| exec.is_in(container, at)).cloned().collect()
}

/// Asks control planes for what was run in containers since so many seconds ago. Gives also which of them did
/// not say, and why.
///
/// # Errors
/// The specification is wrong.
pub fn ask(spec: &SpecFile, since_seconds: i64) -> Result<(Vec<Exec>, Vec<String>), Fault> {
    let minutes = (since_seconds + LONGEST_SECONDS) / 60 + 1;
    let words =
        format!("audit search resource=pods/exec since={minutes}m --store {AUDIT_STORE} --json");
    let (mut lines, mut missed) = (String::new(), Vec::new());
    for (node, said) in ask_control_planes(spec, &words)? {
        match said {
            Ok(bytes) => lines.push_str(&String::from_utf8_lossy(&bytes)),
            Err(why) => missed.push(format!("{node}: {why}")),
        }
    }
    Ok((read(&lines), missed))
}

#[derive(Deserialize)]
struct Line<'l> {
    source: String,
    #[serde(borrow)]
    event: Event<'l>,
}

/// Puts together the beginnings and ends of sessions. What is no event of one says nothing here.
///
/// A sender may choose an Audit-ID, so that alone names no session: else somebody could hide behind another's.
fn read(lines: &str) -> Vec<Exec> {
    let mut sessions: BTreeMap<[String; 5], Exec> = BTreeMap::new();
    for line in lines.lines() {
        let Ok(Line { source, event }) = serde_json::from_str::<Line<'_>>(line) else { continue };
        let Some(exec) = exec(&event).filter(|_| !event.failed()) else { continue };
        let id = [&source, &*event.audit_id, event.time(), &*event.request_uri, &exec.user];
        let session = sessions.entry(id.map(str::to_owned)).or_insert(exec);
        if matches!(event.stage, Stage::ResponseComplete | Stage::Panic)
            && let Ok(until) = event.stage_timestamp.parse::<Timestamp>()
        {
            session.until = until.as_second();
        }
    }
    let mut all: Vec<Exec> = sessions.into_values().collect();
    all.sort_by_key(|exec| exec.at);
    all
}

/// Gives a session as it begins; nothing where no time can be read.
fn exec(event: &Event<'_>) -> Option<Exec> {
    let as_whom = event.impersonated_user.as_ref();
    let as_whom = as_whom.map_or_else(String::new, |user| format!(" as {}", &*user.username));
    let at = event.microseconds()?.div_euclid(1_000_000);
    Some(Exec {
        user: format!("{}{as_whom}", &*event.user.username),
        from: event.source().to_owned(),
        command: event.parameters("command").join(" "),
        at,
        namespace: event.namespace().to_owned(),
        pod: event.name().to_owned(),
        container: event.parameters("container").pop(),
        until: at + LONGEST_SECONDS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session of alice's, as an API server writes it: when it began, and when it ended.
    fn lines(pod: &str, id: &str, code: u32, is_over: bool) -> String {
        let line = |stage: &str, at: &str| {
            let uri = format!(
                "/api/v1/namespaces/shop/pods/{pod}/exec?command=sh&command=-c&command=id+%3E%2Fa&container=app"
            );
            let event = serde_json::json!({
                "auditID": id, "stage": stage, "verb": "get", "requestURI": uri,
                "kind": "Event", "apiVersion": "audit.k8s.io/v1",
                "user": { "username": "alice" }, "sourceIPs": ["198.51.100.1", "203.0.113.9"],
                "objectRef": { "resource": "pods", "subresource": "exec", "namespace": "shop", "name": pod },
                "responseStatus": { "code": code },
                "requestReceivedTimestamp": "2026-11-28T10:00:00.5Z", "stageTimestamp": at,
            });
            format!("{}\n", serde_json::json!({ "source": "cp1", "event": event }))
        };
        let mut all = line("ResponseStarted", "2026-11-28T10:00:00.6Z");
        if is_over {
            all.push_str(&line("ResponseComplete", "2026-11-28T10:02:00.6Z"));
        }
        all
    }

    fn container(pod: &str, name: &str) -> Container {
        let owned = |text: &str| Some(text.to_owned());
        Container {
            pod: owned(pod),
            namespace: owned("shop"),
            name: owned(name),
            ..Container::default()
        }
    }

    fn at(time: &str) -> u64 {
        u64::try_from(format!("2026-11-28T{time}Z").parse::<Timestamp>().unwrap().as_second())
            .unwrap()
    }

    #[test]
    fn who_had_a_command_open_in_the_container_is_named_and_nobody_else() {
        let text = lines("web-1", "a", 101, true) + "torn\n" + &lines("web-2", "b", 403, true);
        let all = read(&text);
        let check = |pod: &str, name: &str, time: &str, is_open: bool| {
            let open = open_in(&all, &container(pod, name), at(time));
            assert_eq!(open.len(), usize::from(is_open), "{pod} {name} {time}");
        };
        check("web-1", "app", "10:00:00", true);
        check("web-1", "app", "10:01:59", true);
        check("web-1", "app", "10:02:30", false);
        check("web-1", "app", "09:59:50", false);
        check("web-1", "sidecar", "10:01:00", false);
        check("web-2", "app", "10:01:00", false);
        let open = open_in(&all, &container("web-1", "app"), at("10:01:00"));
        let exec = &open[0];
        assert_eq!((exec.user.as_str(), exec.command.as_str()), ("alice", "sh -c id >/a"));
        assert_eq!(exec.from, "203.0.113.9");
    }

    #[test]
    fn a_session_without_an_end_is_open() {
        let all = read(&lines("web-1", "a", 101, false));
        let open = |time: &str| open_in(&all, &container("web-1", "app"), at(time)).len();
        assert_eq!((open("10:30:00"), open("13:59:00"), open("14:30:00")), (1, 1, 0));
    }

    #[test]
    fn an_id_that_its_sender_chose_hides_nobody() {
        let mallory = lines("web-1", "a", 101, false).replace("alice", "mallory");
        let all = read(&(lines("web-1", "a", 101, true) + &mallory));
        let users: Vec<&str> = all.iter().map(|exec| exec.user.as_str()).collect();
        assert_eq!(users, ["alice", "mallory"]);
    }
}
