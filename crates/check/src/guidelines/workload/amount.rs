//! Amounts of resources, as numbers to be compared
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use serde_json::Value;

use crate::place::{Field, Place};
use crate::shape::SUFFIXES;

/// Gives the amount that stands somewhere.
pub(super) fn amount(place: &Place<'_>) -> Field<f64> {
    let read = match place.value() {
        Field::Absent => return Field::Absent,
        Field::Is(Value::Number(number)) => number.as_f64(),
        Field::Is(Value::String(text)) => read(text),
        Field::Is(_) | Field::Unreadable => None,
    };
    read.map_or(Field::Unreadable, Field::Is)
}

fn read(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(plain) = text.parse::<f64>() {
        return plain.is_finite().then_some(plain);
    }
    let at = text.find(|each: char| each.is_ascii_alphabetic())?;
    let (number, suffix) = text.split_at(at);
    let (_, factor) = SUFFIXES.iter().find(|(name, _)| *name == suffix)?;
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn amounts_are_numbers_with_suffixes() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("500m", Some(0.5)),
            ("1k", Some(1000.0)),
            ("1.5Gi", Some(1_610_612_736.0)),
            ("1e3", Some(1000.0)),
            ("-2", Some(-2.0)),
            ("1Gb", None),
            ("Gi", None),
            ("{{ x }}", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
