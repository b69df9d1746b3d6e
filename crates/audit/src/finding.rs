//! What a detection found, for people and for programs. What was sent or answered is never repeated: it may
//! hold secrets.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use ringfort_model::identity::{CANARIES, CANARY, KEEPER, TO_BE_TOLD, is_of_canaries};
use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::caller::account;
use crate::detection::Detection;
use crate::event::Event;

/// Something that was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The detection.
    pub detection: Cow<'static, str>,
    /// How grave it is,
    pub severity: Severity,
    /// and why.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub because: Cow<'static, str>,
    /// The techniques of MITRE ATT&CK that it is a sign of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attack: Vec<Cow<'static, str>>,
    /// When the request came, as the server wrote it.
    pub time: String,
    /// Who asked.
    pub user: String,
    /// As whom, where it was as somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated: Option<String>,
    /// From where: who was connected to the server.
    pub source: String,
    /// The credential that was shown, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The pod whose token it is, where it is one; of what an agent found, the one that the program ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The node that this pod was on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What was done.
    pub verb: String,
    /// To what.
    pub object: String,
    /// What was found.
    pub said: String,
    /// What the judgement rests on, where that is not the stored object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests: Option<Cow<'static, str>>,
}

impl Finding {
    /// Gives what another machine found, as its own: without what a terminal would obey, however it came, and with words
    /// of its own only where words are looked for.
    #[must_use]
    pub fn by(self, machine: &str) -> Self {
        Self {
            detection: plain(&self.detection).into(),
            time: self.time.parse::<Timestamp>().map_or_else(|_| String::new(), |_| self.time),
            user: plain(&self.user),
            impersonated: None,
            source: machine.to_owned(),
            credential: None,
            pod: self.pod.as_deref().map(plain),
            node: self.node.as_deref().map(plain),
            because: plain(&self.because).into(),
            attack: self.attack.iter().take(MOST).map(|it| plain(it).into()).collect(),
            verb: plain(&self.verb),
            object: plain(&self.object),
            said: plain(&self.said),
            rests: self.rests.map(|rests| plain(&rests).into()),
            severity: self.severity,
        }
    }

    /// Whether it was found beside what servers log: whose it is, and what it is about, whoever reported it says.
    pub fn is_reported(&self) -> bool {
        [OF_FILES, OF_LOGS].iter().any(|of| self.detection.starts_with(of))
    }

    /// Begins one that no request made, of a machine: what it is about and what was found are to be added.
    #[must_use]
    pub fn on_machine(
        machine: &str,
        detection: String,
        severity: Severity,
        time: Option<Timestamp>,
    ) -> Self {
        Self {
            detection: detection.into(),
            severity,
            because: Cow::default(),
            attack: Vec::new(),
            time: time.map_or_else(String::new, |time| time.to_string()),
            user: String::new(),
            impersonated: None,
            source: machine.to_owned(),
            credential: None,
            pod: None,
            node: None,
            verb: String::new(),
            object: String::new(),
            said: String::new(),
            rests: None,
        }
    }

    /// Whether a proof of ringfort's did it: under a name of which only the operator's keyring makes certificates, each
    /// for one run, and in that run's own namespace. What another machine says that it found is none. That holds on
    /// clusters that ringfort made: whose log it is, nothing here knows.
    pub fn is_canary(&self) -> bool {
        let is_there = self.object.split(' ').nth(1).is_some_and(is_of_canaries);
        [KEEPER, CANARY].contains(&self.user.as_str())
            && !self.is_reported()
            && (is_there || self.asks_as_account_of_canaries())
    }

    /// Whether somebody asked, as an account in the namespace of a run, for all that this may do: that is about no
    /// object, and changes nothing.
    fn asks_as_account_of_canaries(&self) -> bool {
        let of = self.impersonated.as_deref().and_then(account);
        self.object == RIGHTS_LISTED && of.is_some_and(|(namespace, _)| is_of_canaries(namespace))
    }

    /// Whether a proof did it to see who is told of it: what covers it with others would only hide whether anybody is.
    pub fn is_to_be_told(&self) -> bool {
        let name = self.object.split(' ').nth(2);
        self.is_canary()
            && name.is_some_and(|it| it.starts_with(CANARIES) && it.contains(TO_BE_TOLD))
    }

