//! What somebody did, joined by the lineage of tokens: a token that was asked for, and everything that was
//! done with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::event::Event;
use crate::finding::object;

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

impl Subject {
    /// Reads what a person writes: `pod/NAMESPACE/NAME`, `JTI=…`, an address, an object such as `secrets/web/db` or
    /// `deployment/shop`, or a user.
    pub fn read(text: &str) -> Self {
        if let Some(pod) = text.strip_prefix("pod/") {
            return match pod.split_once('/') {
                Some((namespace, name)) => Self::Pod(Some(namespace.to_owned()), name.to_owned()),
                None => Self::Pod(None, pod.to_owned()),
            };
        }
        if text.starts_with("JTI=") || text.starts_with("X509SHA256=") {
            return Self::Credential(text.to_owned());
        }
        match text.parse() {
            Ok(address) => Self::Address(address),
            Err(_) if is_object(text) => Self::Object(text.to_owned()),
            Err(_) => Self::User(text.to_owned()),
        }
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
    let is_kind = |kind: &str| {
        let is_of = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        kind.starts_with(|first: char| first.is_ascii_alphabetic()) && kind.chars().all(is_of)
    };
    matches!(parts.len(), 2 | 3)
        && is_kind(parts[0])
        && parts[1..].iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
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

/// Everything that was done, in the order of the logs.
#[derive(Debug, Default)]
pub struct Acts(Vec<Act>);

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
    /// Adds an event.
    pub fn add(&mut self, event: &Event<'_>) {
        self.0.push(Act::of(event));
    }

    /// Tells the story of a subject.
    pub fn of(&self, subject: &Subject) -> Story {
        let is_own: Vec<bool> = self.0.iter().map(|act| subject.is_of(act)).collect();
        let issued = |act: &Act| act.issued.clone();
        let mut tokens: BTreeSet<String> = self
            .0
            .iter()
            .zip(&is_own)
            .filter(|(_, own)| **own)
            .filter_map(|(act, _)| issued(act))
            .collect();
        // A token may ask for another: until no more are found.
        loop {
            let is_inherited =
                |act: &&Act| act.credential.as_ref().is_some_and(|id| tokens.contains(id));
            let more: Vec<String> = self.0.iter().filter(is_inherited).filter_map(issued).collect();
            let before = tokens.len();
            tokens.extend(more);
            if tokens.len() == before {
                break;
            }
        }
        let mut story =
            Story { own: Vec::new(), inherited: Vec::new(), credentials: BTreeMap::new() };
        for (act, own) in self.0.iter().zip(is_own) {
            let is_inherited = act.credential.as_ref().is_some_and(|id| tokens.contains(id));
            if !own && !is_inherited {
                continue;
            }
            if let Some(id) = &act.credential {
                story.credentials.entry(id.clone()).or_default().insert(act.source.clone());
            }
            let of = if own { &mut story.own } else { &mut story.inherited };
            of.push(act.clone());
        }
        story
    }
}
