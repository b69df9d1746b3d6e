//! What a cluster says of namespaces that it closes by itself. What that means is decided where the enforcer and
//! `ringfort netpol explain` decide it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringfort_model::judgement::Gap;
use ringfort_model::network_policy::{Defaults, ENFORCER, NOTICE, OWN};
use ringfort_policy::{Labels, is_closed_by};
use serde_json::Value;

use crate::kinds::Kind;
use crate::outline::Known;
use crate::texts::Texts;
use crate::world::{Namespace, Objects};

/// What a cluster says of namespaces that it closes by itself.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    heed: Heed,
    /// Each with the number of the object that says it.
    notices: Vec<(usize, Arc<Defaults>)>,
    /// The labels of namespaces, where they can be read.
    labels: BTreeMap<&'a str, Option<Arc<Labels>>>,
}

/// Whether it counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Heed {
    /// It does not: machines are asked instead.
    #[default]
    Passed,
    /// It does.
    Heeded,
}

impl<'a> Said<'a> {
    /// Takes what an object, with its number, says of it.
    pub(crate) fn note(
        &mut self,
        (number, kind): (usize, &Kind),
        object: &'a Value,
        known: &Known,
    ) {
        self.notices.extend(known.notice.clone().map(|it| (number, it)));
        if let ("Namespace", Some(name)) = (kind.name, object["metadata"]["name"].as_str()) {
            let held = self.labels.entry(name).or_insert_with(|| known.labels.clone());
            // Of two that differ nobody knows which is there.
            if *held != known.labels {
                *held = None;
            }
        }
    }

    /// Gives the number of the object by which a namespace is closed.
    fn closes(&self, namespace: &str) -> Result<Option<usize>, Gap> {
        let [(number, defaults), rest @ ..] = self.notices.as_slice() else { return Ok(None) };
        // Of several that differ nobody knows which holds.
        if rest.iter().any(|(_, it)| it != defaults) {
            return Ok(None);
        }
        let labels = self.labels.get(namespace).and_then(Option::as_deref);
        let is_closed = is_closed_by(defaults, namespace, labels);
        match is_closed && labels.is_none() && !defaults.open_labels.is_empty() {
            false => Ok(is_closed.then_some(*number)),
            true => Err(Gap {
                said: format!("whether a label opens the namespace {namespace} is not known"),
                closes: format!("give the Namespace {namespace}"),
            }),
        }
    }
}

impl Objects<'_> {
    /// Takes it as said where a cluster says that it closes namespaces by itself: nobody can look at its machines. That
    /// is for what a server holds: whoever writes manifests can write the same words.
    #[must_use]
    pub fn with_notice(mut self) -> Self {
        self.said.heed = Heed::Heeded;
        self
    }

    /// Gives the number of the object by which the cluster closes a namespace by itself, where its enforcers have
    /// their right as well: that takes more than to write a ConfigMap.
    ///
    /// # Errors
    /// A label may open it and the namespace's labels are not known, or not all that says it could be listed.
    pub(crate) fn closed_by_itself(&self, namespace: Namespace<'_>) -> Result<Option<usize>, Gap> {
        let Namespace::Said(name) = namespace else { return Ok(None) };
        let closes = match (self.said.heed, self.said.notices.is_empty()) {
            (Heed::Passed, _) => return Ok(None),
            (Heed::Heeded, true) => {
                self.complete("ConfigMap", Namespace::Said(NOTICE.0)).map(|()| None)
            }
            (Heed::Heeded, false) => self.said.closes(name),
        };
        if closes == Ok(None) || self.has_enforcers() {
            return closes;
        }
        self.complete("ClusterRoleBinding", Namespace::Beside).map(|()| None)
    }

    /// Whether enforcers of ringfort's have their right.
    fn has_enforcers(&self) -> bool {
        let bound = self.find("ClusterRoleBinding", Namespace::Beside, ENFORCER);
        let subjects = bound.and_then(|(_, it)| it.value["subjects"].as_array());
        let is_theirs = |it: &Value| it["kind"] == "User" && it["name"] == ENFORCER;
        subjects.into_iter().flatten().any(is_theirs)
    }
}

/// Reads the notice of a cluster, if it is one: by it namespaces are closed where ringfort says in its own words that it
/// does. What others close is in policies of their own.
pub(crate) fn notice(object: &Value, texts: Texts) -> Option<Defaults> {
    let (metadata, data) = (&object["metadata"], &object["data"]);
    let is_it = metadata["namespace"] == NOTICE.0 && metadata["name"] == NOTICE.1;
    let is_own = !texts.has_template(data) && data["closedBy"] == OWN;
    let said = || is_own.then(|| Defaults::noticed(data).ok()).flatten();
    is_it.then(|| said().unwrap_or_default())
}

/// Reads the labels of a namespace, all of them or none.
pub(crate) fn labels(object: &Value, texts: Texts) -> Option<Labels> {
    let labels = match &object["metadata"]["labels"] {
        Value::Null => return Some(Labels::new()),
        labels if texts.has_template(labels) => return None,
        labels => labels.as_object()?,
    };
    labels.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
