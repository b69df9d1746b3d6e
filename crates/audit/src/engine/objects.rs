//! What became of an object: as the server stored it where that was written down, else as it was sent, or as
//! it was known with a patch laid over it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Deserialize;

use crate::event::{Event, Text};
use crate::patch;
use crate::scene::{Basis, FORMS, number};

/// How much is remembered of objects.
const MOST_BYTES: usize = 64 << 20;
/// An object that is larger is not remembered.
const LARGEST: usize = 1 << 20;

/// Objects as they were seen last.
#[derive(Debug, Default)]
pub(super) struct Objects {
    known: BTreeMap<u64, Arc<str>>,
    order: VecDeque<u64>,
    bytes: usize,
    forgotten: u64,
}

/// The texts that an object may be read from, the best first.
#[derive(Default)]
pub(super) struct Resulting<'e> {
    answered: Option<&'e str>,
    sent: Option<(&'e str, Basis)>,
    patched: Option<(String, Basis)>,
    /// Whether a patch did not fit what was known.
    pub(super) misfit: bool,
}

impl Resulting<'_> {
    pub(super) fn texts(&self) -> [Option<(&str, Basis)>; 2] {
        let answered = self.answered.map(|text| (text, Basis::Stored));
        let patched = self.patched.as_ref().map(|(text, basis)| (text.as_str(), *basis));
        [answered, patched.or(self.sent)]
    }
}

impl Objects {
    /// Finds what became of the object of an event.
    pub(super) fn resulting<'e>(&self, event: &Event<'e>) -> Resulting<'e> {
        let mut resulting = Resulting {
            answered: event.response_object.map(|it| it.get()),
            ..Resulting::default()
        };
        let Some(sent) = event.request_object.map(|it| it.get()) else { return resulting };
        if &*event.verb != "patch" {
            resulting.sent = Some((sent, Basis::Sent));
            return resulting;
        }
        // An answer may hold no object: who asks chooses its form.
        if resulting.answered.is_some_and(|text| !is_form(text)) {
            return resulting;
        }
        let Ok(patch) = serde_json::from_str(sent) else {
            resulting.sent = Some((sent, Basis::Patch));
            return resulting;
        };
        let before = self.before(event).and_then(|text| serde_json::from_str(text).ok());
        let basis = if before.is_some() { Basis::Patched } else { Basis::Patch };
        // What is copied from an object that nobody knows stays unknown.
        resulting.misfit = basis == Basis::Patch && patch::takes_from_before(&patch);
        let patched = patch::apply(before, &patch).map(|object| (object, basis)).or_else(|_| {
            resulting.misfit |= basis == Basis::Patched;
            patch::apply(None, &patch).map(|object| (object, Basis::Patch))
        });
        match patched {
            Ok((object, basis)) => resulting.patched = Some((object.to_string(), basis)),
            Err(_) => resulting.misfit = true,
        }
        // A key that stands twice is lost on the way, so what was sent is read as well.
        if let Err(error) = serde_json::from_str::<crate::node::Node<'_>>(sent)
            && error.is_data()
        {
            (resulting.sent, resulting.patched) = (Some((sent, Basis::Patch)), None);
        }
        resulting
    }

    /// Gives the object as it was before a request that changes it, where it is known.
    pub(super) fn before(&self, event: &Event<'_>) -> Option<&Arc<str>> {
        let changes = matches!(&*event.verb, "update" | "patch");
        (changes && is_whole(event)).then(|| self.known.get(&name(event)))?
    }

    /// Remembers an object as it is now.
    pub(super) fn keep(&mut self, event: &Event<'_>, kept: Option<(&str, Basis)>) {
        let is_written = matches!(&*event.verb, "create" | "update" | "patch") && is_whole(event);
        // Of what is sent to a part of an object the server takes that part alone.
        let is_told = |basis| event.subresource().is_empty() || basis == Basis::Stored;
        let kept = kept.filter(|(_, basis)| is_told(*basis));
        let Some((text, _)) = kept.filter(|_| is_written && !event.name().is_empty()) else {
            return;
        };
        let key = name(event);
        if text.len() > LARGEST {
            self.forget(key);
            return;
        }
        match self.known.insert(key, text.into()) {
            Some(before) => self.bytes -= before.len(),
            None => self.order.push_back(key),
        }
        self.bytes += text.len();
        while self.bytes > MOST_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.known.remove(&oldest).map_or(0, |text| text.len());
            self.forgotten += 1;
        }
    }

    /// Forgets what is not so any more.
    fn forget(&mut self, key: u64) {
        if let Some(before) = self.known.remove(&key) {
            self.bytes -= before.len();
            self.order.retain(|known| *known != key);
            self.forgotten += 1;
        }
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// Parts of objects that are written and answered as the whole object.
const WHOLE: [&str; 6] = ["", "approval", "ephemeralcontainers", "finalize", "resize", "status"];

/// Whether a request is about a whole object, and not about another that is called like it, such as its scale.
fn is_whole(event: &Event<'_>) -> bool {
    WHOLE.contains(&event.subresource())
}

/// Whether an answer has a form that holds no object.
pub(super) fn is_form(answer: &str) -> bool {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        kind: Text<'a>,
    }
    // Whatever else stands there, such a one is not read as a form.
    if leading_kind(answer).is_some_and(|kind| !FORMS.contains(&kind)) {
        return false;
    }
    serde_json::from_str::<Answer<'_>>(answer).is_ok_and(|it| FORMS.contains(&&*it.kind))
}

