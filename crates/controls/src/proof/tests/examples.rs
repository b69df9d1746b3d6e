//! The examples on the page of every control are judged as it says, and nothing else fails there.
//!
//! An example is the good world but for some answers. `where` is a part of the act that is answered otherwise: fields
//! have to be there (null: not), entries of a list to be among it, and a `*` in a text stands for anything. The answer
//! is `seen`, or the usual one but for what `change` has at JSON pointers (`*` is every entry, `-` one more, null takes
//! away) and for texts that it `reads` otherwise. `times` says how often at most. Several of these stand in the list
//! `but`, and `also` names controls that fail as well.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use ringfort_model::act::Seen;
use ringfort_model::judgement::{Decided, Judgement};

use super::{Case, cases, good, judge_in};
use crate::catalogue::CATALOGUE;
use crate::control::Control;
use crate::example::{Example, Kind};

/// What is told of an example that differs in nothing.
const NO_BORDER: &str = "as `ringfort up` leaves it";

#[test]
fn every_control_that_is_proved_has_examples_of_each_kind() {
    for control in CATALOGUE {
        let examples = control.examples();
        let fences = control.doc.matches("\n```json").count();
        assert_eq!(fences, examples.len(), "{}: a block is no example", control.id);
        let told: BTreeSet<String> = examples.iter().map(|it| it.said().unwrap()).collect();
        assert_eq!(told.len(), examples.len(), "{}: two examples tell the same", control.id);
        assert!(!told.iter().any(|it| it.is_empty() || it.ends_with('.')), "{}", control.id);
        let has = |kind| examples.iter().any(|example| example.kind == kind);
        assert!(Kind::ALL.into_iter().all(has), "{}: an example is missing", control.id);
        assert!(control.prove.is_some(), "{}: no behaviour shows it", control.id);
    }
}