    pub(crate) fn new(
        detection: &'static Detection,
        event: &Event<'_>,
        said: &str,
        rests: Option<&'static str>,
    ) -> Self {
        let extra = &event.user.extra;
        Self {
            detection: detection.id.into(),
            severity: detection.severity,
            because: detection.because.into(),
            attack: detection.attack.iter().map(|it| Cow::Borrowed(*it)).collect(),
            time: plain(event.time()),
            user: plain(&event.user.username),
            impersonated: event.impersonated_user.as_ref().map(|user| plain(&user.username)),
            source: plain(event.source()),
            credential: extra.credential().map(plain),
            pod: extra.pod().map(plain),
            node: extra.node().map(plain),
            verb: plain(&event.verb),
            object: plain(&object(event)),
            said: plain(said),
            rests: rests.map(Cow::Borrowed),
        }
    }
}

/// Names what a request is about.
pub(crate) fn object(event: &Event<'_>) -> String {
    let Some(of) = event.object_ref.as_ref().filter(|of| !of.resource.is_empty()) else {
        return event.path().to_owned();
    };
    let mut name = of.resource.to_string();
    if !of.subresource.is_empty() {
        name = format!("{name}/{}", &*of.subresource);
    }
    for part in [&of.namespace, &of.name].into_iter().filter(|part| !part.is_empty()) {
        name = format!("{name} {}", &**part);
    }
    name
}

