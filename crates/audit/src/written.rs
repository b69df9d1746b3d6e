//! Lists that people write for us, each alone in its file, and what is wrong with them.

use serde_json::Value;

/// Says what is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unclear {
    /// The JSON pointer to it.
    pub pointer: String,
    /// What is wrong, in one sentence.
    pub why: String,
    /// What to write.
    pub help: &'static str,
}

/// Says what is wrong with an item: where below it, and why.
pub(crate) type Wrong = (String, String);

/// Reads the list of that name, and all that is wrong with it.
pub(crate) fn list<T>(
    document: &Value,
    name: &str,
    help: &'static str,
    mut one: impl FnMut(&Value) -> Result<T, Wrong>,
) -> Result<Vec<T>, Vec<Unclear>> {
    let unclear = |pointer: String, why: String| Unclear { pointer, why, help };
    let fields = document.as_object().into_iter().flat_map(|fields| fields.keys());
    if let Some(odd) = fields.into_iter().find(|field| *field != name) {
        return Err(vec![unclear(format!("/{odd}"), format!("only {name} stand in this file"))]);
    }
    let Some(list) = document.get(name).and_then(Value::as_array) else {
        return Err(vec![unclear(String::new(), format!("there is no list of {name} here"))]);
    };
    let (mut all, mut wrong) = (Vec::new(), Vec::new());
    for (index, value) in list.iter().enumerate() {
        match one(value) {
            Ok(item) => all.push(item),
            Err((below, why)) => wrong.push(unclear(format!("/{name}/{index}{below}"), why)),
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}
