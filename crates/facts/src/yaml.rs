//! Reads YAML the way Kubernetes' own tools do: several documents in a text, or JSON.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Says why a text is no YAML, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct NotYaml {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub why: String,
}

/// Reads all documents of a text; those that are empty are none.
///
/// # Errors
/// The text is neither YAML nor JSON, or holds something else than what is wanted.
pub fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, NotYaml> {
    // JSON may be indented with tabs, which YAML forbids.
    if text.trim_start().starts_with('{') {
        let read: Result<Vec<T>, _> =
            serde_json::Deserializer::from_str(text).into_iter().collect();
        if let Ok(read) = read {
            return Ok(read);
        }
    }
    // Numbers such as 0644 are octal to Kubernetes, which reads YAML 1.1.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| NotYaml {
        line: error.location().map_or(1, |at| at.line()),
        why: plain(&error),
    })
}

/// Gives the items of a list of objects; of anything else, itself.
pub fn apart(document: Value) -> Vec<Value> {
    let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Null => Vec::new(),
        Value::Object(mut list) if is_list && list.get("items").is_some_and(Value::is_array) => {
            match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

/// What is wrong, without the place and without the text around it.
fn plain(error: &serde_saphyr::Error) -> String {
    let said = error.without_snippet().to_string();
    let first = said.lines().next().unwrap_or("it cannot be read");
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::documents;

    #[test]
    fn all_documents_are_read_and_json_as_well() {
        let check = |text: &str, expected: &[Value]| {
            assert_eq!(documents::<Value>(text).unwrap(), expected, "{text}");
        };
        check("", &[]);
        check("a: 1\n---\n# nothing\n---\na: 0644\n", &[json!({"a": 1}), json!({"a": 0o644})]);
        check("{\n\t\"a\": [1]\n}\n{\"b\": 2}", &[json!({"a": [1]}), json!({"b": 2})]);
        check("{a: 1}", &[json!({"a": 1})]);
    }

    #[test]
    fn what_is_none_is_told_with_its_line() {
        let error = documents::<Value>("a: 1\n---\nb: 1\nb: 2\n").unwrap_err();
        assert_eq!(error.line, 4, "{error}");
        assert!(error.why.contains("dup"), "{error}");
        let error = documents::<Value>("a: 1\nb: [\n").unwrap_err();
        assert!(!error.why.contains('\n'), "{error}");
    }
}
