//! Accounts and ConfigMaps that Kubernetes makes by itself beside roles and bindings: they count as its own only where
//! they say no more than it writes, and accounts only where nothing runs as them. Names alone never count.

use std::collections::BTreeSet;

use ringfort_model::controllers::CONTROLLERS;
use serde_json::Value;

use super::{Own, Standing};
use crate::kinds::{KINDS, Kind};

/// Where the controllers have their accounts, and API servers what they tell others.
pub(crate) const SYSTEM: &str = "kube-system";

/// Whether an account of the system's namespace is called as one of Kubernetes' controllers: the controller manager
/// makes an account for each that it runs, and API servers bind it.
pub(crate) fn is_controller(account: &str) -> bool {
    CONTROLLERS.contains(&account)
}

/// What is called as an account or a ConfigMap that Kubernetes makes.
#[derive(Debug)]
pub(super) struct Called {
    /// What it is told by.
    pub(super) name: String,
    own: Own,
    /// Its name, if it is an account.
    account: Option<String>,
    /// What it says besides, if anything.
    besides: Option<String>,
}

impl Called {
    /// Looks at an object, which is told by a name; gives nothing where Kubernetes makes none that is called so.
    pub(super) fn of(name: &str, object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        if object["apiVersion"] != "v1" || metadata["namespace"] != SYSTEM {
            return None;
        }
        let called = metadata["name"].as_str()?;
        let within = || beside(metadata, &SERVED).map(|field| format!("metadata.{field}"));
        let (own, account, besides) = match object["kind"].as_str()? {
            "ServiceAccount" if is_controller(called) => {
                let besides = beside(object, &OBJECT).or_else(within);
                (Own::Account, Some(called.to_owned()), besides)
            }
            "ConfigMap" => {
                let (_, keys) = MAPS.iter().find(|(name, _)| *name == called)?;
                let besides = beside(object, &MAP).or_else(within);
                (Own::ConfigMap, None, besides.or_else(|| unlike(&object["data"], keys)))
            }
            _ => return None,
        };
        Some(Self { name: name.to_owned(), own, account, besides })
    }

    pub(super) fn standing(&self, users: &Users) -> Standing {
        let is_used = self.account.as_ref().is_some_and(|it| users.accounts.contains(it));
        match &self.besides {
            Some(besides) => Standing::Changed(format!("{NOT_OWN}: it says {besides}")),
            None if is_used => Standing::Changed(USED.to_owned()),
            None if self.account.is_some() && users.is_open => Standing::Changed(OPEN.to_owned()),
            None => Standing::Own(self.own),
        }
    }
}

const NOT_OWN: &str = "this is not as Kubernetes makes it";
const USED: &str = "Kubernetes makes this for a controller, and something else runs as it";
const OPEN: &str =
    "Kubernetes makes this for a controller, and whether a pod runs as it is not known";

/// Which accounts of the system's namespace pods run as, and templates of pods.
#[derive(Debug, Default)]
pub(super) struct Users {
    accounts: BTreeSet<String>,
    /// Whether there may be more.
    pub(super) is_open: bool,
}

impl Users {
    /// Takes down whom an object runs as, if it is a pod or makes some.
    pub(super) fn add(&mut self, object: &Value) {
        if object["metadata"]["namespace"] != SYSTEM {
            return;
        }
        let version = object["apiVersion"].as_str().unwrap_or_default();
        let is_of = |kind: &&Kind| object["kind"] == kind.name && kind.is_of(version);
        let template = KINDS.iter().find(is_of).and_then(|kind| kind.template);
        let Some(pod) = template.and_then(|pointer| object.pointer(pointer)) else { return };
        let names = ["serviceAccountName", "serviceAccount"].map(|key| pod["spec"][key].as_str());
        self.accounts.extend(names.into_iter().flatten().map(str::to_owned));
    }
}

/// Gives the first field that is none of these.
fn beside(fields: &Value, known: &[&str]) -> Option<String> {
    let mut fields = fields.as_object().into_iter().flatten();
    let other = fields.find(|(key, value)| !value.is_null() && !known.contains(&key.as_str()));
    other.map(|(key, _)| key.clone())
}

const OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];
const MAP: [&str; 4] = ["apiVersion", "data", "kind", "metadata"];

/// What a server writes of an object that says nothing but its name.
const SERVED: [&str; 8] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What stands below a key.
#[derive(Clone, Copy, Debug)]
enum Holds {
    /// Certificates, and nothing between them.
    Certificates,
    /// A day.
    Day,
    /// A list of texts as JSON.
    List,
}

/// ConfigMaps that API servers make in the system's namespace, with the keys that they write.
const MAPS: [(&str, &[(&str, Holds)]); 2] = [
    (
        "extension-apiserver-authentication",
        &[
            ("client-ca-file", Holds::Certificates),
            ("requestheader-allowed-names", Holds::List),
            ("requestheader-client-ca-file", Holds::Certificates),
            ("requestheader-extra-headers-prefix", Holds::List),
            ("requestheader-group-headers", Holds::List),
            ("requestheader-uid-headers", Holds::List),
            ("requestheader-username-headers", Holds::List),
        ],
    ),
    ("kube-apiserver-legacy-service-account-token-tracking", &[("since", Holds::Day)]),
];

/// Gives the first key that is none of these, or below which something else stands.
fn unlike(data: &Value, keys: &[(&str, Holds)]) -> Option<String> {
    let is_own = |key: &str, value: &Value| {
        let holds = keys.iter().find(|(known, _)| *known == key).map(|(_, holds)| *holds);
        holds.zip(value.as_str()).is_some_and(|(holds, text)| holds.is_in(text))
    };
    let mut entries = data.as_object().into_iter().flatten();
    entries.find(|(key, value)| !is_own(key, value)).map(|(key, _)| format!("data.{key}"))
}

impl Holds {
    fn is_in(self, text: &str) -> bool {
        match self {
            Self::Certificates => are_certificates(text),
            Self::Day => is_day(text),
            Self::List => serde_json::from_str::<Vec<String>>(text).is_ok(),
        }
    }
}

/// Whether a text is certificates alone: a key that stands behind them is none.
fn are_certificates(text: &str) -> bool {
    let is_of_body = |letter: char| letter.is_ascii_alphanumeric() || "+/=\r\n".contains(letter);
    let is_one = |block: &str| {
        let parts = block.split_once(END);
        parts.is_some_and(|(body, after)| body.chars().all(is_of_body) && after.trim().is_empty())
    };
    let mut blocks = text.split(BEGIN);
    blocks.next().is_some_and(|before| before.trim().is_empty()) && blocks.all(is_one)
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

fn is_day(text: &str) -> bool {
    let is_of_day = |(at, letter): (usize, u8)| match at {
        4 | 7 => letter == b'-',
        _ => letter.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(is_of_day)
}

#[cfg(test)]
mod tests;
