//! Waivers: who answers for a finding, why, where and until when. They are applied to what judges found,
//! never inside judges, and the day is an argument.
//!
//! They are written as in `cluster.yaml`, under `waivers`, where a scope may also name objects and their
//! containers. What is wrong with one is a finding of its own.

use jiff::civil::Date;
use ringfort_model::severity::Severity;
use serde::Deserialize;
use serde_json::Value;

use crate::guideline::{Guideline, Judge};
use crate::report::{Place, Whose};

/// A decision against a control.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Waiver {
    /// The control's id.
    pub control: String,
    /// What it is limited to; everything where there is none.
    pub scope: Option<Scope>,
    /// Why this is right.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// What a waiver is limited to: one of the three.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Scope {
    /// Namespaces, by name.
    pub namespaces: Vec<String>,
    /// Nodes, by name.
    pub nodes: Vec<String>,
    /// Objects, and containers of them.
    pub objects: Vec<Only>,
}

/// One object, or one container of it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Only {
    /// Its kind.
    pub kind: String,
    /// Its namespace; one that says none where this is left out.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// One of its containers; all of it where this is left out.
    pub container: Option<String>,
}

/// Says why a waiver cannot be read, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unclear {
    /// The JSON pointer to it.
    pub pointer: String,
    /// What is wrong, in one sentence.
    pub why: String,
    /// What to write.
    pub help: String,
}

