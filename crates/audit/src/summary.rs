//! Sums up a log: who asked, by what credential, how often. Nothing of what was asked for stays.

use std::collections::BTreeMap;

use ringfort_model::audit_summary::{AuditSummary, Caller, Credential};

use crate::envelope::{self, Found};
use crate::event::{Event, Stage};

/// No more callers are told apart: beyond, nobody could say who is missing.
const MOST_CALLERS: usize = 4096;
/// What a program calls itself may be long; so much of it tells programs apart.
const MOST_AGENT: usize = 48;
const MASTERS: &str = "system:masters";

/// Says why a log cannot be summed up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoSummary {
    /// Nothing was asked, or nothing was written down.
    #[error("it holds no event")]
    Empty,
    /// There is no end of callers.
    #[error("it names more than {MOST_CALLERS} callers")]
    TooMany,
}

/// A sum that grows line by line.
#[derive(Debug, Default)]
pub struct Summary {
    callers: BTreeMap<Caller, u64>,
    times: Option<(String, String)>,
    events: u64,
    unread: u64,
    is_full: bool,
}

impl Summary {
    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        envelope::each(line, &mut |found| match found {
            Found::Event(event) => self.event(event),
            Found::Other => {}
            Found::Fault(_) => self.unread += 1,
        });
    }

    fn event(&mut self, event: &Event<'_>) {
        self.events += 1;
        let time = event.time();
        match &mut self.times {
            None => self.times = Some((time.to_owned(), time.to_owned())),
            Some((from, until)) => {
                if time < from.as_str() {
                    time.clone_into(from);
                }
                if time > until.as_str() {
                    time.clone_into(until);
                }
            }
        }
        // A request that goes on has begun before, and was counted then.
        if event.stage == Stage::RequestReceived {
            return;
        }
        let caller = caller(event);
        if self.callers.len() < MOST_CALLERS || self.callers.contains_key(&caller) {
            *self.callers.entry(caller).or_default() += 1;
        } else {
            self.is_full = true;
        }
    }

    /// Gives what it comes to.
    ///
    /// # Errors
    /// There is nothing in it, or too much.
    pub fn told(self, path: &str) -> Result<AuditSummary, NoSummary> {
        let (from, until) = self.times.ok_or(NoSummary::Empty)?;
        if self.is_full {
            return Err(NoSummary::TooMany);
        }
        let counted = self.callers.into_iter();
        Ok(AuditSummary {
            path: path.to_owned(),
            from,
            until,
            events: self.events,
            unread: self.unread,
            callers: counted.map(|(caller, requests)| Caller { requests, ..caller }).collect(),
        })
    }
}

fn caller(event: &Event<'_>) -> Caller {
    let user = &event.user;
    let acted = [Some(user), event.impersonated_user.as_ref()];
    let is_master =
        acted.iter().flatten().any(|it| it.groups.iter().any(|group| &**group == MASTERS));
    let agent = event.user_agent.split(['/', ' ']).next().unwrap_or_default();
    Caller {
        user: user.username.to_string(),
        credential: match user.extra.credential() {
            Some(id) if id.starts_with("X509SHA256=") => Credential::Certificate,
            Some(id) if id.starts_with("JTI=") => Credential::Token,
            _ => Credential::Unsaid,
        },
        masters: is_master,
        pod: user.extra.pod().map(str::to_owned),
        agent: agent.chars().take(MOST_AGENT).collect(),
        local: event.address().is_some_and(|address| address.is_loopback()),
        requests: 0,
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::audit_summary::Credential;
    use serde_json::{Value, json};

    use super::{MOST_CALLERS, NoSummary, Summary};

    fn event(user: &Value, more: &Value) -> Vec<u8> {
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a",
            "stage": "ResponseComplete", "verb": "get", "user": user, "sourceIPs": ["10.0.0.9"],
            "userAgent": "kubectl/v1.37.2 (linux/amd64)", "requestReceivedTimestamp": "2026-11-27T10:00:00.000000Z",
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event.to_string().into_bytes()
    }

    #[test]
    fn callers_are_told_apart_by_what_rows_ask_for_and_by_nothing_else() {
        let mut summary = Summary::default();
        let id = "authentication.kubernetes.io/credential-id";
        let ann = json!({"username": "ann", "groups": ["system:masters"], "extra": {id: ["X509SHA256=ab"]}});
        summary.add(&event(&ann, &json!({})));
        summary.add(&event(
            &ann,
            &json!({"requestReceivedTimestamp": "2026-11-27T09:00:00.000000Z", "verb": "list"}),
        ));
        let pod = json!({"username": "system:serviceaccount:a:b", "extra": {
            id: ["JTI=1"], "authentication.kubernetes.io/pod-name": ["p"]}});
        summary.add(&event(&pod, &json!({"sourceIPs": ["::1"]})));
        summary.add(b"{\"torn\":");
        let told = summary.told("/log").unwrap();
        assert_eq!((told.events, told.unread, told.callers.len()), (3, 1, 2));
        assert!(told.from.starts_with("2026-11-27T09") && told.until.starts_with("2026-11-27T10"));
        let [ann, pod] = &told.callers[..] else { panic!("{told:?}") };
        assert_eq!((ann.credential, ann.masters, ann.requests), (Credential::Certificate, true, 2));
        assert_eq!((ann.agent.as_str(), ann.local, &ann.pod), ("kubectl", false, &None));
        assert_eq!((pod.credential, pod.masters, pod.local), (Credential::Token, false, true));
        assert_eq!(pod.pod.as_deref(), Some("p"));
    }

    #[test]
    fn somebody_who_acts_as_a_master_is_one() {
        let mut summary = Summary::default();
        let as_master =
            json!({"impersonatedUser": {"username": "x", "groups": ["system:masters"]}});
        summary.add(&event(&json!({"username": "ann"}), &as_master));
        let told = summary.told("/log").unwrap();
        assert!(told.callers[0].masters && told.callers[0].user == "ann");
        assert_eq!(told.callers[0].credential, Credential::Unsaid);
    }

    #[test]
    fn nothing_and_too_much_are_no_summary() {
        assert_eq!(Summary::default().told("/log"), Err(NoSummary::Empty));
        let mut summary = Summary::default();
        for number in 0..=MOST_CALLERS {
            summary.add(&event(&json!({"username": number.to_string()}), &json!({})));
        }
        assert_eq!(summary.told("/log"), Err(NoSummary::TooMany));
    }
}
