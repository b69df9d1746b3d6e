//! What is searched for: `user=alice verb=delete resource=secrets since=2h`.

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_audit::finding::Finding;

use super::entry::{Entry, Kind};
use super::index::{FIELDS, Field, each_reported, each_value, term};
use super::reported::Reported;

/// What is searched for: everything in it has to hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    wanted: Vec<(Field, Value)>,
    since: Option<i64>,
    until: Option<i64>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Value {
    Is(String),
    /// Written with a star behind it. No index helps.
    Begins(String),
}

/// Says what is wrong with a query.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// It is no pair.
    #[error("{0:?} is no FIELD=VALUE")]
    NoPair(String),
    /// The field is unknown.
    #[error(
        "nothing is searched by {0:?}: there are user, verb, resource, namespace, name, source, since and until"
    )]
    Field(String),
    /// No time.
    #[error("{0:?} is no time: write 30m, 2h or 7d ago, or 2026-01-05T10:00:00Z")]
    Time(String),
}

impl Query {
    /// Reads a query; the time is what `since=2h` counts from.
    ///
    /// # Errors
    /// A word is not understood.
    pub fn read(text: &str, now: jiff::Timestamp) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for word in text.split_whitespace() {
            let (key, value) =
                word.split_once('=').ok_or_else(|| QueryError::NoPair(word.to_owned()))?;
            match (key, FIELDS.iter().find(|(name, _)| *name == key)) {
                ("since", _) => query.since = Some(time(value, now)?),
                ("until", _) => query.until = Some(time(value, now)?),
                (_, Some((_, field))) => query.wanted.push((*field, Value::read(value))),
                _ => return Err(QueryError::Field(key.to_owned())),
            }
        }
        Ok(query)
    }

    /// Gives the terms that a block has to hold.
    pub fn terms(&self) -> Vec<u32> {
        let exact = self.wanted.iter().filter_map(|(field, value)| match value {
            Value::Is(value) if !value.is_empty() => Some(term(*field, value)),
            _ => None,
        });
        exact.collect()
    }

    /// Whether something between these times may be wanted.
    pub fn may_be_at(&self, times: (i64, i64)) -> bool {
        self.since.is_none_or(|since| times.1 >= since)
            && self.until.is_none_or(|until| times.0 <= until)
    }

    /// Visits what of an entry is wanted: events, or what an agent found.
    pub fn each(&self, entry: &Entry<'_>, visit: &mut dyn FnMut(&Hit<'_>)) {
        if !self.may_be_at((entry.time, entry.time)) {
            return;
        }
        let mut offer = |hit: &Hit<'_>| {
            if self.is_met(hit) {
                visit(hit);
            }
        };
        match entry.kind {
            Kind::Unreadable => {}
            Kind::Event => each(entry.text, &mut |found| {
                if let Found::Event(event) = found {
                    offer(&Hit::Event(event));
                }
            }),
            Kind::Finding => {
                if let Some(reported) = Reported::read(entry.text) {
                    offer(&Hit::Finding(&reported.finding));
                }
            }
        }
    }

    fn is_met(&self, hit: &Hit<'_>) -> bool {
        self.wanted.iter().all(|(wanted, value)| {
            let mut is_met = false;
            let mut visit = |field: Field, said: &str| is_met |= field == *wanted && value.is(said);
            match hit {
                Hit::Event(event) => each_value(event, &mut visit),
                Hit::Finding(finding) => each_reported(finding, &mut visit),
            }
            is_met
        })
    }
}

/// Something that was searched for.
pub enum Hit<'h> {
    /// An event of an API server.
    Event(&'h Event<'h>),
    /// Something that an agent found.
    Finding(&'h Finding),
}

impl Value {
    fn read(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(start) => Self::Begins(start.to_owned()),
            None => Self::Is(text.to_owned()),
        }
    }

    fn is(&self, said: &str) -> bool {
        match self {
            Self::Is(value) => said == value,
            Self::Begins(start) => said.starts_with(start.as_str()),
        }
    }
}

fn time(text: &str, now: jiff::Timestamp) -> Result<i64, QueryError> {
    let wrong = || QueryError::Time(text.to_owned());
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let ago = count.checked_mul(seconds * 1_000_000).filter(|ago| *ago >= 0).ok_or_else(wrong)?;
    Ok(now.as_microsecond().saturating_sub(ago))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-05T12:00:00Z";
    const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"delete","user":{"username":"alice"},"impersonatedUser":{"username":"bob"},"sourceIPs":["203.0.113.9","10.0.0.1"],"objectRef":{"resource":"pods","subresource":"exec","namespace":"web","name":"shop-1"}}"#;

    fn check(query: &str, expected: bool) {
        let query = Query::read(query, NOW.parse().unwrap()).unwrap();
        let time = "2026-01-05T11:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let text = EVENT.as_bytes();
        let mut found = false;
        query.each(&Entry { source: "a", time, kind: Kind::Event, text }, &mut |_| found = true);
        assert_eq!(found, expected, "{query:?}");
    }

    #[test]
    fn everything_that_is_asked_for_has_to_hold() {
        check("", true);
        check("user=alice", true);
        check("user=bob verb=delete", true);
        check("user=carol", false);
        check("user=alice verb=get", false);
        check("resource=pods", true);
        check("resource=pods/exec namespace=web name=shop-1", true);
        check("name=shop-*", true);
        check("name=sho", false);
        check("source=10.0.0.1", true);
        check("source=203.0.113.9", false);
        check("since=2h", true);
        check("since=30m", false);
        check("until=30m", true);
        check("until=2026-01-05T10:59:59Z", false);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let read = |text: &str| Query::read(text, NOW.parse().unwrap()).unwrap_err();
        assert_eq!(read("alice"), QueryError::NoPair("alice".to_owned()));
        assert_eq!(read("usr=alice"), QueryError::Field("usr".to_owned()));
        for time in ["", "h", "2w", "-2h", "9223372036854775807d", "2026-01-05", "2é"] {
            assert_eq!(read(&format!("since={time}")), QueryError::Time(time.to_owned()));
        }
    }
}
