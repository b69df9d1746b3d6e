//! Fields of configuration files: found, merged, and read as values.

use serde_json::{Map, Value as Json};

use super::value::{Kind, Value, nanoseconds};

/// Says why a field is not known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unclear {
    /// It is spelled in another case, which some decoders take and others do not.
    #[error("has {found:?} where {wanted:?} is meant")]
    Case {
        /// What stands there.
        found: String,
        /// What the field is called.
        wanted: String,
    },
    /// What it should be in is no object.
    #[error("has no object at {at:?}")]
    NoObject {
        /// The name of the field.
        at: String,
    },
}

/// Finds a field by its path, with dots; `None` where it or what it is in is absent or null.
///
/// # Errors
/// It is not certain whether the field is set.
pub fn field<'a>(document: &'a Json, path: &str) -> Result<Option<&'a Json>, Unclear> {
    let mut here = document;
    for name in path.split('.') {
        let Json::Object(fields) = here else {
            return Err(Unclear::NoObject { at: name.to_owned() });
        };
        if let Some(found) = misspelt(fields, name) {
            return Err(Unclear::Case { found: found.clone(), wanted: name.to_owned() });
        }
        match fields.get(name) {
            None | Some(Json::Null) => return Ok(None),
            Some(inner) => here = inner,
        }
    }
    Ok(Some(here))
}

/// Takes away what spells a field, or what the field is in, in another case: for documents whose decoder takes no
/// case but its own, and leaves out what it does not know.
pub fn drop_misspelt(document: &mut Json, path: &str) {
    let mut here = document;
    for name in path.split('.') {
        let Json::Object(fields) = here else { return };
        fields.retain(|key, _| key == name || !key.eq_ignore_ascii_case(name));
        let Some(inner) = fields.get_mut(name) else { return };
        here = inner;
    }
}

fn misspelt<'a>(fields: &'a Map<String, Json>, name: &str) -> Option<&'a String> {
    fields.keys().find(|key| key.as_str() != name && key.eq_ignore_ascii_case(name))
}

/// Merges a patch into a document: objects field by field, null takes away, all else is replaced
/// (RFC 7396).
pub fn patch(document: &mut Json, change: &Json) {
    let Json::Object(changes) = change else {
        *document = change.clone();
        return;
    };
    if !document.is_object() {
        *document = Json::Object(Map::new());
    }
    let Json::Object(fields) = document else { return };
    for (name, change) in changes {
        match change {
            Json::Null => {
                fields.remove(name);
            }
            change => patch(fields.entry(name.clone()).or_insert(Json::Null), change),
        }
    }
}

/// Reads what stands in a field; nothing that is of another type is taken for it.
pub fn decode(kind: Kind, found: &Json) -> Option<Value> {
    match kind {
        Kind::Boolean => found.as_bool().map(Value::Boolean),
        Kind::Number32 => {
            found.as_i64().filter(|number| i32::try_from(*number).is_ok()).map(Value::Number)
        }
        Kind::Number64 => found.as_i64().map(Value::Number),
        Kind::Duration => nanoseconds(found.as_str()?).map(Value::Nanoseconds),
        Kind::Text => found.as_str().map(|text| Value::Text(text.to_owned())),
        Kind::Address => found.as_str()?.parse().ok().map(Value::Address),
        Kind::List => {
            let texts = found.as_array()?.iter();
            let texts: Option<_> = texts.map(|text| text.as_str().map(str::to_owned)).collect();
            texts.map(Value::List)
        }
        Kind::Gates => {
            let gates = found.as_object()?.iter();
            let gates = gates.map(|(name, on)| Some((name.clone(), on.as_bool()?)));
            gates.collect::<Option<_>>().map(Value::Gates)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{Kind, Value, decode, drop_misspelt, field, patch};

    #[test]
    fn patches_are_merged() {
        let check = |mut document: Json, change: Json, expected: Json| {
            patch(&mut document, &change);
            assert_eq!(document, expected, "{change}");
        };
        check(
            json!({"a": {"b": 1, "c": 2}}),
            json!({"a": {"b": 3}}),
            json!({"a": {"b": 3, "c": 2}}),
        );
        check(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}));
        check(json!({"a": {"b": 1}}), json!({"a": null}), json!({}));
        check(json!({"a": 1}), json!({"a": {"b": null, "c": 1}}), json!({"a": {"c": 1}}));
    }

    #[test]
    fn a_field_is_found_or_it_is_said_why_not() {
        let document = json!({"a": {"B": 1, "c": null}, "d": 1});
        let check = |path: &str, expected: Option<Option<i64>>| {
            let found = field(&document, path).ok().map(|found| found.and_then(Json::as_i64));
            assert_eq!(found, expected, "{path}");
        };
        check("a.B", Some(Some(1)));
        check("a.c", Some(None));
        check("a.c.e", Some(None));
        check("x", Some(None));
        check("a.b", None);
        check("d.e", None);
    }

    #[test]
    fn what_is_spelt_otherwise_is_taken_away_on_the_way_to_a_field() {
        let check = |mut document: Json, expected: Json| {
            drop_misspelt(&mut document, "a.b");
            assert_eq!(document, expected);
        };
        check(json!({"A": {"b": 1}, "c": 2}), json!({"c": 2}));
        check(json!({"a": {"B": 1, "b": 2}, "B": 3}), json!({"a": {"b": 2}, "B": 3}));
        check(json!({"a": 1}), json!({"a": 1}));
    }

    #[test]
    fn no_other_type_is_taken() {
        let check = |kind: Kind, found: Json, expected: Option<Value>| {
            assert_eq!(decode(kind, &found), expected, "{found}");
        };
        check(Kind::Boolean, json!(false), Some(Value::Boolean(false)));
        check(Kind::Boolean, json!("false"), None);
        check(Kind::Number32, json!("0"), None);
        check(Kind::Number32, json!(0.5), None);
        check(Kind::Duration, json!("5m"), Some(Value::Nanoseconds(300_000_000_000)));
        check(Kind::Duration, json!(5), None);
        check(Kind::List, json!(["a", 1]), None);
    }
}
