//! Values of flags, read as Go reads them (package strconv, package time, pflag's types).
//!
//! Never here: a guess. What Go would read in a way that is not modelled is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// What stands in facts for a value that is a secret and was not taken.
pub const COVERED: &str = "…";

/// What a flag takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A boolean; without a value it is true.
    Boolean,
    /// A boolean or a word; without a value it is true.
    Optional,
    /// A number of 32 bits.
    Number32,
    /// A number of 64 bits.
    Number64,
    /// A time span.
    Duration,
    /// Text as it is.
    Text,
    /// An address.
    Address,
    /// Texts between commas; more of them are added.
    List,
    /// One text each time; more of them are added.
    Array,
    /// `name=boolean` between commas.
    Gates,
    /// `name=text` between commas.
    Map,
    /// `name=text` between commas, where a name may stand alone.
    Switches,
    /// It takes a value, and nobody here can read it.
    Opaque,
}

impl Kind {
    /// Reads the word that stands for it in the table of flags.
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "bool" => Self::Boolean,
            "optional" => Self::Optional,
            "int32" => Self::Number32,
            "int" => Self::Number64,
            "duration" => Self::Duration,
            "text" => Self::Text,
            "ip" => Self::Address,
            "list" => Self::List,
            "array" => Self::Array,
            "gates" => Self::Gates,
            "map" => Self::Map,
            "switches" => Self::Switches,
            "float" | "opaque" => Self::Opaque,
            _ => return None,
        })
    }

    /// Says whether it may stand without a value, so that it never takes the next word.
    pub fn stands_alone(self) -> bool {
        matches!(self, Self::Boolean | Self::Optional)
    }

    /// Says whether of all that it is given only the last counts.
    pub fn takes_one(self) -> bool {
        !matches!(
            self,
            Self::List | Self::Array | Self::Gates | Self::Map | Self::Switches | Self::Opaque
        )
    }

    /// Reads all that was given to one flag, in its order. Of single values the last wins, but each
    /// has to be readable, since Go's flags refuse at the first that is not.
    pub fn read(self, given: &[String]) -> Option<Value> {
        match self {
            Self::List => Some(Value::List(collect(given, list)?.concat())),
            Self::Array => Some(Value::List(given.to_vec())),
            Self::Gates => Some(Value::Gates(pairs(given, gate)?)),
            Self::Map => Some(Value::Map(pairs(given, entry)?)),
            Self::Switches => Some(Value::Map(pairs(given, switch)?)),
            _ => collect(given, |word| self.single(word))?.pop(),
        }
    }

    fn single(self, word: &str) -> Option<Value> {
        match self {
            Self::Boolean => boolean(word).map(Value::Boolean),
            Self::Number32 => {
                number(word).filter(|number| i32::try_from(*number).is_ok()).map(Value::Number)
            }
            Self::Number64 => number(word).map(Value::Number),
            Self::Duration => nanoseconds(word).map(Value::Nanoseconds),
            Self::Text => Some(Value::Text(word.to_owned())),
            Self::Address => word.trim().parse().ok().map(Value::Address),
            _ => None,
        }
    }
}

/// What a flag or a field was set to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A boolean.
    Boolean(bool),
    /// A number.
    Number(i64),
    /// A time span in nanoseconds; it may be negative.
    Nanoseconds(i64),
    /// A text.
    Text(String),
    /// An address.
    Address(IpAddr),
    /// Texts in their order.
    List(Vec<String>),
    /// Feature gates.
    Gates(BTreeMap<String, bool>),
    /// Texts by name.
    Map(BTreeMap<String, String>),
}