/// Text as it may stand in a line: what a terminal would obey is written out, and nothing is long.
fn plain(text: &str) -> String {
    // Nearly all of it is so already.
    if text.len() <= MOST && !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut plain: String = text
        .chars()
        .take(MOST)
        .flat_map(|letter| match letter.is_control() {
            true => letter.escape_default().collect::<Vec<_>>(),
            false => vec![letter],
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        plain.push('…');
    }
    plain
}

const MOST: usize = 200;
/// How a finding names the question of all that one may do.
const RIGHTS_LISTED: &str = "selfsubjectrulesreviews";
/// What agents of machines find is called so,
pub const OF_FILES: &str = "integrity/";
/// and what is found of an audit log itself.
pub const OF_LOGS: &str = "audit/";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'_ str, other: &'static str| match text.is_empty() {
            true => other.to_owned(),
            false => text.to_owned(),
        };
        write!(f, "{} {} {}: ", or(&self.time, "(no time)"), self.severity, self.detection)?;
        write!(f, "{}", or(&self.user, "(no user)"))?;
        if let Some(user) = &self.impersonated {
            write!(f, " as {user}")?;
        }
        if let Some(pod) = &self.pod {
            let of = if self.is_reported() { "in" } else { "with the token of" };
            write!(f, " {of} pod {pod}")?;
        }
        if let Some(node) = &self.node {
            write!(f, " on {node}")?;
        }
        if let Some(credential) = &self.credential {
            write!(f, " ({credential})")?;
        }
        if !self.source.is_empty() {
            write!(f, " from {}", self.source)?;
        }
        write!(f, ": {} {}: {}", or(&self.verb, "(no verb)"), self.object, self.said)?;
        match &self.rests {
            Some(rests) => write!(f, " ({rests})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::severity::Severity;

    use super::Finding;
    use crate::detections;
    use crate::engine::Engine;
    use crate::envelope::{Found, each};

    const RUN: &str = "ringfort-canary-0123abcd";

    fn check(change: impl FnOnce(&mut Finding), expected: (bool, bool)) {
        let mut finding = Finding {
            detection: "detect/secrets-role".into(),
            severity: Severity::Medium,
            because: "".into(),
            attack: Vec::new(),
            time: String::new(),
            user: "ringfort:keeper".to_owned(),
            impersonated: None,
            source: "10.0.0.1".to_owned(),
            credential: None,
            pod: None,
            node: None,
            verb: "create".to_owned(),
            object: format!("roles {RUN} {RUN}-told-1"),
            said: String::new(),
            rests: None,
        };
        change(&mut finding);
        assert_eq!((finding.is_canary(), finding.is_to_be_told()), expected, "{finding:?}");
    }

    /// Who reads the line learns whose credential it was; who reads JSON as well why it matters, and what is written of
    /// older findings is still read.
    #[test]
    fn a_finding_says_whose_credential_it_was_and_why_it_matters() {
        let line = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","objectRef":{"resource":"pods","subresource":"exec","namespace":"web","name":"p"},"user":{"username":"eve","extra":{"authentication.kubernetes.io/credential-id":["JTI=7"],"authentication.kubernetes.io/pod-name":["shop"],"authentication.kubernetes.io/node-name":["n1"]}},"sourceIPs":["10.0.0.9"],"responseStatus":{"code":101}}"#;
        let (mut engine, mut found) =
            (Engine::new(&[detections::find("detect/exec").unwrap()]), Vec::new());
        each(line.as_bytes(), &mut |it| {
            let Found::Event(event) = it else { panic!("{it:?}") };
            engine.judge(event, &mut found);
        });
        let finding = found.pop().unwrap();
        let who =
            "eve with the token of pod shop on n1 (JTI=7) from 10.0.0.9: get pods/exec web p: ";
        assert!(finding.to_string().contains(who), "{finding}");
        let mut json = serde_json::to_value(&finding).unwrap();
        assert_eq!((&json["attack"][0], &json["node"]), (&"T1609".into(), &"n1".into()));
        assert!(!json["because"].as_str().unwrap().is_empty());
        assert_eq!(serde_json::from_value::<Finding>(json.clone()).unwrap(), finding);
        for new in ["attack", "because", "node"] {
            json.as_object_mut().unwrap().remove(new);
        }
        assert_eq!(serde_json::from_value::<Finding>(json).unwrap().said, finding.said);
    }

    #[test]
    fn what_an_agent_found_was_done_in_a_pod_and_not_with_its_token() {
        let detection = "integrity/unexplained-change".to_owned();
        let finding = Finding {
            user: "/bin/sh".to_owned(),
            pod: Some("shop/web-7".to_owned()),
            ..Finding::on_machine("w1", detection, Severity::High, None)
        };
        assert!(finding.to_string().contains(": /bin/sh in pod shop/web-7 from w1"), "{finding}");
    }

    /// Nobody else is taken for a proof, whatever they call what they do and in whose name they do it.
    #[test]
    fn only_what_a_proof_does_in_its_own_namespace_is_a_canary() {
        check(|_| (), (true, true));
        check(|it| it.object = format!("roles {RUN} {RUN}-kept-1"), (true, false));
        check(|it| it.object = format!("namespaces {RUN}"), (true, false));
        check(|it| it.user = "ringfort:canary".to_owned(), (true, true));
        check(|it| it.detection = "integrity/unexplained-change".into(), (false, false));
        check(|it| it.detection = "audit/events-lost".into(), (false, false));
        check(
            |it| {
                it.user = "ringfort:break-glass".to_owned();
                it.impersonated = Some("ringfort:keeper".to_owned());
            },
            (false, false),
        );
        for user in ["eve", "ringfort:admin", "ringfort:keeper2", ""] {
            check(|it| it.user = user.to_owned(), (false, false));
        }
        let asks = |user: &'static str, account: String, object: &'static str| {
            move |it: &mut Finding| {
                it.user = user.to_owned();
                it.impersonated = Some(format!("system:serviceaccount:{account}"));
                it.object = object.to_owned();
            }
        };
        let (own, asked) = (format!("{RUN}:{RUN}-kept-0"), "selfsubjectrulesreviews");
        check(asks("ringfort:keeper", own.clone(), asked), (true, false));
        check(asks("eve", own.clone(), asked), (false, false));
        check(asks("ringfort:keeper", "shop:shop".to_owned(), asked), (false, false));
        check(asks("ringfort:keeper", own, "secrets shop"), (false, false));
        // What a line begins with is no place for another machine's words.
        check(
            |it| {
                it.detection = "integrity/unexplained-change".into();
                it.time = "canary: now".to_owned();
                *it = it.clone().by("agent/w1");
                assert!(it.to_string().starts_with("(no time) medium "), "{it}");
            },
            (false, false),
        );
        for object in [
            format!("roles shop {RUN}-told-1"),
            format!("roles {RUN}0 {RUN}-told-1"),
            "roles ringfort-canary-0123ABCD x-told-1".to_owned(),
            "roles ringfort-canary- x-told-1".to_owned(),
            format!("/api/{RUN}"),
            String::new(),
        ] {
            check(|it| it.object = object, (false, false));
        }
    }
}
