//! What somebody did, joined by the lineage of tokens: a token that was asked for, and everything that was
//! done with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::event::Event;
use crate::finding::object;
use crate::scene::number;

/// Whose doings are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A user, by name.
    User(String),
    /// A pod, by its name, and its namespace where it is said.
    Pod(Option<String>, String),
    /// A credential, by the id that events give it.
    Credential(String),
    /// An address.
    Address(IpAddr),
    /// An object, as it is written: its kind, its namespace where it is said, its name. A user may be called so as well.
    Object(String),
}

/// Says that something is written as an object is, and has no name.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} names no object: write KIND/NAME or KIND/NAMESPACE/NAME, such as secrets/web/db; of a pod's own doings, \
     pod/NAME or pod/NAMESPACE/NAME"
)]
pub struct Nameless(String);

impl Subject {
    /// Reads what a person writes: `pod/NAMESPACE/NAME`, `JTI=…`, an address, an object such as `secrets/web/db` or
    /// `deployment/shop`, or a user.
    ///
    /// # Errors
    /// It is written as an object is, and a part of it is missing.
    pub fn read(text: &str) -> Result<Self, Nameless> {
        if is_nameless(text) {
            return Err(Nameless(text.to_owned()));
        }
        if let Some(pod) = text.strip_prefix("pod/") {
            return Ok(match pod.split_once('/') {
                Some((namespace, name)) => Self::Pod(Some(namespace.to_owned()), name.to_owned()),
                None => Self::Pod(None, pod.to_owned()),
            });
        }
        if text.starts_with("JTI=") || text.starts_with("X509SHA256=") {
            return Ok(Self::Credential(text.to_owned()));
        }
        Ok(match text.parse() {
            Ok(address) => Self::Address(address),
            Err(_) if is_object(text) => Self::Object(text.to_owned()),
            Err(_) => Self::User(text.to_owned()),
        })
    }

    fn is_of(&self, act: &Act) -> bool {
        match self {
            Self::User(name) => act.user == *name || act.impersonated.as_ref() == Some(name),
            Self::Pod(namespace, name) => {
                let own = crate::caller::account(&act.user).map(|(namespace, _)| namespace);
                act.pod.as_ref() == Some(name)
                    && namespace.as_deref().is_none_or(|namespace| own == Some(namespace))
            }
            Self::Credential(id) => act.credential.as_ref() == Some(id),
            Self::Address(address) => act.source.parse() == Ok(*address),
            Self::Object(text) => {
                is_done_to(text, &act.object) || Self::User(text.clone()).is_of(act)
            }
        }
    }
}

/// Whether something is written as an object is: a kind, perhaps a namespace, a name.
fn is_object(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    matches!(parts.len(), 2 | 3)
        && is_kind(parts[0])
        && parts[1..].iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
}

/// Whether something is written as an object is, but for a part of it that is empty.
fn is_nameless(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    matches!(parts.len(), 2 | 3) && is_kind(parts[0]) && parts[1..].contains(&"")
}

fn is_kind(kind: &str) -> bool {
    let is_of = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    kind.starts_with(|first: char| first.is_ascii_alphabetic()) && kind.chars().all(is_of)
}

/// Whether something was done to an object, or to a part of it. Findings and acts write `pods/exec web shop-1`.
fn is_done_to(wanted: &str, object: &str) -> bool {
    let Some((kind, name)) = wanted.split_once('/') else { return false };
    let (resource, rest) = object.split_once(' ').unwrap_or((object, ""));
    let resource = resource.split('/').next().unwrap_or_default();
    let is_named = match name.split_once('/') {
        Some((namespace, name)) => {
            rest.strip_prefix(namespace).and_then(|rest| rest.strip_prefix(' ')) == Some(name)
        }
        None => rest.rsplit(' ').next() == Some(name),
    };
    is_named && is_kind_of(&kind.to_ascii_lowercase(), resource)
}

