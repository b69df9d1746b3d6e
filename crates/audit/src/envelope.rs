//! Finds events in what carries them: lines of an API server, lists of events, and what the logging of
//! Amazon, Google and Microsoft wraps around them.

mod gke;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{Event, Text};
use crate::fault::Why;

/// What stands in a line.
#[derive(Debug)]
pub enum Found<'a> {
    /// An event, as text where it can be had.
    Event(&'a Event<'a>),
    /// Something that is whole, and no request to a Kubernetes API: providers log other services too.
    Other,
    /// Something that cannot be read.
    Fault(Why),
}

/// Envelopes may lie in envelopes, as a list in a message, but not for ever.
const DEEPEST: usize = 3;

/// Visits everything in a line.
pub fn each(line: &[u8], visit: &mut dyn FnMut(Found<'_>)) {
    let zeros = line.iter().take_while(|byte| **byte == 0).count();
    if zeros > 0 {
        visit(Found::Fault(Why::Zeros { count: zeros }));
    }
    let rest = line[zeros..].trim_ascii();
    if rest.is_empty() {
        return;
    }
    match std::str::from_utf8(rest) {
        Ok(text) => one(text, 0, visit),
        Err(error) => visit(Found::Fault(Why::NotText { byte: zeros + error.valid_up_to() + 1 })),
    }
}

fn one(text: &str, depth: usize, visit: &mut dyn FnMut(Found<'_>)) {
    // An export of CloudWatch has the time before each message.
    let text = match text.starts_with(|first: char| first.is_ascii_digit()) {
        true => text.split_once(' ').map_or(text, |(_, rest)| rest.trim_start()),
        false => text,
    };
    if text.starts_with('[') {
        return match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) => items.iter().for_each(|item| one(item.get(), depth + 1, visit)),
            Err(error) => visit(Found::Fault(Why::of(&error, text.len()))),
        };
    }
    match serde_json::from_str::<Event<'_>>(text) {
        Ok(event) if event.is_one() => visit(Found::Event(&event)),
        Err(error) if !error.is_data() => visit(Found::Fault(Why::of(&error, text.len()))),
        read => match serde_json::from_str::<Envelope<'_>>(text) {
            Ok(envelope) if depth < DEEPEST && !envelope.is_empty() => envelope.open(depth, visit),
            _ => visit(Found::Fault(match read {
                Err(error) => Why::of(&error, text.len()),
                Ok(_) => Why::NotAnEvent,
            })),
        },
    }
}

/// What may lie around events.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    /// What a list says of what is in it,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    api_version: Text<'a>,
    /// and what that is.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
    /// A batch of CloudWatch Logs.
    #[serde(borrow, default)]
    log_events: Option<Vec<&'a RawValue>>,
    /// One message of it,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    /// and as its queries call it.
    #[serde(borrow, default, rename = "@message")]
    queried: Option<&'a RawValue>,
    /// A batch of Azure Monitor.
    #[serde(borrow, default)]
    records: Option<Vec<&'a RawValue>>,
    /// One record of it.
    #[serde(borrow, default)]
    properties: Option<Properties<'a>>,
    /// An entry of Google's Cloud Audit Logs.
    #[serde(borrow, default)]
    proto_payload: Option<&'a RawValue>,
    /// When that was, and when it came; what others call so is of any type.
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    receive_timestamp: Option<&'a RawValue>,
    /// A line of `ringfort audit search --json`: an event,
    #[serde(borrow, default)]
    event: Option<&'a RawValue>,
    /// or what an agent found, which is judged already.
    #[serde(borrow, default)]
    reported: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Properties<'a> {
    #[serde(borrow, default)]
    log: Text<'a>,
}