/// Gives the kind where servers write it: first, or behind the version. Nothing where it stands otherwise.
fn leading_kind(object: &str) -> Option<&str> {
    fn text(rest: &str) -> Option<(&str, &str)> {
        let end = rest.find(['"', '\\'])?;
        let (text, rest) = rest.split_at(end);
        Some((text, rest.strip_prefix('"')?))
    }
    let rest = object.strip_prefix('{')?;
    let rest = match rest.strip_prefix("\"apiVersion\":\"") {
        Some(rest) => text(rest)?.1.strip_prefix(',')?,
        None => rest,
    };
    Some(text(rest.strip_prefix("\"kind\":\"")?)?.0)
}

/// A part of an object that holds the whole one is the same object.
fn name(event: &Event<'_>) -> u64 {
    let group = event.object_ref.as_ref().map_or("", |of| of.group());
    number(&[group, event.resource(), event.namespace(), event.name()])
}

#[cfg(test)]
mod tests {
    use super::{is_form, leading_kind};

    #[test]
    fn a_form_is_known_wherever_its_kind_stands() {
        for (answer, kind, expected) in [
            (r#"{"kind":"Pod","metadata":{}}"#, Some("Pod"), false),
            (r#"{"apiVersion":"a/v1","kind":"Canary"}"#, Some("Canary"), false),
            (r#"{"kind":"Status","code":200}"#, Some("Status"), true),
            (r#"{"apiVersion":"meta.k8s.io/v1","kind":"Table"}"#, Some("Table"), true),
            (r#"{"metadata":{},"kind":"Status"}"#, None, true),
            (r#"{ "kind": "Status" }"#, None, true),
            (r#"{"kind":"Stat\u0075s"}"#, None, true),
            (r#"{"apiVersion":"\"","kind":"Status"}"#, None, true),
            (r#"{"metadata":{"kind":"Status"}}"#, None, false),
            (r#"{"kind":"Pod","kind":"Status"}"#, Some("Pod"), false),
            (r#"{"kind":"Status","kind":"Pod"}"#, Some("Status"), false),
            ("null", None, false),
        ] {
            assert_eq!((leading_kind(answer), is_form(answer)), (kind, expected), "{answer}");
        }
    }
}