/// Whether a kind is that of a resource: `secret` and `secrets`, `policy` and `policies`, `ingress` and `ingresses`.
fn is_kind_of(kind: &str, resource: &str) -> bool {
    let plural = |ending: &str| resource.strip_suffix(ending);
    kind == resource
        || plural("s") == Some(kind)
        || plural("es") == Some(kind)
        || plural("ies").is_some_and(|stem| kind.strip_suffix('y') == Some(stem))
}

/// One thing that was done.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// When.
    pub time: String,
    /// By whom,
    pub user: String,
    /// and as whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated: Option<String>,
    /// With which credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Whose token that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// On which node the pod was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// From where.
    pub source: String,
    /// What was done,
    pub verb: String,
    /// to what.
    pub object: String,
    /// How it was answered.
    pub code: u16,
    /// The token that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
}

impl Act {
    fn of(event: &Event<'_>) -> Self {
        let extra = &event.user.extra;
        let issued = event.annotations.value("authentication.kubernetes.io/issued-credential-id");
        Self {
            time: event.time().to_owned(),
            user: event.user.username.to_string(),
            impersonated: event.impersonated_user.as_ref().map(|user| user.username.to_string()),
            credential: extra.credential().map(str::to_owned),
            pod: extra.pod().map(str::to_owned),
            node: extra.node_name.first().map(|node| node.to_string()),
            source: event.source().to_owned(),
            verb: event.verb.to_string(),
            object: object(event),
            code: event.response_status.code,
            issued: (!issued.is_empty()).then(|| issued.to_owned()),
        }
    }
}

/// What somebody did, of everything that was done, in the order of the logs. Nothing else is held.
#[derive(Debug)]
pub struct Acts {
    subject: Subject,
    /// Acts of the story, each with whether it is the subject's own.
    held: Vec<(Act, bool)>,
    /// The tokens that the subject asked for, and that those asked for in turn.
    tokens: BTreeSet<String>,
    /// Numbers of the credentials of acts that were passed over.
    passed: BTreeSet<u64>,
    /// Whether a token was used before it was known to be one of these.
    is_late: bool,
}

/// What somebody did, and what was done with tokens that they asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Story {
    /// What they did.
    pub own: Vec<Act>,
    /// What was done with tokens that they asked for, or that those asked for in turn.
    pub inherited: Vec<Act>,
    /// The credentials that were used, with the addresses that each was used from.
    pub credentials: BTreeMap<String, BTreeSet<String>>,
}

impl Acts {
    /// Begins the story of a subject.
    pub fn about(subject: Subject) -> Self {
        let (held, tokens, passed) = Default::default();
        Self { subject, held, tokens, passed, is_late: false }
    }

    /// Adds an event, if it belongs to the story.
    pub fn add(&mut self, event: &Event<'_>) {
        let act = Act::of(event);
        let is_own = self.subject.is_of(&act);
        let credential = act.credential.as_ref();
        if !is_own && !credential.is_some_and(|id| self.tokens.contains(id)) {
            self.passed.extend(credential.map(|id| number(&[id])));
            return;
        }
        if let Some(token) = &act.issued {
            self.is_late |= self.passed.contains(&number(&[token]));
            self.tokens.insert(token.clone());
        }
        self.held.push((act, is_own));
    }

    /// Whether something was passed over that belongs to the story: logs of several servers need not tell of a token
    /// before they tell what was done with it.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Begins anew with what is known of tokens. Everything is to be added once more, from the first.
    pub fn begin_again(&mut self) {
        self.held.clear();
        self.passed.clear();
        self.is_late = false;
    }

    /// Tells the story.
    pub fn story(self) -> Story {
        let mut story =
            Story { own: Vec::new(), inherited: Vec::new(), credentials: BTreeMap::new() };
        for (act, is_own) in self.held {
            if let Some(id) = &act.credential {
                story.credentials.entry(id.clone()).or_default().insert(act.source.clone());
            }
            let of = if is_own { &mut story.own } else { &mut story.inherited };
            of.push(act);
        }
        story
    }
}