impl Envelope<'_> {
    fn is_empty(&self) -> bool {
        let lists = [&self.items, &self.log_events, &self.records];
        let singles = [self.message, self.queried, self.proto_payload, self.event, self.reported];
        lists.iter().all(|list| list.is_none())
            && singles.iter().all(Option::is_none)
            && self.properties.is_none()
    }

    /// Gives the items of a list.
    fn listed(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let is_of_events =
            &*self.kind == "EventList" && self.api_version.starts_with("audit.k8s.io/");
        let items = self.items.iter().flatten().map(|item| item.get());
        items.map(move |item| if is_of_events { typed(item) } else { item.into() })
    }

    fn open(&self, depth: usize, visit: &mut dyn FnMut(Found<'_>)) {
        self.listed().for_each(|item| one(&item, depth + 1, visit));
        for item in [&self.log_events, &self.records].into_iter().flatten().flatten() {
            one(item.get(), depth + 1, visit);
        }
        for message in [self.message, self.queried].into_iter().flatten() {
            match serde_json::from_str::<Text<'_>>(message.get()) {
                Ok(text) => one(&text, depth + 1, visit),
                // Some collectors write the event itself there.
                Err(_) => one(message.get(), depth + 1, visit),
            }
        }
        if let Some(properties) = &self.properties {
            match properties.log.is_empty() {
                true => visit(Found::Other),
                false => one(properties.log.trim(), depth + 1, visit),
            }
        }
        if let Some(entry) = self.proto_payload {
            gke::open(entry, &self.time(), visit);
        }
        if let Some(event) = self.event {
            one(event.get(), depth + 1, visit);
        }
        if self.reported.is_some() {
            visit(Found::Other);
        }
    }

    /// Gives the time that stands beside an entry, empty where none is written.
    fn time(&self) -> Text<'_> {
        let times = [self.timestamp, self.receive_timestamp].into_iter().flatten();
        let mut texts = times.filter_map(|time| serde_json::from_str(time.get()).ok());
        texts.find(|time: &Text<'_>| !time.is_empty()).unwrap_or_default()
    }
}

/// Gives the events of a list that an API server sent, as they stand in its own log, whatever the list calls itself.
/// None of what is no list.
pub fn events(list: &[u8]) -> Option<Vec<String>> {
    let envelope: Envelope<'_> = serde_json::from_slice(list).ok()?;
    Some(envelope.items?.into_iter().map(|item| typed(item.get()).into_owned()).collect())
}

