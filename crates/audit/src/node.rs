//! A body that a detection asked for, as a tree that borrows its text. A key that stands twice is refused:
//! what reads the first and what reads the last would see two different objects.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::event::Text;

/// A value of JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, its fields in their order.
    Object(Vec<(Text<'a>, Node<'a>)>),
}

static NULL: Node<'static> = Node::Null;

impl<'a> Node<'a> {
    /// Gives a field; null where there is none.
    pub fn at(&self, key: &str) -> &Self {
        match self {
            Self::Object(fields) => {
                fields.iter().find(|(name, _)| &**name == key).map_or(&NULL, |(_, value)| value)
            }
            _ => &NULL,
        }
    }

    /// Follows keys, each the name of a field.
    pub fn along(&self, keys: &[&str]) -> &Self {
        keys.iter().fold(self, |node, key| node.at(key))
    }

    /// Gives the fields of an object.
    pub fn fields(&self) -> &[(Text<'a>, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// Gives the items of a list.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Gives the texts of a list.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().map(Self::text)
    }

    /// Gives a text, empty where there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// Gives a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Gives it as a value of its own.
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Flag(is) => (*is).into(),
            Self::Number(number) => number_of(*number),
            Self::Text(text) => text.as_ref().into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(fields) => {
                fields.iter().map(|(name, value)| (name.to_string(), value.json())).collect()
            }
        }
    }

    /// Whether it says true.
    pub fn is_true(&self) -> bool {
        *self == Self::Flag(true)
    }

    /// Whether it says false.
    pub fn is_false(&self) -> bool {
        *self == Self::Flag(false)
    }

    /// Whether nothing is there.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

/// Whole numbers are whole, as Kubernetes means them.
fn number_of(number: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.fract() == 0.0 && number.abs() <= EXACT {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole, and a double has it exactly"
        )]
        true => (number as i64).into(),
        false => number.into(),
    }
}

/// An object with more fields than this is looked through by an index.
const FEW: usize = 16;

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (mut fields, mut items) = (Vec::with_capacity(FEW), Vec::with_capacity(FEW));
        Reader { fields: &mut fields, items: &mut items }.deserialize(deserializer)
    }
}

/// Reads a value. What belongs to objects and lists that have not ended waits behind what belongs to those around them, so
/// that each is made once, as large as it is.
struct Reader<'s, 'de> {
    fields: &'s mut Vec<(Text<'de>, Node<'de>)>,
    items: &'s mut Vec<Node<'de>>,
}

impl<'de> Reader<'_, 'de> {
    /// Reads what is within.
    fn within(&mut self) -> Reader<'_, 'de> {
        Reader { fields: self.fields, items: self.items }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_, 'de> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node<'de>, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node<'de>, A::Error> {
        let begin = self.items.len();
        while let Some(item) = list.next_element_seed(self.within())? {
            self.items.push(item);
        }
        Ok(Node::List(self.items.split_off(begin)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Node<'de>, A::Error> {
        let begin = self.fields.len();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let value = map.next_value_seed(self.within())?;
            let fields = &self.fields[begin..];
            if fields.len() < FEW && fields.iter().any(|(known, _)| *known == key) {
                return Err(twice(&key));
            }
            self.fields.push((key, value));
        }
        let fields = self.fields.split_off(begin);
        if fields.len() > FEW {
            let mut seen = BTreeSet::new();
            if let Some((key, _)) = fields.iter().find(|(key, _)| !seen.insert(&**key)) {
                return Err(twice(key));
            }
        }
        Ok(Node::Object(fields))
    }
}

fn twice<E: serde::de::Error>(key: &str) -> E {
    E::custom(format_args!("duplicate field `{}`", key.escape_default()))
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth_and_size() {
        let many: String = (0..40).map(|n| format!("\"k{n}\":1,")).collect();
        for text in [
            r#"{"a":1,"a":2}"#.to_owned(),
            r#"[{"b":{"a":1,"\u0061":2}}]"#.to_owned(),
            format!("{{{many}\"k39\":2}}"),
            format!("{{{many}\"k3\":2}}"),
        ] {
            let error = serde_json::from_str::<Node<'_>>(&text).unwrap_err().to_string();
            assert!(error.contains("duplicate field"), "{error}");
        }
        assert!(serde_json::from_str::<Node<'_>>(&format!("{{{many}\"k40\":2}}")).is_ok());
    }

    /// Objects and lists that have ended are not mixed up with those around them.
    #[test]
    fn what_is_nested_stays_apart() {
        let text = r#"{"a":[1,[2,{"b":[]},3],{}],"c":{"d":{"e":[4]},"f":5},"g":[[[6]],7]}"#;
        let node: Node<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(node.json().to_string(), text);
    }

    #[test]
    fn what_is_not_there_is_null() {
        let node: Node<'_> = serde_json::from_str(r#"{"a":{"b":["x",1]},"c":true}"#).unwrap();
        assert_eq!(node.along(&["a", "b"]).texts().collect::<Vec<_>>(), ["x", ""]);
        assert!(node.along(&["a", "z", "y"]).is_null() && node.at("c").is_true());
    }
}
