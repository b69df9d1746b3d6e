//! Which fields of an object a dry run would change.

use serde_json::Value;

/// Bookkeeping of the server that changes without anybody's will.
const BOOKKEEPING: [&str; 3] =
    [".metadata.managedFields", ".metadata.resourceVersion", ".metadata.generation"];

/// Lists the paths at which two states of one object differ.
pub(crate) fn changed(live: &Value, tried: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    walk(String::new(), Some(live), Some(tried), &mut paths);
    paths
}

fn walk(path: String, live: Option<&Value>, tried: Option<&Value>, paths: &mut Vec<String>) {
    if BOOKKEEPING.contains(&path.as_str()) || live == tried {
        return;
    }
    let (Some(Value::Object(a)), Some(Value::Object(b))) = (live, tried) else {
        paths.push(path);
        return;
    };
    for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
        walk(format!("{path}.{key}"), a.get(key), b.get(key), paths);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::changed;

    #[test]
    fn only_what_somebody_willed_counts() {
        let live =
            json!({"metadata": {"resourceVersion": "1", "labels": {"a": "1"}}, "data": {"k": "v"}});
        let mut tried = live.clone();
        tried["metadata"]["resourceVersion"] = json!("2");
        assert!(changed(&live, &tried).is_empty());
        tried["metadata"]["labels"]["b"] = json!("2");
        tried["data"]["k"] = json!("w");
        assert_eq!(changed(&live, &tried), [".metadata.labels.b", ".data.k"]);
        assert_eq!(changed(&json!({"a": [1]}), &json!({"a": [1, 2]})), [".a"]);
    }
}
