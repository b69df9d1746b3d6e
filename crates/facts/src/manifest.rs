//! Reads manifests so that every value knows its place in the text.
//!
//! A text is read as `kubectl` reads it: documents are parted at lines that begin with `---`, each is
//! YAML 1.1 as sigs.k8s.io/yaml understands it, and a text that begins with `{` may be a stream of
//! JSON. Where Kubernetes would drop something in silence, a key given twice for one, the text is
//! refused. Never here: input or output, what the objects mean.

mod json;
mod lines;
mod node;
mod place;
mod scalar;
mod tree;
mod yaml;

use serde_json::Value;

pub use lines::{Lines, Position};
pub use node::Node;
pub use place::Place;

use tree::{Budget, Fault, Tree};

/// One object of a text, or what else stands there.
#[derive(Debug)]
pub struct Document {
    index: usize,
    tree: Tree,
}

/// Says why a text cannot be read, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {}, column {}: {why}", at.line, at.column)]
pub struct Unreadable {
    /// Where it was noticed.
    pub at: Position,
    /// What is wrong there, in one sentence.
    pub why: String,
}

/// Gives the bytes of a file as text.
///
/// # Errors
/// There are more than `most_bytes`, or they are not UTF-8.
pub fn text(bytes: &[u8], most_bytes: usize) -> Result<&str, Unreadable> {
    if bytes.len() > most_bytes {
        let why = format!("the file has more than {most_bytes} bytes, which no manifest has");
        return Err(Unreadable { at: Position { line: 1, column: 1 }, why });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        let at = Lines::new(good).position(good.len());
        Unreadable { at, why: "the text is not UTF-8".to_owned() }
    })
}

/// Reads all documents of a text; those that are empty are none.
///
/// # Errors
/// The text is neither YAML nor JSON, has a key twice in a map, or is built to exhaust its reader.
pub fn read(text: &str) -> Result<Vec<Document>, Unreadable> {
    let trees = trees(text)
        .map_err(|fault| Unreadable { at: Lines::new(text).position(fault.at), why: fault.why })?;
    let full = trees.into_iter().filter(|tree| !tree.value.is_null());
    Ok(full.enumerate().map(|(index, tree)| Document { index, tree }).collect())
}

fn trees(text: &str) -> Result<Vec<Tree>, Fault> {
    if u32::try_from(text.len()).is_err() {
        return Err(Fault::new(0, "the text is larger than 4 GiB"));
    }
    let start = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !start.trim_start().starts_with('{') {
        return yaml::documents(text, &mut Budget::default());
    }
    let as_json = match json::documents(text, text.len() - start.len(), &mut Budget::default()) {
        Ok(trees) => return Ok(trees),
        Err(fault) => fault,
    };
    // A map in braces may also be YAML. If it is neither, what was understood further tells more.
    yaml::documents(text, &mut Budget::default())
        .map_err(|as_yaml| if as_yaml.at >= as_json.at { as_yaml } else { as_json })
}

impl Document {
    /// Its number in the text, from 0, not counting empty documents.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What it holds, as Kubernetes reads it.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.tree.value
    }

    /// Gives up the places and keeps what it holds.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.tree.value
    }

    /// Finds the place of a JSON pointer, or of its nearest ancestor that is there.
    #[must_use]
    pub fn place<'p>(&self, pointer: &'p str) -> Place<'p> {
        self.tree.place(pointer)
    }

    /// Gives all of it, with the places of its parts.
    #[must_use]
    pub fn node(&self) -> Node<'_> {
        Node::root(&self.tree)
    }

    /// Gives the objects of a list, and of lists in it; of anything else, itself.
    pub fn objects(&self) -> Vec<&Value> {
        let mut found = Vec::new();
        collect(&self.tree.value, &mut found);
        found
    }
}

fn collect<'v>(object: &'v Value, found: &mut Vec<&'v Value>) {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object["items"].as_array() {
        Some(members) if is_list => members.iter().for_each(|member| collect(member, found)),
        _ => found.push(object),
    }
}

#[cfg(test)]
mod tests;