/// Gives an item of a list of events with what it is: there only the list says it.
fn typed(item: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Typed<'t> {
        #[serde(borrow)]
        kind: Option<&'t RawValue>,
    }
    let is_untyped = serde_json::from_str::<Typed<'_>>(item).is_ok_and(|it| it.kind.is_none());
    let rest = item.trim_start().strip_prefix('{').map(str::trim_start);
    match rest.filter(|rest| is_untyped && !rest.starts_with('}')) {
        Some(rest) => format!(r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1",{rest}"#).into(),
        None => item.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, each, events};

    /// What is found in a line: `user verb resource`, `other`, or why not.
    fn check(line: &[u8], expected: &[&str]) {
        let mut found = Vec::new();
        each(line, &mut |one| {
            found.push(match one {
                Found::Event(event) => {
                    format!("{} {} {}", &*event.user.username, &*event.verb, event.resource())
                }
                Found::Other => "other".to_owned(),
                Found::Fault(why) => why.to_string(),
            });
        });
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(line));
    }

    const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"eve"},"objectRef":{"resource":"pods"}}"#;

    #[test]
    fn events_are_found_in_what_carries_them() {
        let text = serde_json::to_string(EVENT).unwrap();
        for line in [
            EVENT.to_owned(),
            format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{EVENT}]}}"#),
            // As a webhook backend sends it.
            format!(
                r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]}}"#,
                bare()
            ),
            format!("[{EVENT}]"),
            format!("2024-01-19T13:47:19.465Z {EVENT}"),
            format!(r#"{{"logEvents":[{{"id":"1","timestamp":1,"message":{text}}}]}}"#),
            format!(r#"{{"@timestamp":"x","@message":{text}}}"#),
            format!(r#"{{"records":[{{"category":"kube-audit","properties":{{"log":{text}}}}}]}}"#),
            format!(r#"{{"source":"cp1","event":{EVENT}}}"#),
        ] {
            check(line.as_bytes(), &["eve get pods"]);
        }
    }

    #[test]
    fn what_an_agent_found_is_no_event_and_no_fault() {
        check(br#"{"source":"agent/w1","reported":{"id":"a"}}"#, &["other"]);
    }

    /// An event that does not say that it is one.
    fn bare() -> String {
        EVENT.replacen(r#""kind":"Event","apiVersion":"audit.k8s.io/v1","#, "", 1)
    }

    #[test]
    fn what_only_a_list_says_is_believed_of_lists_of_audit_events_alone() {
        let no_event = "it is no audit event in any envelope that is known";
        check(bare().as_bytes(), &[no_event]);
        for list in [
            r#""kind":"EventList","apiVersion":"v1""#,
            r#""kind":"PodList""#,
            r#""kind":"EventList""#,
        ] {
            check(format!(r#"{{{list},"items":[{}]}}"#, bare()).as_bytes(), &[no_event]);
        }
        let list = |items: &str| {
            let list = format!(
                r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{items}]}}"#
            );
            events(list.as_bytes())
        };
        assert_eq!(list(&bare()), Some(vec![EVENT.to_owned()]));
        assert_eq!(
            list(&format!("{EVENT}, {{ }},7")),
            Some([EVENT, "{ }", "7"].map(str::to_owned).into())
        );
        assert_eq!(events(EVENT.as_bytes()), None);
        assert_eq!(events(b"\xff"), None);
    }

    #[test]
    fn entries_of_google_become_events() {
        let entry = |service: &str| {
            format!(
                r#"{{"protoPayload":{{"serviceName":"{service}","methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/a/pods/b/exec","authenticationInfo":{{"principalEmail":"eve"}}}}}}"#
            )
        };
        check(entry("k8s.io").as_bytes(), &["eve create pods"]);
        check(entry("compute.googleapis.com").as_bytes(), &["other"]);
    }

    /// The time of an entry stands beside it; what others call so need be no text.
    #[test]
    fn an_entry_of_google_has_the_time_that_stands_beside_it() {
        let payload = r#""protoPayload":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.list","resourceName":"core/v1/pods"}"#;
        for (beside, expected) in [
            (
                r#","timestamp":"2026-01-05T00:00:00.5Z","receiveTimestamp":"x""#,
                "2026-01-05T00:00:00.5Z",
            ),
            (r#","receiveTimestamp":"2026-01-05T00:00:01Z""#, "2026-01-05T00:00:01Z"),
            (r#","timestamp":17"#, ""),
            ("", ""),
        ] {
            let mut times = Vec::new();
            each(format!("{{{payload}{beside}}}").as_bytes(), &mut |found| {
                let Found::Event(event) = found else { panic!("{found:?}") };
                times.push(event.time().to_owned());
            });
            assert_eq!(times, [expected]);
        }
    }

    #[test]
    fn what_is_hostile_is_a_fault_with_its_place() {
        check(
            b"\0\0\0",
            &["3 zero bytes stand where events should: the machine may have lost power"],
        );
        check(
            &[b"\0\0", EVENT.as_bytes()].concat(),
            &[
                "2 zero bytes stand where events should: the machine may have lost power",
                "eve get pods",
            ],
        );
        check(&EVENT.as_bytes()[..60], &["the event is cut off after 60 bytes"]);
        check(b"{\"kind\":\"\xff\"}", &["byte 10 of the line is no UTF-8"]);
        check(
            EVENT.replace("\"verb\":\"get\"", "\"verb\":\"get\",\"verb\":\"x\"").as_bytes(),
            &["a key stands twice, the second at byte 66: readers may differ on which counts"],
        );
        check(
            EVENT.replace("\"get\"", "7").as_bytes(),
            &["a field at byte 55 is of another type than an API server writes"],
        );
        check(b"I0101 started", &["it is no JSON from byte 1 on"]);
        check(
            br#"{"kind":"Event","apiVersion":"v1"}"#,
            &["it is no audit event in any envelope that is known"],
        );
    }
}
