//! Patches, applied to what was there before. Which kind one is, an event does not say: a list is a JSON
//! patch (RFC 6902), an object a merge patch (RFC 7386), a strategic one or an applied configuration, all of
//! which lay fields over those that are there. Lists of named things are merged by name, as the last two do,
//! so that nothing that a patch brings is missed.

use serde_json::{Map, Value};

/// So many bytes one patch copies at most, and so many steps it has: an API server takes no more. Each copy may be of
/// what those before it made, so that a few lines would fill any memory.
const MOST_COPIED: usize = 3 << 20;
const MOST_STEPS: usize = 10_000;
/// Nothing that is read is deeper, and whatever walks through an object goes as deep as it is.
const MOST_DEEP: usize = 127;

/// Says that a patch does not fit.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct DoesNotFit;

/// Applies a patch. Without anything that was there before, gives what the patch brings by itself. Of a list all steps
/// fit, or nothing comes of any.
pub(crate) fn apply(before: Option<Value>, patch: &Value) -> Result<Value, DoesNotFit> {
    match (patch, before) {
        (Value::Array(steps), _) if steps.len() > MOST_STEPS => Err(DoesNotFit),
        (Value::Array(steps), before) => {
            let missing = if before.is_some() { Missing::Refused } else { Missing::Made };
            let (mut copied, object) = (0, before.unwrap_or_default());
            steps.iter().try_fold(object, |object, step| one(object, step, missing, &mut copied))
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
    let (mut object, mut copied) = (Value::Null, 0);
    for step in patch.as_array().into_iter().flatten().take(MOST_STEPS) {
        let takes = matches!(step["op"].as_str(), Some("move" | "copy"));
        let from = step["from"].as_str().unwrap_or_default();
        if takes && object.pointer(from).is_none_or(Value::is_null) {
            return true;
        }
        match one(object, step, Missing::Made, &mut copied) {
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

/// Takes one step, and counts what it copies.
fn one(
    mut object: Value,
    step: &Value,
    missing: Missing,
    copied: &mut usize,
) -> Result<Value, DoesNotFit> {
    let text = |key: &str| step[key].as_str().ok_or(DoesNotFit);
    let path = text("path")?;
    match (text("op")?, missing) {
        ("add", _) => put(&mut object, path, step["value"].clone(), Put::Insert, missing)?,
        ("replace", _) => put(&mut object, path, step["value"].clone(), Put::Replace, missing)?,
        // What a patch brought it may lay elsewhere.
        ("move" | "copy", Missing::Made) => {
            if let Some(brought) = object.pointer(text("from")?) {
                let brought = copy(brought, copied)?;
                put(&mut object, path, brought, Put::Insert, missing)?;
            }
        }
        // What a patch takes away or looks at says nothing of what it brings.
        ("remove" | "test", Missing::Made) => {}
        ("remove", _) => drop(take(&mut object, path)?),
        ("test", _) if is_of_the_server(path) => {}
        ("test", _) if object.pointer(path) == Some(&step["value"]) => {}
        // To an API server what is not there is null.
        ("test", _) if object.pointer(path).is_none() && step["value"].is_null() => {}
        ("move", _) => {
            let moved = take(&mut object, text("from")?)?;
            put(&mut object, path, moved, Put::Insert, missing)?;
        }
        ("copy", _) => {
            let from = object.pointer(text("from")?).ok_or(DoesNotFit)?;
            let copy = copy(from, copied)?;
            put(&mut object, path, copy, Put::Insert, missing)?;
        }
        _ => return Err(DoesNotFit),
    }
    Ok(object)
}

/// Copies a value, if there is room for it.
fn copy(value: &Value, copied: &mut usize) -> Result<Value, DoesNotFit> {
    *copied += value.to_string().len();
    if *copied > MOST_COPIED {
        return Err(DoesNotFit);
    }
    Ok(value.clone())
}

/// Whether the server writes a field itself, at every change: what is known of it is often older than the object, and
/// says nothing of the rest.
fn is_of_the_server(path: &str) -> bool {
    let field = path.strip_prefix("/metadata/").unwrap_or_default();
    ["generation", "managedFields", "resourceVersion"].contains(&field)
}

/// How many objects and lists are within one another.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
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
    if steps.len() > MOST_DEEP || steps.len() + depth(&value) > MOST_DEEP {
        return Err(DoesNotFit);
    }
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
            // Not even what fits before it.
            json!([{"op": "add", "path": "/b", "value": 1}, {"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/a"}, {"op": "test", "path": "/a", "value": 1}]),
            json!([{"op": "add", "path": "/b", "value": 1}, {"op": "copy", "from": "/c", "path": "/d"}]),
            json!([{"op": "test", "path": "/metadata/uid", "value": "u"}]),
            json!("text"),
        ] {
            assert_eq!(apply(Some(json!({"a": 1})), &patch), Err(DoesNotFit), "{patch}");
        }
    }

    #[test]
    fn what_is_asked_of_an_object_is_what_is_known_of_it() {
        let before = json!({"a": {"b": [1]}, "metadata": {"resourceVersion": "1"}});
        let test = |path: &str, value: Value| {
            let patch = json!([{"op": "test", "path": path, "value": value}]);
            apply(Some(before.clone()), &patch) == Ok(before.clone())
        };
        assert!(test("/a", json!({"b": [1]})) && test("/a/b/0", json!(1)));
        assert!(test("/none", json!(null)) && !test("/a", json!(null)));
        assert!(!test("/a", json!({"b": [2]})) && !test("/none", json!(1)));
        // The server wrote it anew when it was not looked.
        assert!(test("/metadata/resourceVersion", json!("7")));
        assert!(test("/metadata/generation", json!(3)));
    }

    /// Each step may copy all that those before it made, or lay what there is one deeper.
    #[test]
    fn what_grows_without_end_is_not_made() {
        let begin = || json!({"op": "add", "path": "/a", "value": "x".repeat(1_000)});
        let patch = |steps: Vec<Value>| Value::Array([vec![begin()], steps].concat());
        let double = |at: usize| json!({"op": "copy", "from": "", "path": format!("/b{at}")});
        let beside = |_: usize| json!({"op": "copy", "from": "/a", "path": "/b"});
        let deeper = |at: usize| {
            let (from, path) = if at.is_multiple_of(2) { ("/a", "/b/x") } else { ("/b", "/a/x") };
            let empty = json!({"op": "add", "path": &path[..2], "value": {}});
            [empty, json!({"op": "move", "from": from, "path": path})]
        };
        let far = "/a".repeat(1_000_000);
        for (patch, fits) in [
            (patch((0..3).map(double).collect()), true),
            (patch((0..40).map(double).collect()), false),
            (patch((0..3_000).map(beside).collect()), true),
            (patch((0..3_200).map(beside).collect()), false),
            (patch((0..50).flat_map(deeper).collect()), true),
            (patch((0..2_000).flat_map(deeper).collect()), false),
            (json!([{"op": "add", "path": far, "value": 1}]), false),
            (Value::Array(vec![begin(); 10_000]), true),
            (Value::Array(vec![begin(); 10_001]), false),
        ] {
            for before in [Some(json!({})), None] {
                assert_eq!(apply(before, &patch).is_ok(), fits, "{:.300}", patch.to_string());
            }
        }
    }
}