/// Reads the waivers of a document. Those of a cluster's specification that are about other controls than
/// these are none of ours.
///
/// # Errors
/// All that is wrong, with its places.
pub fn read(document: &Value, known: &[&str]) -> Result<Vec<(String, Waiver)>, Vec<Unclear>> {
    let unclear = |pointer: &str, why: String, help: &str| {
        vec![Unclear { pointer: pointer.to_owned(), why, help: help.to_owned() }]
    };
    let Some(list) = document.get("waivers") else {
        return match is_cluster(document) {
            true => Ok(Vec::new()),
            false => Err(unclear("", "there are no waivers here".to_owned(), SHAPE)),
        };
    };
    let Some(list) = list.as_array() else {
        return Err(unclear("/waivers", "waivers are a list".to_owned(), SHAPE));
    };
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for (index, value) in list.iter().enumerate() {
        let pointer = format!("/waivers/{index}");
        let is_ours = value["control"].as_str().is_some_and(|control| known.contains(&control));
        if is_cluster(document) && !is_ours {
            continue;
        }
        match one(value, &pointer, known) {
            Ok(waiver) => read.push((pointer, waiver)),
            Err(unclear) => wrong.push(unclear),
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

fn is_cluster(document: &Value) -> bool {
    document["kind"].as_str() == Some("Cluster")
}

fn one(value: &Value, pointer: &str, known: &[&str]) -> Result<Waiver, Unclear> {
    let waiver = Waiver::deserialize(value).map_err(|error| Unclear {
        pointer: pointer.to_owned(),
        why: format!("this waiver cannot be read: {error}"),
        help: SHAPE.to_owned(),
    })?;
    let unclear = |below: &str, why: String, help: &str| Unclear {
        pointer: format!("{pointer}/{below}"),
        why,
        help: help.to_owned(),
    };
    if !known.contains(&waiver.control.as_str()) {
        let why = format!("there is no control `{}`", waiver.control);
        return Err(unclear("control", why, "`ringfort explain` lists the controls"));
    }
    for (name, text) in [("reason", &waiver.reason), ("owner", &waiver.owner)] {
        if text.trim().is_empty() {
            return Err(unclear(name, format!("a waiver has no {name}"), SHAPE));
        }
    }
    if waiver.scope.as_ref().is_some_and(|scope| scope.kinds() != 1) {
        let why = "the limit is not one of namespaces, nodes and objects".to_owned();
        return Err(unclear("scope", why, SHAPE));
    }
    Ok(waiver)
}

const SHAPE: &str = "write `waivers: [{ control: ID, scope: { namespaces: [NAME] }, reason: …, owner: …, expires: \
                     YYYY-MM-DD }]`; a scope may name `nodes: [NAME]` or `objects: [{ kind, namespace, name, \
                     container }]` instead";

impl Scope {
    fn kinds(&self) -> usize {
        let filled = [self.namespaces.is_empty(), self.nodes.is_empty(), self.objects.is_empty()];
        filled.iter().filter(|is_empty| !**is_empty).count()
    }
}

impl Only {
    fn is(&self, whose: &Whose) -> bool {
        self.kind == whose.kind && self.name == whose.name && self.namespace == whose.namespace
    }
}

impl Waiver {
    /// Whether it holds on a day.
    pub fn holds(&self, today: Date) -> bool {
        self.expires >= today
    }

    /// Whether it is about a finding of its control at a place.
    pub fn covers(&self, place: &Place) -> bool {
        let Some(scope) = &self.scope else { return true };
        let is_within = |name: &String| place.namespace() == Some(name);
        let is_on = |name: &String| place.node() == Some(name);
        let is_of = |only: &Only| {
            place.object().is_some_and(|at| {
                only.is(&at.object)
                    && (only.container.is_none()
                        || only.container.as_deref() == at.container.as_deref())
            })
        };
        scope.namespaces.iter().any(is_within)
            || scope.nodes.iter().any(is_on)
            || scope.objects.iter().any(is_of)
    }

    /// Whether it would cover an object as a whole, as one by which its control is kept.
    pub(crate) fn spans(&self, whose: &Whose) -> bool {
        let Some(scope) = &self.scope else { return true };
        let is_within = |name: &String| whose.namespace.as_ref() == Some(name);
        let is_it = |only: &Only| only.container.is_none() && only.is(whose);
        scope.namespaces.iter().any(is_within) || scope.objects.iter().any(is_it)
    }
}

/// Waivers with where each stands, on a day.
#[derive(Debug)]
pub struct Waivers {
    /// Each with its place.
    pub all: Vec<(Place, Waiver)>,
    /// The day.
    pub today: Date,
}

impl Waivers {
    /// Gives the number of the first waiver that holds and is about a finding.
    pub(crate) fn of(&self, control: &str, place: &Place) -> Option<usize> {
        let is_it = |waiver: &Waiver| {
            waiver.control == control && waiver.holds(self.today) && waiver.covers(place)
        };
        self.all.iter().position(|(_, waiver)| is_it(waiver))
    }

    /// Gives the numbers of the waivers that hold and would cover an object that needs none.
    pub(crate) fn spanning(&self, control: &str, whose: &Whose) -> impl Iterator<Item = usize> {
        let is_it = move |waiver: &Waiver| {
            waiver.control == control && waiver.holds(self.today) && waiver.spans(whose)
        };
        let numbered = self.all.iter().enumerate();
        numbered.filter(move |(_, (_, waiver))| is_it(waiver)).map(|(number, _)| number)
    }
}

/// What is asked of waivers, by id.
pub(crate) static ASKED: [&Guideline; 3] = [&CURRENT, &NARROW, &USED];

/// Whether a control asks waivers something, and no object.
pub(crate) fn is_about(control: &str) -> bool {
    ASKED.iter().any(|guideline| guideline.id == control)
}

pub(crate) static CURRENT: Guideline = Guideline {
    id: "waivers/current",
    title: "Every waiver holds today",
    severity: Severity::Medium,
    refs: &[],
    doc: include_str!("waivers/current.md"),
    judge: Judge::Waiver,
};

pub(crate) static NARROW: Guideline = Guideline {
    id: "waivers/narrow",
    title: "No waiver covers what needs none",
    severity: Severity::Low,
    refs: &[],
    doc: include_str!("waivers/narrow.md"),
    judge: Judge::Waiver,
};

pub(crate) static USED: Guideline = Guideline {
    id: "waivers/used",
    title: "Every waiver covers a finding",
    severity: Severity::Low,
    refs: &[],
    doc: include_str!("waivers/used.md"),
    judge: Judge::Waiver,
};

#[cfg(test)]
mod tests;
