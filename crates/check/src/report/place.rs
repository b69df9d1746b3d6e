//! Where something stands: in a file that was given, in an object of a cluster, or on a machine.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::fingerprint::{Fingerprint, Hasher};

/// Where something stands.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
pub enum Place {
    /// In a file that was given.
    File(InFile),
    /// In an object of a cluster.
    Api(InObject),
    /// On a machine.
    Node(OnNode),
}

/// A place in a file.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InFile {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The part of it.
    #[serde(flatten)]
    pub span: Span,
    /// The number of the document in the file, from 0.
    pub document: u32,
    /// The same place in the object that stands there.
    #[serde(flatten)]
    pub at: InObject,
}

/// A part of a text. Where nothing stands, it is the nearest place above that does.
#[derive(Clone, Copy, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The line of its end.
    pub end_line: u32,
    /// The column behind its end.
    pub end_column: u32,
    /// Bytes before it.
    pub offset: u32,
    /// Bytes of it.
    pub length: u32,
}

/// A place in an object.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InObject {
    /// Whose place it is.
    pub object: Arc<Whose>,
    /// The container that it belongs to, by name.
    pub container: Option<Arc<str>>,
    /// The JSON pointer; in a file it begins at the document.
    pub pointer: Box<str>,
    /// The same as a path that begins at the object's kind. Of an object that should be there and is not,
    /// it is the path that the object would have.
    pub field: Box<str>,
    /// What of the pointer is not there; null where all of it is.
    pub missing: Option<Box<str>>,
    /// The pointer with the names of what is in lists instead of its numbers: it stays when lines move.
    #[serde(skip)]
    pub named: Box<str>,
}

/// An object, as it calls itself.
#[derive(Clone, Debug, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Whose {
    /// Its kind; empty where it says none.
    pub kind: String,
    /// Its namespace; null where it says none.
    pub namespace: Option<String>,
    /// Its name; empty where it says none.
    pub name: String,
}

/// A place on a machine.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OnNode {
    /// The machine.
    pub node: Arc<str>,
    /// The file there; null where it is about none, as a flag of a process.
    pub file: Option<Arc<str>>,
    /// The line in it, from 1, where one is known.
    pub line: Option<u32>,
    /// What of it: a flag, a key of a configuration, a file's mode.
    pub field: Box<str>,
}

impl Place {
    /// Gives the file, on whatever machine.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File(place) => Some(&place.file),
            Self::Api(_) => None,
            Self::Node(place) => place.file.as_deref(),
        }
    }

    /// Gives the place in an object, if it is one.
    pub fn object(&self) -> Option<&InObject> {
        match self {
            Self::File(place) => Some(&place.at),
            Self::Api(place) => Some(place),
            Self::Node(_) => None,
        }
    }

    /// Gives the machine, if it is on one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node(place) => Some(&place.node),
            Self::File(_) | Self::Api(_) => None,
        }
    }

    /// Gives the namespace, where there is one.
    pub fn namespace(&self) -> Option<&str> {
        self.object().and_then(|place| place.object.namespace.as_deref())
    }

    /// Gives the path of the field, the flag or the key.
    pub fn field(&self) -> &str {
        match self {
            Self::File(place) => &place.at.field,
            Self::Api(place) => &place.field,
            Self::Node(place) => &place.field,
        }
    }

    /// Says where it is as compilers do: `file:line:column`, the object, or `node: file:line`.
    pub fn said(&self) -> String {
        match self {
            Self::File(InFile { file, span, .. }) => {
                format!("{file}:{}:{}", span.line, span.column)
            }
            Self::Api(place) => place.object.said(),
            Self::Node(OnNode { node, file: None, .. }) => node.to_string(),
            Self::Node(OnNode { node, file: Some(file), line: None, .. }) => {
                format!("{node}: {file}")
            }
            Self::Node(OnNode { node, file: Some(file), line: Some(line), .. }) => {
                format!("{node}: {file}:{line}")
            }
        }
    }

    /// Says whose place it is: the object, or the machine.
    pub fn whose(&self) -> String {
        match self.object() {
            Some(place) => place.object.said(),
            None => self.node().unwrap_or_default().to_owned(),
        }
    }

    /// Hashes what stays of it when lines move.
    pub(crate) fn fingerprint(&self, control: Option<&str>) -> Fingerprint {
        let mut hasher = Hasher::new(control.unwrap_or_default());
        match self {
            Self::File(place) => {
                hasher.add("file").add(place.file.strip_prefix("./").unwrap_or(&place.file));
                place.at.hash(&mut hasher);
            }
            Self::Api(place) => {
                hasher.add("api");
                place.hash(&mut hasher);
            }
            Self::Node(place) => {
                hasher.add("node").add(&place.node);
                hasher.add(place.file.as_deref().unwrap_or_default()).add(&place.field);
            }
        }
        hasher.finish()
    }
}

impl InObject {
    fn hash(&self, hasher: &mut Hasher) {
        let Whose { kind, namespace, name } = &*self.object;
        hasher.add(kind).add(namespace.as_deref().unwrap_or_default()).add(name);
        hasher.add(&self.named);
    }
}

impl Whose {
    /// Says it as people do: `Deployment shop/web`.
    pub fn said(&self) -> String {
        let name = match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        };
        [self.kind.as_str(), &name]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Writes a pointer as a path, such as `Pod.spec.containers[0].image`.
pub(crate) fn field(kind: &str, pointer: &str) -> String {
    let mut field = kind.to_owned();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let is_plain = step.chars().all(|it| it.is_ascii_alphanumeric() || it == '-' || it == '_');
        match step.parse::<usize>() {
            Ok(index) => field.push_str(&format!("[{index}]")),
            Err(_) if is_plain => field.push_str(&format!(".{step}")),
            Err(_) => field.push_str(&format!(".{step:?}")),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_pointer_is_written_as_a_path() {
        for (pointer, expected) in [
            ("", "Pod"),
            ("/spec/containers/0/image", "Pod.spec.containers[0].image"),
            ("/metadata/labels/a.b~1c", "Pod.metadata.labels.\"a.b/c\""),
        ] {
            assert_eq!(field("Pod", pointer), expected);
        }
    }
}
