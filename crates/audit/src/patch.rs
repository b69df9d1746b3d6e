//! Patches, applied to what was there before. Which kind one is, an event does not say: a list is a JSON
//! patch (RFC 6902), an object a merge patch (RFC 7386), a strategic one or an applied configuration, all of
//! which lay fields over those that are there. Lists of named things are merged by name, as the last two do,
//! so that nothing that a patch brings is missed.

use serde_json::{Map, Value};

/// Says that a patch does not fit.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct DoesNotFit;

/// Applies a patch. Without anything that was there before, gives what the patch brings by itself.
pub(crate) fn apply(before: Option<Value>, patch: &Value) -> Result<Value, DoesNotFit> {
    match (patch, before) {
        (Value::Array(steps), Some(before)) => {
            steps.iter().try_fold(before, |object, step| one(object, step, Missing::Refused))
        }
        (Value::Array(steps), None) => {
            steps.iter().try_fold(Value::Null, |object, step| one(object, step, Missing::Made))
        }
        (Value::Object(_), before) => {
            let mut object = before.unwrap_or_default();
            lay(&mut object, patch);
            Ok(object)
        }
        _ => Err(DoesNotFit),
    }
}

/// Whether a patch moves or copies what it did not bring itself, so that only who knows the object knows what it does.
pub(crate) fn takes_from_before(patch: &Value) -> bool {
    let mut object = Value::Null;
    for step in patch.as_array().into_iter().flatten() {
        let takes = matches!(step["op"].as_str(), Some("move" | "copy"));
        let from = step["from"].as_str().unwrap_or_default();
        if takes && object.pointer(from).is_none_or(Value::is_null) {
            return true;
        }
        match one(object, step, Missing::Made) {
            Ok(after) => object = after,
            Err(DoesNotFit) => return false,
        }
    }
    false
}

/// What becomes of a place that is not there.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Missing {
    Refused,
    Made,
}

fn one(mut object: Value, step: &Value, missing: Missing) -> Result<Value, DoesNotFit> {
    let text = |key: &str| step[key].as_str().ok_or(DoesNotFit);
    let path = text("path")?;
    let found = |object: &Value, path: &str| object.pointer(path).cloned().ok_or(DoesNotFit);
    match (text("op")?, missing) {
        ("add", _) => put(&mut object, path, step["value"].clone(), Put::Insert, missing)?,
        ("replace", _) => put(&mut object, path, step["value"].clone(), Put::Replace, missing)?,
        // What a patch brought it may lay elsewhere.
        ("move" | "copy", Missing::Made) => {
            if let Ok(brought) = found(&object, text("from")?) {
                put(&mut object, path, brought, Put::Insert, missing)?;
            }
        }
        // What a patch takes away or looks at says nothing of what it brings.
        ("remove" | "test", Missing::Made) => {}
        ("remove", _) => drop(take(&mut object, path)?),
        ("test", _) => {}
        ("move", _) => {
            let moved = take(&mut object, text("from")?)?;
            put(&mut object, path, moved, Put::Insert, missing)?;
        }
        ("copy", _) => {
            let copied = found(&object, text("from")?)?;
            put(&mut object, path, copied, Put::Insert, missing)?;
        }
        _ => return Err(DoesNotFit),
    }
    Ok(object)
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Put {
    Insert,
    Replace,
}

fn put(
    object: &mut Value,
    path: &str,
    value: Value,
    how: Put,
    missing: Missing,
) -> Result<(), DoesNotFit> {
    if path.is_empty() {
        *object = value;
        return Ok(());
    }
    let mut steps: Vec<String> =
        path.strip_prefix('/').ok_or(DoesNotFit)?.split('/').map(unescape).collect();
    let last = steps.pop().ok_or(DoesNotFit)?;
    let mut place = object;
    for step in &steps {
        place = below(place, step, missing)?;
    }
    if place.is_null() && missing == Missing::Made {
        *place = empty(&last);
    }
    match place {
        Value::Object(fields) => drop(fields.insert(last, value)),
        Value::Array(items) => match (last.as_str(), last.parse::<usize>()) {
            ("-", _) => items.push(value),
            (_, Ok(at)) if at < items.len() && how == Put::Replace => items[at] = value,
            (_, Ok(at)) if at <= items.len() => items.insert(at, value),
            _ if missing == Missing::Made => items.push(value),
            _ => return Err(DoesNotFit),
        },
        _ => return Err(DoesNotFit),
    }
    Ok(())
}

fn below<'v>(
    place: &'v mut Value,
    step: &str,
    missing: Missing,
) -> Result<&'v mut Value, DoesNotFit> {
    if place.is_null() && missing == Missing::Made {
        *place = empty(step);
    }
    match place {
        Value::Object(fields) => match missing {
            Missing::Made => Ok(fields.entry(step).or_insert(Value::Null)),
            Missing::Refused => fields.get_mut(step).ok_or(DoesNotFit),
        },
        Value::Array(items) => {
            let at = step.parse::<usize>().unwrap_or(items.len());
            if at >= items.len() {
                if missing == Missing::Refused {
                    return Err(DoesNotFit);
                }
                items.push(Value::Null);
            }
            let last = items.len() - 1;
            Ok(&mut items[at.min(last)])
        }
        _ => Err(DoesNotFit),
    }
}

