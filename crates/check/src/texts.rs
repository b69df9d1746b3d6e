//! Whether a text says what stands there, or a template engine is still to fill it in.

use serde_json::Value;

/// Where texts come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Texts {
    /// Somebody wrote them: one may be of a template, and say anything once that is filled in.
    Written,
    /// A server holds them: each is what it says, and nobody fills it in.
    Served,
}

impl Texts {
    /// Whether a text holds something that a template engine fills in.
    pub(crate) fn is_template(self, text: &str) -> bool {
        let filled_in =
            |open, close| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
        self == Self::Written && (filled_in("{{", "}}") || filled_in("${", "}"))
    }

    /// Whether anything in a value is still to be filled in.
    pub(crate) fn has_template(self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_template(text),
            Value::Array(list) => list.iter().any(|item| self.has_template(item)),
            Value::Object(map) => {
                map.iter().any(|(key, value)| self.is_template(key) || self.has_template(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}