/// Reads a boolean as `strconv.ParseBool` does: these words and no others.
pub fn boolean(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a number as `strconv.ParseInt` does where the base is in the text: `0x1f`, `0o17`, `017`, `0b1`.
pub fn number(word: &str) -> Option<i64> {
    let (sign, digits) = match word.as_bytes().first()? {
        b'-' => ("-", &word[1..]),
        b'+' => ("", &word[1..]),
        _ => ("", word),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // A second sign would be read here and not by Go; underscores between digits are left to a gap.
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// Reads a time span as `time.ParseDuration` does, in nanoseconds: `1h30m`, `1.5s`, `-2ms`, `0`.
pub fn nanoseconds(word: &str) -> Option<i64> {
    let (sign, mut rest) = match word.as_bytes().first()? {
        b'-' => (-1, &word[1..]),
        b'+' => (1, &word[1..]),
        _ => (1, word),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut sum: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (figure, after) = rest.split_at(end);
        let (unit, after) = unit(after)?;
        sum = sum.checked_add(portion(figure, unit)?)?;
        rest = after;
    }
    (!word.trim_start_matches(['-', '+']).is_empty())
        .then(|| i64::try_from(sum * sign).ok())
        .flatten()
}

fn unit(text: &str) -> Option<(i128, &str)> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS.iter().find_map(|(name, size)| Some((*size, text.strip_prefix(name)?)))
}

/// Reads `1.5` of a unit; digits that are less than a nanosecond are cut off.
fn portion(figure: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || figure.len() > 30 {
        return None;
    }
    let read = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let kept = &fraction[..fraction.len().min(15)];
    let parts = read(kept)?.checked_mul(unit)? / 10_i128.pow(u32::try_from(kept.len()).ok()?);
    read(whole)?.checked_mul(unit)?.checked_add(parts)
}

/// Reads texts between commas. Quotes make it CSV, which is left to a gap.
fn list(word: &str) -> Option<Vec<String>> {
    if word.is_empty() {
        return Some(Vec::new());
    }
    (!word.contains(['"', '\n', '\r'])).then(|| word.split(',').map(str::to_owned).collect())
}

fn gate(pair: &str) -> Option<(String, bool)> {
    let (name, state) = pair.split_once('=')?;
    // A gate may name the component that it is for; without one, Kubernetes itself is meant.
    let name = name.trim();
    let name = name.strip_prefix("kube:").unwrap_or(name);
    Some((name.to_owned(), boolean(state.trim())?))
}

fn entry(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn switch(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Some((name.trim().to_owned(), value.trim().to_owned()))
}

fn pairs<T>(
    given: &[String],
    read: impl Fn(&str) -> Option<(String, T)>,
) -> Option<BTreeMap<String, T>> {
    let words = given.iter().flat_map(|word| word.split(','));
    words.filter(|pair| !pair.is_empty()).map(read).collect()
}

fn collect<T>(given: &[String], read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    given.iter().map(|word| read(word)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Kind, Value, boolean, nanoseconds, number};

    #[test]
    fn booleans_are_go_words() {
        for word in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(boolean(word), Some(true), "{word}");
        }
        for word in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(boolean(word), Some(false), "{word}");
        }
        for word in ["", "yes", "on", "tRUE", " true", "2", "no", "\"false\""] {
            assert_eq!(boolean(word), None, "{word}");
        }
    }

    #[test]
    fn numbers_have_their_base_in_them() {
        let check =
            |word: &str, expected: Option<i64>| assert_eq!(number(word), expected, "{word}");
        check("10", Some(10));
        check("-1", Some(-1));
        check("+7", Some(7));
        check("0", Some(0));
        check("017", Some(15));
        check("0o17", Some(15));
        check("0x1F", Some(31));
        check("0b11", Some(3));
        for bad in ["", "-", "08", "1_000", "1.5", " 1", "--1", "0x", "0x-1", "é"] {
            check(bad, None);
        }
        assert_eq!(Kind::Number32.read(&["4294967296".to_owned()]), None);
    }

    #[test]
    fn time_spans_are_go_spans() {
        let check = |word: &str, expected: Option<i64>| {
            assert_eq!(nanoseconds(word), expected, "{word}");
        };
        check("4h0m0s", Some(14_400_000_000_000));
        check("1.5s", Some(1_500_000_000));
        check("-2ms", Some(-2_000_000));
        check(".5h", Some(1_800_000_000_000));
        check("0", Some(0));
        check("0s", Some(0));
        for bad in ["", "5", "-", "1d", "h", ".s", "1.2.3s", "1 s", "9999999999h"] {
            check(bad, None);
        }
    }

    #[test]
    fn what_is_given_twice_is_added_or_replaced() {
        let check = |kind: Kind, given: &[&str], expected: Option<Value>| {
            let given: Vec<_> = given.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(kind.read(&given), expected, "{kind:?} {given:?}");
        };
        let texts = |texts: &[&str]| Value::List(texts.iter().map(|&t| t.to_owned()).collect());
        check(Kind::Boolean, &["false", "true"], Some(Value::Boolean(true)));
        // The component does not start with the first of them, so that the last says nothing.
        check(Kind::Boolean, &["maybe", "true"], None);
        check(Kind::Text, &["a,b", ""], Some(Value::Text(String::new())));
        check(Kind::List, &["a,b", "c"], Some(texts(&["a", "b", "c"])));
        check(Kind::List, &["", "c"], Some(texts(&["c"])));
        check(Kind::List, &["\"a,b\""], None);
        check(Kind::Array, &["a,b", "c"], Some(texts(&["a,b", "c"])));
        let gates = |gates: &[(&str, bool)]| {
            Value::Gates(gates.iter().map(|&(name, on)| (name.to_owned(), on)).collect())
        };
        check(
            Kind::Gates,
            &["A=true, B=0", "kube:A=f"],
            Some(gates(&[("A", false), ("B", false)])),
        );
        check(Kind::Gates, &["A"], None);
        check(Kind::Gates, &["A=yes"], None);
        let map = BTreeMap::from([("a".to_owned(), "2".to_owned())]);
        check(Kind::Map, &["a=1", "a=2,"], Some(Value::Map(map)));
        check(Kind::Map, &["a"], None);
        check(Kind::Opaque, &["1.5"], None);
    }
}
