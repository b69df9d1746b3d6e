//! What a scalar without quotes means to Kubernetes, which reads YAML 1.1.
//!
//! The rules are those of [resolve.go](https://github.com/yaml/go-yaml/blob/v2.4.0/resolve.go), which
//! sigs.k8s.io/yaml uses, followed by a way through JSON that makes whole floats integers.

use std::borrow::Cow;

use serde_json::Value;

/// The meaning of a scalar.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar<'t> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Beyond the integers of Kubernetes, which keeps it as a float and takes it for no key.
    Large(u64),
    Float(f64),
    Text(Cow<'t, str>),
}

/// Reads a scalar that stands without quotes and without a tag.
pub(super) fn plain(text: Cow<'_, str>) -> Scalar<'_> {
    let meant = match text.as_bytes().first() {
        None => Some(Scalar::Null),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(&text)
        }
        Some(b'.') => word(&text).or_else(|| fraction(&text)),
        Some(b'+' | b'-' | b'0'..=b'9') => word(&text).or_else(|| number(&text)),
        Some(_) => None,
    };
    meant.unwrap_or(Scalar::Text(text))
}

/// Reads a scalar with a tag, in quotes or not.
pub(super) fn tagged<'t>(tag: &str, text: Cow<'t, str>) -> Result<Scalar<'t>, String> {
    let Some(kind) = tag.strip_prefix(CORE) else { return Ok(Scalar::Text(text)) };
    match (kind, plain(text.clone())) {
        ("null", Scalar::Null) => Ok(Scalar::Null),
        ("bool", Scalar::Bool(truth)) => Ok(Scalar::Bool(truth)),
        ("int", meant @ (Scalar::Integer(_) | Scalar::Large(_))) => Ok(meant),
        ("float", meant @ (Scalar::Integer(_) | Scalar::Large(_) | Scalar::Float(_))) => Ok(meant),
        ("null" | "bool" | "int" | "float", _) => Err(format!("`{text}` is no `!!{kind}`")),
        ("binary", _) => Err("the tag `!!binary` is not read".to_owned()),
        _ => Ok(Scalar::Text(text)),
    }
}

impl Scalar<'_> {
    /// Gives it as a value of JSON.
    pub(super) fn value(self) -> Result<Value, String> {
        Ok(match self {
            Scalar::Null => Value::Null,
            Scalar::Bool(truth) => Value::Bool(truth),
            Scalar::Integer(number) => Value::from(number),
            Scalar::Large(number) => Value::from(number as f64),
            Scalar::Float(number) if !number.is_finite() => {
                return Err("a number must be finite".to_owned());
            }
            Scalar::Float(number) => whole(number).map_or_else(|| Value::from(number), Value::from),
            Scalar::Text(text) => Value::String(text.into_owned()),
        })
    }

    /// Gives it as a key of JSON.
    pub(super) fn key(self) -> Result<String, String> {
        match self {
            Scalar::Null => Err("a key must not be null".to_owned()),
            Scalar::Bool(truth) => Ok(truth.to_string()),
            Scalar::Integer(number) => Ok(number.to_string()),
            Scalar::Large(number) => Err(format!("the number {number} is too large for a key")),
            Scalar::Float(number) => Ok(float_key(number)),
            Scalar::Text(text) => Ok(text.into_owned()),
        }
    }
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let digits = if text.contains('_') { text.replace('_', "").into() } else { Cow::from(text) };
    integer(&digits).or_else(|| float(&digits))
}

/// Reads a float that begins with its point, where `_` may stand between digits.
fn fraction(text: &str) -> Option<Scalar<'static>> {
    let is_apart = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_digit())
    };
    if text.contains('_') && !text[1..].split('_').all(is_apart) {
        return None;
    }
    number(text)
}

/// Reads an integer with the prefixes of Go, where `0644` and `0o644` are octal.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if text.starts_with("0b") && digits.starts_with(['+', '-']) {
        return i64::from_str_radix(digits, 2).ok().map(Scalar::Integer);
    }
    // A second sign is no digit, though the standard library takes one.
    let digits = digits.starts_with(|first: char| first.is_ascii_hexdigit()).then_some(digits)?;
    let size = u64::from_str_radix(digits, radix).ok()?;
    let signed = if text.starts_with('-') { -i128::from(size) } else { i128::from(size) };
    match i64::try_from(signed) {
        Ok(number) => Some(Scalar::Integer(number)),
        Err(_) if unsigned.len() == text.len() => Some(Scalar::Large(size)),
        Err(_) => None,
    }
}

/// Reads a float in decimal notation; one that is too large is a text.
fn float(text: &str) -> Option<Scalar<'static>> {
    let is_decimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let number: f64 = text.bytes().all(is_decimal).then(|| text.parse().ok())??;
    number.is_finite().then_some(Scalar::Float(number))
}

/// A float that JSON writes without a fraction comes back as an integer.
fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&number);
    fits.then_some(number as i64)
}

/// Writes a float as a key: the shortest digits of 32 bits, with an exponent from a million on.
fn float_key(number: f64) -> String {
    let short = number as f32;
    if short.is_nan() {
        return ".nan".to_owned();
    }
    if short.is_infinite() {
        return if short > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let written = format!("{short:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return short.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The prefix of the tags that YAML itself defines.
const CORE: &str = "tag:yaml.org,2002:";

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
