//! Events that a rule finds, and some that it does not: made from what it looks for.

use serde_json::{Value, json};

use super::field::{Field, LISTS};
use super::group_of;
use super::selection::{Test, Wanted};

/// What fields hold in an event that is made.
type Held = Vec<(Field, Value)>;

/// Makes events that may be found: one for each way.
pub(super) fn found(test: &Test) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    for event in ways_of(test).iter().map(event) {
        if !events.contains(&event) {
            events.push(event);
        }
    }
    events
}

/// Makes events that may not be found: like one that is, but for one field; and one of something else altogether.
pub(super) fn quiet(test: &Test) -> Vec<Value> {
    let way = ways_of(test).into_iter().next().unwrap_or_default();
    let other = |at: usize| {
        let mut other = way.clone();
        other[at].1 = match &other[at] {
            (Field::Object(_), _) => Value::Null,
            (field, _) if *field == Field::VERB => "watch".into(),
            (field, _) if *field == Field::RESOURCE => "anything".into(),
            (field, held) if *field == Field::CODE => {
                let is_refused = held.as_i64().is_some_and(|code| code >= 400);
                if is_refused { 200 } else { 403 }.into()
            }
            _ => "something else".into(),
        };
        event(&other)
    };
    let mut all: Vec<Value> = (0..way.len()).map(other).collect();
    // Another field of the same resource says more than another resource.
    all.sort_by_key(|event| event["of"].as_str().is_some_and(|of| of.contains(":anything ")));
    all.push(json!({"verb": "watch", "of": ":anything elsewhere/x"}));
    let excluded = excluded(test);
    all.extend(excluded.iter().filter_map(|other| joined(&way, other)).map(|held| event(&held)));
    all.extend(excluded.iter().map(event));
    all
}

/// The ways to be what a rule excludes.
fn excluded(test: &Test) -> Vec<Held> {
    match test {
        Test::All(tests) | Test::Any(tests) => tests.iter().flat_map(excluded).collect(),
        Test::Not(test) => ways_of(test),
        Test::Is(..) => Vec::new(),
    }
}

/// So many ways are made.
const MOST: usize = 64;

/// The ways to be found, as far as they can be made.
fn ways_of(test: &Test) -> Vec<Held> {
    match test {
        Test::Any(tests) => tests.iter().flat_map(ways_of).take(MOST).collect(),
        Test::All(tests) => {
            let mut ways: Vec<Held> = vec![Vec::new()];
            for test in tests {
                let more = ways_of(test);
                ways = ways
                    .iter()
                    .flat_map(|way| more.iter().filter_map(|other| joined(way, other)))
                    .take(MOST)
                    .collect();
            }
            ways
        }
        // What is excluded is not there.
        Test::Not(_) => vec![Vec::new()],
        Test::Is(field, wanted) => {
            let held = |wanted: &Wanted| Some(vec![(field.clone(), value(field, wanted)?)]);
            wanted.iter().filter_map(held).collect()
        }
    }
}

/// Puts two together; of a field that both name, one text may have to hold both.
fn joined(one: &Held, other: &Held) -> Option<Held> {
    let mut all = one.clone();
    for (field, value) in other {
        match all.iter_mut().find(|(held, _)| held == field) {
            Some((_, held)) if held == value => {}
            Some((Field::Event(..), Value::String(held))) => held.push_str(value.as_str()?),
            Some(_) => return None,
            None => all.push((field.clone(), value.clone())),
        }
    }
    Some(all)
}

fn value(field: &Field, wanted: &Wanted) -> Option<Value> {
    Some(match wanted {
        Wanted::Text { pattern, .. } => {
            let mut text = String::new();
            let mut letters = pattern.chars();
            while let Some(letter) = letters.next() {
                match letter {
                    '*' => {}
                    '?' => text.push('x'),
                    '\\' => text.extend(letters.next()),
                    _ => text.push(letter),
                }
            }
            text.into()
        }
        Wanted::Regex(_) => return None,
        Wanted::Number("<", number) => (number - 1).into(),
        Wanted::Number(">", number) => (number + 1).into(),
        Wanted::Number(_, number) => (*number).into(),
        Wanted::Bool(is) => (*is).into(),
        Wanted::There(true) if *field == Field::CODE => 200.into(),
        Wanted::There(true) => "x".into(),
        Wanted::There(false) => Value::Null,
    })
}

fn event(held: &Held) -> Value {
    let of = |field: Field| held.iter().find(|(name, _)| *name == field).map(|(_, value)| value);
    let text = |field: Field, otherwise: &str| {
        of(field).map_or(otherwise, |value| value.as_str().unwrap_or_default()).to_owned()
    };
    let resource = text(Field::RESOURCE, "pods");
    let group = text(Field::GROUP, group_of(&resource));
    let part = text(Field::SUBRESOURCE, "");
    let slash = if part.is_empty() { "" } else { "/" };
    let (namespace, name) = (text(Field::NAMESPACE, "web"), text(Field::NAME, "x"));
    let mut event = json!({
        "verb": text(Field::VERB, "create"),
        "of": format!("{group}:{resource}{slash}{part} {namespace}/{name}"),
    });
    if of(Field::USER).or(of(Field::GROUPS)).is_some() {
        event["user"] = json!({"username": text(Field::USER, "eve")});
        if let Some(group) = of(Field::GROUPS) {
            event["user"]["groups"] = json!([group]);
        }
    }
    for (field, name) in [(Field::AGENT, "userAgent"), (Field::URI, "requestURI")] {
        if let Some(value) = of(field) {
            event[name] = value.as_str().unwrap_or_default().into();
        }
    }
    if let Some(source) = of(Field::SOURCES) {
        event["sourceIPs"] = if source.is_null() { json!([]) } else { json!([source]) };
    }
    if let Some(code) = of(Field::CODE) {
        event["responseStatus"] = json!({"code": code});
    }
    let mut object = Value::Null;
    for (field, value) in held {
        if let Field::Object(path) = field {
            put(&mut object, path, value);
        }
    }
    if !object.is_null() {
        event["responseObject"] = object;
    }
    event
}

/// Puts a value at its path, with lists where there are lists.
fn put(object: &mut Value, path: &[String], value: &Value) {
    let Some((part, below)) = path.split_first() else {
        *object = value.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    let within = &mut object[part.as_str()];
    match LISTS.contains(&part.as_str()) {
        true => {
            if !within.is_array() {
                *within = json!([null]);
            }
            put(&mut within[0], below, value);
        }
        false => put(within, below, value),
    }
}
