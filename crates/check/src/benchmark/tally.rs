//! What guidelines come to for all objects of a cluster, counted.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::judgement::Gap;
use serde_json::Value;

use super::census::Census;
use super::members::Members;
use super::own::{has_own_wildcards, is_of_control_plane};
use super::rights::{Holders, full_name};
use super::{beyond, rows};
use crate::admission::{Admitting, Doors};
use crate::guidelines::find;
use crate::judge::judge;
use crate::judgement::Judgement;
use crate::world::{Object, Objects};

/// What guidelines came to for the objects of a cluster.
#[derive(Debug, Default)]
pub struct Tally {
    /// By guideline.
    pub of: BTreeMap<&'static str, Tallied>,
    /// What was not seen.
    blind: Vec<Blind>,
    /// What it tells of its machines.
    pub members: Members,
    /// How many bindings were seen.
    pub(super) bindings: usize,
    pub(super) holders: Holders,
    pub(super) census: Census,
    /// Which pods are let in.
    pub(super) doors: Doors,
}

/// A kind of which not all objects were seen.
#[derive(Debug)]
struct Blind {
    /// The kind; none where it may be any.
    kind: Option<&'static str>,
    /// Why not, and what would show them.
    gap: Gap,
}

/// What one guideline came to.
#[derive(Debug, Default)]
pub struct Tallied {
    /// How many objects keep it.
    pub passed: usize,
    /// How many do not.
    pub failed: usize,
    /// The first objects that do not.
    pub first: Vec<String>,
    /// The namespaces of all that do not; empty for what is in none.
    pub namespaces: BTreeSet<String>,
    /// The first thing that could not be read.
    pub gap: Option<Gap>,
}

/// How many objects are named before the rest is counted.
const FIRST: usize = 3;
const WILDCARDS: &str = "access/no-wildcards";

impl Tally {
    /// Judges all objects by the guidelines that rows rest on.
    pub fn of(objects: &Objects<'_>, admitting: &Admitting) -> Self {
        let mut asked: Vec<_> = rows()
            .chain(beyond())
            .flat_map(|row| row.guidelines())
            .filter_map(|id| find(id))
            .collect();
        asked.sort_by_key(|guideline| guideline.id);
        asked.dedup_by_key(|guideline| guideline.id);
        let mut tally = Self::default();
        let judges = admitting.objects.iter().filter(|it| judges_pods(it));
        judges.for_each(|it| tally.census.add_judge(it));
        tally.census.add_guards(admitting);
        tally.doors = Doors::of(objects, admitting);
        let blind = |kind: Option<&'static str>, gap: &Gap| Blind { kind, gap: gap.clone() };
        let unlisted = objects.unlisted().iter();
        tally.blind.extend(unlisted.map(|(kind, gap)| blind(Some(*kind), gap)));
        tally.blind.extend(objects.unjudged().map(|it| blind(None, &it.gap)));
        tally.holders = Holders::among(objects.iter());
        for (number, object) in objects.iter().enumerate() {
            tally.bindings += usize::from(object.kind.name.ends_with("RoleBinding"));
            tally.census.add(object);
            // It is judged by what it runs, where it runs.
            if is_of_control_plane(object.value) {
                continue;
            }
            for (guideline, judgement) in judge(objects, number, &asked).judgements {
                if guideline.id == WILDCARDS && has_own_wildcards(object.value) {
                    continue;
                }
                tally.of.entry(guideline.id).or_default().add(object, judgement);
            }
        }
        tally
    }

    /// Says that all objects of these kinds were seen.
    ///
    /// # Errors
    /// Some were not: why.
    pub(super) fn sees(&self, kinds: &[&str]) -> Result<(), Gap> {
        let hides =
            |it: &&Blind| !kinds.is_empty() && it.kind.is_none_or(|kind| kinds.contains(&kind));
        self.blind.iter().find(hides).map_or(Ok(()), |it| Err(it.gap.clone()))
    }
}

impl Tallied {
    fn add(&mut self, object: &Object<'_>, judgement: Judgement) {
        match judgement {
            Judgement::Pass(_) => self.passed += 1,
            Judgement::Fail(_) => {
                self.failed += 1;
                self.namespaces.insert(object.namespace().unwrap_or_default().to_owned());
                if self.first.len() < FIRST {
                    self.first.push(full_name(object));
                }
            }
            Judgement::NotApplicable(_) => {}
            Judgement::Unknown(missing) => {
                let gap = missing.into_iter().next().map(|it| it.gap);
                self.gap = self.gap.take().or(gap);
            }
        }
    }
}

/// Whether a policy or a webhook may refuse pods: where that is not clear, it may.
fn judges_pods(object: &Value) -> bool {
    let kinds = ["ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration"];
    if !object["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        return false;
    }
    let webhooks = object.pointer("/webhooks").and_then(Value::as_array);
    let of_webhooks = webhooks.into_iter().flatten().filter_map(|it| it["rules"].as_array());
    let own = object.pointer("/spec/matchConstraints/resourceRules").and_then(Value::as_array);
    let mut rules = of_webhooks.chain(own).flatten();
    rules.any(|rule| {
        let resources = rule["resources"].as_array().into_iter().flatten();
        let words: Vec<&str> = resources.filter_map(Value::as_str).collect();
        words.iter().any(|word| matches!(*word, "pods" | "*" | "*/*" | "pods/*"))
    })
}
