//! The table of flags: what each takes, and what it is where nobody gives it.
//!
//! Never here: a flag or a default that is not in the table.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ringfort_model::version::Minor;

use super::Component;
use super::value::{Kind, Value};

/// A flag of a component.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flag {
    /// Its name, with dashes.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    first: u32,
    last: u32,
    default: Option<&'static str>,
}

impl Flag {
    /// Says whether the minor has it.
    fn is_of(&self, minor: Minor) -> bool {
        (self.first..=self.last).contains(&minor.number())
    }
}

/// Finds what a flag takes, whatever the minor: no flag changed what it takes.
pub fn kind(component: Component, name: &str) -> Option<Kind> {
    rows(component).find(|flag| flag.name == name).map(|flag| flag.kind)
}

/// Gives what a flag is where nobody gives it; `None` where the table does not say.
pub fn default(component: Component, name: &str, minor: Minor) -> Option<Value> {
    let flag = rows(component).find(|flag| flag.name == name && flag.is_of(minor))?;
    let text = flag.default?;
    let nothing = text.is_empty() && flag.kind != Kind::Text;
    let given = if nothing { Vec::new() } else { vec![text.to_owned()] };
    flag.kind.read(&given)
}

/// Says whether every minor takes the same where nobody gives a flag.
pub fn default_is_one(component: Component, name: &str) -> bool {
    let of = |minor| default(component, name, minor);
    Minor::ALL.iter().all(|minor| of(*minor) == of(Minor::V1_37))
}

/// Gives a component's rows of the table.
fn rows(component: Component) -> impl Iterator<Item = Flag> {
    static ROWS: LazyLock<BTreeMap<&str, Vec<Flag>>> = LazyLock::new(read);
    ROWS.get(component.program()).into_iter().flatten().copied()
}

/// Reads the table: sections with rows.
fn read() -> BTreeMap<&'static str, Vec<Flag>> {
    let mut sections = BTreeMap::new();
    let mut program = "";
    for line in TABLE.lines() {
        program = section(line).unwrap_or(program);
        sections.entry(program).or_insert_with(Vec::new).extend(row(line));
    }
    sections
}

const TABLE: &str = include_str!("flags.txt");

fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

fn row(line: &'static str) -> Option<Flag> {
    let mut words = line.splitn(4, ' ');
    let (name, kind, minors) = (words.next()?, words.next()?, words.next()?);
    let (first, last) = minors.split_once('-')?;
    Some(Flag {
        name,
        kind: Kind::of(kind)?,
        first: first.parse().ok()?,
        last: last.parse().ok()?,
        default: words.next().and_then(|word| word.strip_prefix('=')),
    })
}

#[cfg(test)]
mod tests {
    use ringfort_model::version::Minor;

    use super::{Component, TABLE, Value, default, row, rows};

    #[test]
    fn every_row_is_read_and_every_default_is_of_its_kind() {
        let written =
            TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
        for line in written {
            assert!(row(line).is_some(), "{line}");
        }
        for component in Component::ALL {
            assert!(rows(component).count() > 50, "{component}");
            for flag in rows(component).filter(|flag| flag.default.is_some()) {
                for minor in Minor::ALL.into_iter().filter(|minor| flag.is_of(*minor)) {
                    let found = default(component, flag.name, minor);
                    assert!(found.is_some(), "{component} {} {minor}", flag.name);
                }
            }
        }
    }

    #[test]
    fn defaults_differ_between_minors_and_are_not_guessed() {
        let check = |name: &str, minor: Minor, expected: Option<Value>| {
            assert_eq!(default(Component::ApiServer, name, minor), expected, "{name} {minor}");
        };
        check("audit-log-maxage", Minor::V1_35, Some(Value::Number(0)));
        check("audit-log-maxage", Minor::V1_36, Some(Value::Number(366)));
        check("anonymous-auth", Minor::V1_37, Some(Value::Boolean(true)));
        check("tls-cipher-suites", Minor::V1_37, Some(Value::List(Vec::new())));
        check("cors-allowed-origins", Minor::V1_37, None);
        check("insecure-port", Minor::V1_37, None);
        // Also taken where it would be a list of one empty text.
        check("audit-log-path", Minor::V1_37, Some(Value::Text(String::new())));
    }
}
