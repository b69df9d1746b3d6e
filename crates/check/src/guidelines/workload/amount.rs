//! Amounts of resources, as numbers to be compared
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

use serde_json::Value;

use crate::place::{Field, Place};

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
    let (_, factor) = FACTORS.iter().find(|(name, _)| *name == suffix)?;
    Some(number.parse::<f64>().ok()? * factor)
}

const FACTORS: [(&str, f64); 15] = [
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

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
