//! Places in an object: what stands there, and the JSON pointer that leads there. Nothing is copied, and
//! a pointer is written only for who asks.

use serde_json::{Map, Value};

use crate::texts::Texts;

/// A place in an object. It knows the place it lies in, so that it can be pointed at.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    within: Option<&'a Place<'a>>,
    step: Step<'a>,
    field: Field<&'a Value>,
    texts: Texts,
}

/// What leads from a place to the next.
#[derive(Clone, Copy)]
enum Step<'a> {
    Pointer(&'a str),
    Key(&'a str),
    Index(usize),
}

/// What can be said of a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field<T> {
    /// Nothing is there, or null, which Kubernetes takes for nothing.
    Absent,
    /// What is there, or above it, is of another type: the field may be anything.
    Unreadable,
    /// This is there.
    Is(T),
}

impl<T> Field<T> {
    /// Gives what Kubernetes takes for nothing.
    pub(crate) fn or(self, default: T) -> Self {
        match self {
            Self::Absent => Self::Is(default),
            other => other,
        }
    }

    fn then<R>(self, read: impl FnOnce(T) -> Option<R>) -> Field<R> {
        match self {
            Self::Absent => Field::Absent,
            Self::Unreadable => Field::Unreadable,
            Self::Is(value) => read(value).map_or(Field::Unreadable, Field::Is),
        }
    }
}

impl<'a> Place<'a> {
    /// Begins at a value that somebody wrote, to which a pointer leads.
    pub(crate) fn new(pointer: &'a str, value: Option<&'a Value>) -> Self {
        Self::of(pointer, value, Texts::Written)
    }

    /// Begins at a value whose texts come from somewhere, to which a pointer leads.
    pub(crate) fn of(pointer: &'a str, value: Option<&'a Value>, texts: Texts) -> Self {
        Self { within: None, step: Step::Pointer(pointer), field: field(value), texts }
    }

    /// Says where its texts come from.
    pub(crate) fn texts(&self) -> Texts {
        self.texts
    }

    /// Gives the place of a field.
    pub(crate) fn at(&'a self, key: &'a str) -> Self {
        let field = match self.object() {
            Field::Absent => Field::Absent,
            Field::Unreadable => Field::Unreadable,
            Field::Is(object) => field(object.get(key)),
        };
        Self { within: Some(self), step: Step::Key(key), field, texts: self.texts }
    }

    /// Gives the places of all fields that are there.
    pub(crate) fn fields(&'a self) -> impl Iterator<Item = (&'a str, Self)> {
        let object = match self.object() {
            Field::Is(object) => Some(object),
            _ => None,
        };
        object.into_iter().flatten().map(move |(key, value)| {
            let step = Step::Key(key);
            let (within, field) = (Some(self), field(Some(value)));
            (key.as_str(), Self { within, step, field, texts: self.texts })
        })
    }

    /// Gives the places of a list's items.
    pub(crate) fn items(&'a self) -> impl Iterator<Item = Self> {
        let list = match self.field {
            Field::Is(Value::Array(list)) => list.as_slice(),
            _ => &[],
        };
        list.iter().enumerate().map(|(index, item)| Self {
            within: Some(self),
            step: Step::Index(index),
            field: field(Some(item)),
            texts: self.texts,
        })
    }

    pub(crate) fn value(&self) -> Field<&'a Value> {
        self.field
    }

    pub(crate) fn object(&self) -> Field<&'a Map<String, Value>> {
        self.field.then(Value::as_object)
    }

    pub(crate) fn list(&self) -> Field<&'a [Value]> {
        self.field.then(|value| value.as_array().map(Vec::as_slice))
    }

    pub(crate) fn boolean(&self) -> Field<bool> {
        self.field.then(Value::as_bool)
    }

    pub(crate) fn integer(&self) -> Field<i64> {
        self.field.then(Value::as_i64)
    }

    pub(crate) fn text(&self) -> Field<&'a str> {
        self.field.then(Value::as_str)
    }

    /// Gives a text that is what it says: one of a template that is still to be filled in may say anything.
    pub(crate) fn word(&self) -> Field<&'a str> {
        self.text().then(|text| (!self.texts.is_template(text)).then_some(text))
    }

    /// Gives the place of an entry of a map whose keys are chosen freely. A key of a template that is still
    /// to be filled in may be any.
    pub(crate) fn entry(&'a self, key: &'a str) -> Self {
        let mut entry = self.at(key);
        if let (Field::Absent, Field::Is(object)) = (entry.field, self.object())
            && object.keys().any(|key| self.texts.is_template(key))
        {
            entry.field = Field::Unreadable;
        }
        entry
    }

    /// Whether it is, or lies in, what people write secrets into: what stands there is not shown to others.
    pub(crate) fn is_covered(&self) -> bool {
        let is_it = matches!(self.step, Step::Key(key) if COVERED.contains(&key));
        is_it || self.within.is_some_and(Place::is_covered)
    }

    /// Gives the JSON pointer that leads here (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = self.within.map_or_else(String::new, Place::pointer);
        match self.step {
            Step::Pointer(from) => pointer.push_str(from),
            Step::Key(key) => push(&mut pointer, key),
            Step::Index(index) => push(&mut pointer, &index.to_string()),
        }
        pointer
    }
}

/// Fields of containers, of ConfigMaps and of Secrets that people write secrets into.
const COVERED: [&str; 6] = ["args", "binaryData", "command", "data", "env", "stringData"];

/// Leads a pointer one step on.
pub(crate) fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

fn field(value: Option<&Value>) -> Field<&Value> {
    match value {
        None | Some(Value::Null) => Field::Absent,
        Some(value) => Field::Is(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Field, Place};
    use crate::texts::Texts;

    #[test]
    fn a_text_that_a_server_holds_is_no_template() {
        let object = json!({"args": ["${POD_IP}"], "{{ x }}": 1});
        let is_said = |texts| {
            let root = Place::of("", Some(&object), texts);
            let args = root.at("args");
            let is_word = args.items().all(|it| it.word() == Field::Is("${POD_IP}"));
            (is_word, root.entry("other").value() == Field::Absent)
        };
        assert_eq!(is_said(Texts::Written), (false, false));
        assert_eq!(is_said(Texts::Served), (true, true));
    }

    #[test]
    fn what_people_write_secrets_into_is_covered() {
        let object = json!({"env": [{"value": "a"}], "image": "b"});
        let root = Place::new("/data", Some(&object));
        let env = root.at("env");
        let items: Vec<_> = env.items().collect();
        assert!(items[0].at("value").is_covered());
        assert!(!root.at("image").is_covered());
    }

    #[test]
    fn a_place_is_pointed_at_and_read() {
        let object = json!({"a/b": [{"c~": true}, null]});
        let root = Place::new("/items/3", Some(&object));
        let list = root.at("a/b");
        let items: Vec<_> = list.items().collect();
        let flag = items[0].at("c~");
        assert_eq!(flag.pointer(), "/items/3/a~1b/0/c~0");
        assert_eq!(flag.boolean(), Field::Is(true));
        assert_eq!(flag.text(), Field::Unreadable);
        assert_eq!(flag.at("under").boolean(), Field::Unreadable);
        assert_eq!(items[1].at("under").boolean(), Field::Absent);
        assert_eq!(root.at("nowhere").text().or(""), Field::Is(""));
    }
}
