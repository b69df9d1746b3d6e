//! What guidelines come to for all objects of a cluster, counted.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::judgement::Gap;
use ringfort_model::pod_security::Level;
use serde_json::Value;

use super::census::Census;
use super::own::{has_own_wildcards, is_mirror};
use super::rights::{Holders, full_name};
use super::rows;
use crate::guidelines::find;
use crate::judge::judge;
use crate::judgement::Judgement;
use crate::world::{Object, Objects};

/// What guidelines came to for the objects of a cluster.
#[derive(Debug, Default)]
pub struct Tally {
    /// By guideline.
    pub of: BTreeMap<&'static str, Tallied>,
    /// What each namespace asks of pods by its labels.
    pub namespaces: Vec<Asked>,
    /// Names of what may refuse pods besides: policies and webhooks that nobody evaluates here.
    pub besides: Vec<String>,
    /// What could not be listed.
    pub blind: Vec<Gap>,
    /// How many bindings were seen.
    pub(super) bindings: usize,
    pub(super) holders: Holders,
    pub(super) census: Census,
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

/// What a namespace asks of pods.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// Its name.
    pub namespace: String,
    /// The level of its label; none where it has no label.
    pub level: Option<Level>,
    /// Whether its label cannot be read, which a server takes for the strictest.
    pub unreadable: bool,
}

/// How many objects are named before the rest is counted.
const FIRST: usize = 3;
const WILDCARDS: &str = "access/no-wildcards";
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

impl Tally {
    /// Judges all objects by the guidelines that rows rest on.
    pub fn of(objects: &Objects<'_>, besides: &[Value], blind: Vec<Gap>) -> Self {
        let mut asked: Vec<_> =
            rows().flat_map(|row| row.guidelines()).filter_map(|id| find(id)).collect();
        asked.sort_by_key(|guideline| guideline.id);
        asked.dedup_by_key(|guideline| guideline.id);
        let mut tally = Self { blind, ..Self::default() };
        tally.besides.extend(besides.iter().filter(|it| is_about_pods(it)).map(name));
        besides.iter().filter(|it| is_about_pods(it)).for_each(|it| tally.census.add_judge(it));
        tally.blind.extend(objects.unjudged().iter().map(|it| it.gap.clone()));
        tally.holders = Holders::among(objects.iter());
        for (number, object) in objects.iter().enumerate() {
            if object.kind.name == "Namespace" {
                tally.namespaces.push(asks(object));
            }
            tally.bindings += usize::from(object.kind.name.ends_with("RoleBinding"));
            tally.census.add(object);
            // A static pod comes from a file of its machine, where it is judged.
            if is_mirror(object.value) {
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

fn asks(namespace: &Object<'_>) -> Asked {
    let label = namespace.value.pointer("/metadata/labels").and_then(|labels| labels.get(ENFORCE));
    let level = label.and_then(Value::as_str).and_then(|word| word.parse::<Level>().ok());
    let unreadable = label.is_some() && level.is_none();
    Asked { namespace: namespace.name().to_owned(), level, unreadable }
}

fn name(object: &Value) -> String {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("/kind"), text("/metadata/name"))
}

/// Whether a policy or a webhook may have a say about pods: where that is not clear, it may.
fn is_about_pods(object: &Value) -> bool {
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