#[test]
fn every_example_is_judged_as_its_page_says() {
    let mut wrong = Vec::new();
    for (control, example) in all() {
        let world = World::of(&example);
        let case = super::case(control.id);
        let (judgement, told) = world.judge(&case);
        if judged(&judgement) != Some(example.kind) {
            wrong.push(format!("{} {}: {judgement:?}", control.id, world.said));
        }
        if told.contains(&0) {
            wrong.push(format!("{} {}: changes nothing: {told:?}", control.id, world.said));
        }
        let is_usual = told.is_empty();
        let may_be = example.kind == Kind::Passes && world.said == NO_BORDER;
        if is_usual != may_be {
            wrong.push(format!("{} {}: is the good world or not", control.id, world.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_fails_in_an_example_but_what_its_page_says() {
    let mut wrong = Vec::new();
    let cases: Vec<(Case, Vec<Value>)> = cases().into_iter().map(with_acts).collect();
    for (control, example) in all() {
        let world = World::of(&example);
        let fails = |(case, acts): &&(Case, Vec<Value>)| {
            world.touches(acts) && matches!(world.judge(case).0, Ok(Decided::Fail(_)))
        };
        let failed: BTreeSet<&str> =
            cases.iter().filter(fails).map(|(case, _)| case.control).collect();
        let own = (example.kind == Kind::Fails).then_some(control.id);
        let expected: BTreeSet<&str> = world.also.iter().map(String::as_str).chain(own).collect();
        if failed != expected {
            wrong.push(format!("{} {}: {failed:?}", control.id, world.said));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A proof with what it does in the good world: where none of that is answered otherwise, it ends as it does there.
fn with_acts(case: Case) -> (Case, Vec<Value>) {
    let mut acts = Vec::new();
    let judgement = judge_in(&case, &mut |case, round, act| {
        acts.push(serde_json::to_value(act).unwrap());
        good(case, round, act)
    });
    assert_eq!(judged(&judgement), Some(Kind::Passes), "{}", case.control);
    (case, acts)
}

fn all() -> impl Iterator<Item = (&'static Control, Example)> {
    let of =
        |control: &'static Control| control.examples().into_iter().map(move |it| (control, it));
    CATALOGUE.iter().copied().flat_map(of)
}

fn judged(judgement: &Judgement) -> Option<Kind> {
    match judgement {
        Ok(Decided::Pass(_)) => Some(Kind::Passes),
        Ok(Decided::Fail(_)) => Some(Kind::Fails),
        Ok(Decided::NotApplicable { .. }) => None,
        Err(_) => Some(Kind::Unknown),
    }
}

/// A world that is good but for some answers.
struct World {
    said: String,
    also: Vec<String>,
    changes: Vec<Change>,
}

/// What is answered otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(rename = "where")]
    of: Value,
    times: Option<usize>,
    seen: Option<Seen>,
    #[serde(default)]
    change: BTreeMap<String, Value>,
    #[serde(default)]
    reads: BTreeMap<String, String>,
}

impl World {
    fn of(example: &Example) -> Self {
        let parsed = |value: Value| serde_json::from_value(value).expect(example.text);
        let mut told: Map<String, Value> = serde_json::from_str(example.text)
            .unwrap_or_else(|why| panic!("{why}: {}", example.text));
        told.remove("said");
        let also = told.remove("also").map(|also| serde_json::from_value(also).unwrap());
        let changes = match told.remove("but") {
            Some(Value::Array(all)) => all.into_iter().map(parsed).collect(),
            _ if told.is_empty() => Vec::new(),
            _ => vec![parsed(Value::Object(std::mem::take(&mut told)))],
        };
        assert!(told.is_empty(), "{}", example.text);
        Self { said: example.said().unwrap(), also: also.unwrap_or_default(), changes }
    }

    fn touches(&self, acts: &[Value]) -> bool {
        self.changes.iter().any(|change| acts.iter().any(|act| holds(act, &change.of)))
    }

    /// Judges in it, and counts how often each change made an answer another.
    fn judge(&self, case: &Case) -> (Judgement, Vec<usize>) {
        let mut told = vec![0; self.changes.len()];
        let judgement = judge_in(case, &mut |case, round, act| {
            let asked = serde_json::to_value(act).unwrap();
            let mut seen = good(case, round, act);
            for (change, times) in self.changes.iter().zip(&mut told) {
                if change.times.is_none_or(|most| *times < most) && holds(&asked, &change.of) {
                    let usual = std::mem::replace(&mut seen, Seen::Done);
                    seen = change.made_of(&usual);
                    *times += usize::from(seen != usual);
                }
            }
            seen
        });
        (judgement, told)
    }
}

impl Change {
    fn made_of(&self, usual: &Seen) -> Seen {
        if let Some(seen) = &self.seen {
            return seen.clone();
        }
        let mut value = serde_json::to_value(usual).unwrap();
        for (pointer, other) in &self.change {
            let path: Vec<String> =
                pointer.split('/').skip(1).map(|it| it.replace("~1", "/")).collect();
            // An answer of another kind has no such place.
            if path.first().is_some_and(|kind| value.get(kind).is_some()) {
                put(&mut value, &path, other);
            }
        }
        for (text, other) in &self.reads {
            exchange(&mut value, text, other);
        }
        serde_json::from_value(value).expect("what is changed is an answer still")
    }
}

/// Says whether a part stands in a whole.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(all), Value::Object(some)) => {
            some.iter().all(|(key, part)| holds(all.get(key).unwrap_or(&Value::Null), part))
        }
        (Value::Array(all), Value::Array(some)) => {
            some.iter().all(|part| all.iter().any(|it| holds(it, part)))
        }
        (Value::String(text), Value::String(like)) => match like.split_once('*') {
            Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| has_end(rest, end)),
            None => text == like,
        },
        (whole, part) => whole == part,
    }
}

/// Says whether a text ends so, or has a middle between two stars.
fn has_end(text: &str, end: &str) -> bool {
    match end.strip_suffix('*') {
        Some(middle) => text.contains(middle),
        None => text.ends_with(end),
    }
}

/// Puts a value where a path leads.
fn put(into: &mut Value, path: &[String], value: &Value) {
    let Some((first, rest)) = path.split_first() else {
        *into = value.clone();
        return;
    };
    if into.is_null() {
        *into = json!({});
    }
    let goes = rest.is_empty() && value.is_null();
    match into {
        Value::Object(fields) if first == "*" => {
            fields.values_mut().for_each(|field| put(field, rest, value));
        }
        Value::Object(fields) if goes => drop(fields.remove(first)),
        Value::Object(fields) => put(fields.entry(first).or_insert(Value::Null), rest, value),
        Value::Array(entries) if first == "*" => {
            entries.iter_mut().for_each(|entry| put(entry, rest, value));
        }
        Value::Array(entries) if first == "-" => {
            let mut entry = Value::Null;
            put(&mut entry, rest, value);
            entries.push(entry);
        }
        Value::Array(entries) => {
            let place: usize = first.parse().expect("an entry of a list has a number");
            match entries.get_mut(place) {
                Some(_) if goes => drop(entries.remove(place)),
                Some(entry) => put(entry, rest, value),
                None => {}
            }
        }
        other => panic!("{first} is no part of {other}"),
    }
}

/// Exchanges a part of every text.
fn exchange(value: &mut Value, text: &str, other: &str) {
    match value {
        Value::String(it) => *it = it.replace(text, other),
        Value::Array(entries) => entries.iter_mut().for_each(|it| exchange(it, text, other)),
        Value::Object(fields) => fields.values_mut().for_each(|it| exchange(it, text, other)),
        _ => {}
    }
}
