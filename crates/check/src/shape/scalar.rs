//! Single values, as Kubernetes reads them from JSON.

use serde_json::Value;

/// A type of single values.
pub(crate) struct Scalar {
    /// Its name in the table of types.
    pub(crate) name: &'static str,
    /// Its name for people.
    pub(crate) wanted: &'static str,
    /// Whether a value is of it.
    pub(crate) is: fn(&Value) -> bool,
}

pub(crate) const SCALARS: [Scalar; 7] = [
    Scalar { name: "boolean", wanted: "true or false", is: Value::is_boolean },
    Scalar { name: "int32", wanted: "a whole number of 32 bits", is: is_int32 },
    Scalar { name: "int64", wanted: "a whole number of 64 bits", is: Value::is_i64 },
    Scalar { name: "text", wanted: "a text", is: Value::is_string },
    Scalar {
        name: "number-or-text",
        wanted: "a whole number of 32 bits or a text",
        is: |value| value.is_string() || is_int32(value),
    },
    Scalar {
        name: "quantity",
        wanted: "a quantity such as 1, 500m or 2Gi",
        is: |value| value.is_number() || value.as_str().is_some_and(is_quantity),
    },
    Scalar {
        name: "time",
        wanted: "a time such as 2026-01-31T12:00:00Z",
        is: |value| value.as_str().is_some_and(is_time),
    },
];

fn is_int32(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

/// Whether a text is a number with a suffix
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
fn is_quantity(text: &str) -> bool {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_of_number = |each: char| each.is_ascii_digit() || each == '.';
    let (number, suffix) =
        unsigned.split_at(unsigned.find(|each| !is_of_number(each)).unwrap_or(unsigned.len()));
    let is_number =
        number.contains(|each: char| each.is_ascii_digit()) && number.matches('.').count() <= 1;
    let is_suffix = || suffix.is_empty() || SUFFIXES.iter().any(|(name, _)| *name == suffix);
    is_number && (is_suffix() || is_exponent(suffix))
}

/// What a suffix of a quantity multiplies with.
pub(crate) const SUFFIXES: [(&str, f64); 15] = [
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

fn is_exponent(suffix: &str) -> bool {
    suffix.strip_prefix(['e', 'E']).is_some_and(|exponent| exponent.parse::<i64>().is_ok())
}

/// Whether a text is a time of RFC 3339.
fn is_time(text: &str) -> bool {
    let Some((second, rest)) = text.split_at_checked("2026-01-31T12:00:00".len()) else {
        return false;
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|each: char| each.is_ascii_digit()) => {
            fraction.trim_start_matches(|each: char| each.is_ascii_digit())
        }
        _ => rest,
    };
    is_like(second, "0000-00-00T00:00:00")
        && (rest == "Z" || is_like(rest, "+00:00") || is_like(rest, "-00:00"))
        && second[5..7].parse().is_ok_and(|month: u8| (1..=12).contains(&month))
        && second[8..10].parse().is_ok_and(|day: u8| (1..=31).contains(&day))
        && second[11..13].parse().is_ok_and(|hour: u8| hour < 24)
}

/// Whether a text has the characters of a pattern, where 0 is any digit.
fn is_like(text: &str, pattern: &str) -> bool {
    let is_same = |(is, wanted): (u8, u8)| match wanted {
        b'0' => is.is_ascii_digit(),
        _ => is == wanted,
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(is_same)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::SCALARS;

    fn check(name: &str, good: &[Value], bad: &[Value]) {
        let scalar = SCALARS.iter().find(|scalar| scalar.name == name).unwrap();
        for value in good {
            assert!((scalar.is)(value), "{value} is a {name}");
        }
        for value in bad {
            assert!(!(scalar.is)(value), "{value} is no {name}");
        }
    }

    #[test]
    fn single_values_are_read_as_kubernetes_reads_them() {
        let lists = || [json!([]), json!({})].into_iter();
        let bad = |more: Vec<Value>| lists().chain(more).collect::<Vec<_>>();
        check("boolean", &[json!(true)], &bad(vec![json!("true"), json!(1)]));
        check("int32", &[json!(-1), json!(2_147_483_647)], &bad(vec![json!(2_147_483_648_i64)]));
        check("int64", &[json!(0)], &bad(vec![json!(1.0), json!(u64::MAX), json!("1")]));
        check("text", &[json!("")], &bad(vec![json!(1), json!(true)]));
        check("number-or-text", &[json!(80), json!("web")], &bad(vec![json!(8.5), json!(true)]));
        let quantities = ["1", "-1.5", ".5", "500m", "2Gi", "1e3", "1E-3", "1E", " 1 "];
        let none = ["", "m", "1.2.3", "1g", "1 Gi", "e3", "lots", "1e", "."];
        let texts = |all: &[&str]| all.iter().map(|text| json!(text)).collect::<Vec<_>>();
        check("quantity", &[texts(&quantities), vec![json!(0.5)]].concat(), &bad(texts(&none)));
        let times = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.25+02:00"];
        let none = [
            "",
            "2026-01-31",
            "2026-13-31T12:00:00Z",
            "2026-01-31T12:00:00",
            "é".repeat(19).as_str(),
        ]
        .map(|text| json!(text));
        check("time", &texts(&times), &bad(none.to_vec()));
    }
}