/// What a place is that has such a step below it.
fn empty(step: &str) -> Value {
    match step == "-" || step.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Value::Array(Vec::new()),
        false => Value::Object(Map::new()),
    }
}

fn take(object: &mut Value, path: &str) -> Result<Value, DoesNotFit> {
    let (parent, last) = path.rsplit_once('/').ok_or(DoesNotFit)?;
    match object.pointer_mut(parent).ok_or(DoesNotFit)? {
        Value::Object(fields) => fields.shift_remove(&unescape(last)).ok_or(DoesNotFit),
        Value::Array(items) => {
            let at = last.parse::<usize>().ok().filter(|at| *at < items.len()).ok_or(DoesNotFit)?;
            Ok(items.remove(at))
        }
        _ => Err(DoesNotFit),
    }
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// Lays a patch over what is there: null takes away.
fn lay(object: &mut Value, patch: &Value) {
    match (object, patch) {
        (object, Value::Object(fields)) => {
            if !object.is_object() {
                *object = Value::Object(Map::new());
            }
            let Value::Object(known) = object else { return };
            for (key, value) in fields {
                match value {
                    Value::Null => drop(known.shift_remove(key)),
                    value => lay(known.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (Value::Array(known), Value::Array(items))
            if items.iter().all(|it| it["name"].is_string()) =>
        {
            for item in items {
                match known.iter_mut().find(|it| it["name"] == item["name"]) {
                    Some(same) => lay(same, item),
                    None => known.push(item.clone()),
                }
            }
        }
        (object, value) => *object = value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{DoesNotFit, apply, takes_from_before};

    #[test]
    fn patches_of_both_kinds_are_applied() {
        let before =
            json!({"spec": {"containers": [{"name": "a", "image": "x"}], "hostPID": true}});
        let check = |patch: Value, expected: Value| {
            assert_eq!(apply(Some(before.clone()), &patch), Ok(expected), "{patch}");
        };
        check(
            json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "b"}}]),
            json!({"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "hostPID": true}}),
        );
        check(
            json!([{"op": "replace", "path": "/spec/containers/0/image", "value": "y"},
                   {"op": "remove", "path": "/spec/hostPID"}]),
            json!({"spec": {"containers": [{"name": "a", "image": "y"}]}}),
        );
        check(
            json!([{"op": "move", "from": "/spec/hostPID", "path": "/spec/host~1~0"}]),
            json!({"spec": {"containers": [{"name": "a", "image": "x"}], "host/~": true}}),
        );
        check(
            json!({"spec": {"hostPID": null, "containers": [{"name": "a", "tty": true}, {"name": "c"}]}}),
            json!({"spec": {"containers": [{"name": "a", "image": "x", "tty": true}, {"name": "c"}]}}),
        );
    }

    #[test]
    fn without_what_was_there_a_patch_says_what_it_brings() {
        let patch = json!([
            {"op": "test", "path": "/a", "value": 1},
            {"op": "add", "path": "/spec/containers/3/securityContext", "value": {"privileged": true}},
            {"op": "add", "path": "/spec/containers/0/tty", "value": true},
        ]);
        let expected = json!({"spec": {"containers": [{"securityContext": {"privileged": true}, "tty": true}]}});
        assert_eq!(apply(None, &patch), Ok(expected));
    }

    /// What a patch lays aside and then moves to where it counts is seen; what it takes from an object that nobody
    /// knows is told.
    #[test]
    fn what_a_patch_moves_is_what_it_brought_or_is_unknown() {
        let check = |patch: Value, expected: Value, is_unknown: bool| {
            assert_eq!(apply(None, &patch), Ok(expected), "{patch}");
            assert_eq!(takes_from_before(&patch), is_unknown, "{patch}");
        };
        let add = |path: &str| json!({"op": "add", "path": path, "value": true});
        let take = |op: &str, from: &str| json!({"op": op, "from": from, "path": "/spec/hostPID"});
        let brought = json!({"aside": true, "spec": {"hostPID": true}});
        check(json!([add("/aside"), take("move", "/aside")]), brought.clone(), false);
        check(json!([add("/aside"), take("copy", "/aside")]), brought, false);
        check(json!([take("copy", "/spec/other")]), Value::Null, true);
        check(json!([take("move", "/spec/other"), add("/a")]), json!({"a": true}), true);
        check(json!([add("/a")]), json!({"a": true}), false);
        check(json!({"op": "move"}), json!({"op": "move"}), false);
    }

    #[test]
    fn what_does_not_fit_is_said_and_never_applied() {
        for patch in [
            json!([{"op": "replace", "path": "/spec/none/x", "value": 1}]),
            json!([{"op": "remove", "path": "/spec"}]),
            json!([{"op": "invent", "path": "/a"}]),
            json!([{"path": "a"}]),
            json!("text"),
        ] {
            assert_eq!(apply(Some(json!({"a": 1})), &patch), Err(DoesNotFit), "{patch}");
        }
    }
}
