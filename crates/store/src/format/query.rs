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
    kind: Option<Kind>,
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
    /// A quotation does not end.
    #[error("the value of {0} begins with a quotation mark and does not end with one")]
    Open(String),
    /// No kind.
    #[error("{0:?} is no kind of what is kept: there are event, finding and unreadable")]
    Kind(String),
    /// The field is unknown.
    #[error(
        "nothing is searched by {0:?}: there are user, verb, resource, namespace, name, source, kind, since and \
         until; a value with spaces and = in it stands in double quotes"
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
        Self::of(&[text], now)
    }

    /// Reads a query from arguments. A value goes on over spaces up to the next pair of its argument, or stands in double
    /// quotes.
    ///
    /// # Errors
    /// A word is not understood.
    pub fn of(arguments: &[impl AsRef<str>], now: jiff::Timestamp) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for argument in arguments {
            for (key, value) in pairs(argument.as_ref())? {
                match (key, FIELDS.iter().find(|(name, _)| *name == key)) {
                    ("since", _) => query.since = Some(time(value, now)?),
                    ("until", _) => query.until = Some(time(value, now)?),
                    ("kind", _) => query.kind = Some(kind(value)?),
                    (_, Some((_, field))) => query.wanted.push((*field, Value::read(value))),
                    _ => return Err(QueryError::Field(key.to_owned())),
                }
            }
        }
        Ok(query)
    }

    /// Asks for everything from a time on, in microseconds of the Unix epoch.
    pub fn everything_since(since: Option<i64>) -> Self {
        Self { since, ..Self::default() }
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

    /// Visits what of an entry is wanted: events, what an agent found, or a line that cannot be read. What of such a line
    /// can be read after all is an event as well.
    pub fn each(&self, entry: &Entry<'_>, visit: &mut dyn FnMut(&Hit<'_>)) {
        let is_of_kind = self.kind.is_none_or(|kind| kind == entry.kind);
        if !is_of_kind || !self.may_be_at((entry.time, entry.time)) {
            return;
        }
        let mut is_read = false;
        let mut offer = |hit: &Hit<'_>| {
            if self.is_met(hit) {
                visit(hit);
            }
        };
        match entry.kind {
            Kind::Event | Kind::Unreadable => each(entry.text, &mut |found| {
                if let Found::Event(event) = found {
                    is_read = true;
                    offer(&Hit::Event(event));
                }
            }),
            Kind::Finding => {
                if let Some(reported) = Reported::read(entry.text) {
                    offer(&Hit::Finding(&reported.finding));
                }
            }
        }
        // It says nothing that could be asked for.
        if entry.kind == Kind::Unreadable && !is_read && self.wanted.is_empty() {
            visit(&Hit::Unreadable);
        }
    }

    fn is_met(&self, hit: &Hit<'_>) -> bool {
        self.wanted.iter().all(|(wanted, value)| {
            let mut is_met = false;
            let mut visit = |field: Field, said: &str| is_met |= field == *wanted && value.is(said);
            match hit {
                Hit::Event(event) => each_value(event, &mut visit),
                Hit::Finding(finding) => each_reported(finding, &mut visit),
                Hit::Unreadable => {}
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
    /// A line in which there is no event that could be read.
    Unreadable,
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

/// Cuts an argument into pairs. Words without an equals sign belong to the value before them.
fn pairs(argument: &str) -> Result<Vec<(&str, &str)>, QueryError> {
    let mut pairs = Vec::new();
    let mut rest = argument.trim();
    while !rest.is_empty() {
        let word = rest.split_whitespace().next().unwrap_or_default();
        let Some((key, _)) = word.split_once('=') else {
            return Err(QueryError::NoPair(word.to_owned()));
        };
        let after = &rest[key.len() + 1..];
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => {
                quoted.split_once('"').ok_or_else(|| QueryError::Open(key.to_owned()))?
            }
            None => after.split_at(end_of_value(after)),
        };
        pairs.push((key, value.trim_end()));
        rest = behind.trim_start();
    }
    Ok(pairs)
}

/// Gives where the first word with an equals sign begins behind a space, or else the end.
fn end_of_value(text: &str) -> usize {
    let spaces = text.char_indices().filter(|(_, letter)| letter.is_whitespace());
    let is_pair = |at: &usize| {
        let word = text[*at..].split_whitespace().next();
        word.is_some_and(|word| word.contains('='))
    };
    spaces.map(|(at, _)| at).find(is_pair).unwrap_or(text.len())
}

fn kind(text: &str) -> Result<Kind, QueryError> {
    match text {
        "event" => Ok(Kind::Event),
        "finding" => Ok(Kind::Finding),
        "unreadable" => Ok(Kind::Unreadable),
        _ => Err(QueryError::Kind(text.to_owned())),
    }
}

/// Reads a time: so long ago, or a moment. Gives microseconds of the Unix epoch.
///
/// # Errors
/// It is none.
pub fn time(text: &str, now: jiff::Timestamp) -> Result<i64, QueryError> {
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

    /// Names of certificates have spaces, and equals signs.
    #[test]
    fn values_may_have_spaces() {
        let now = NOW.parse().unwrap();
        let check = |arguments: &[&str], expected: &[&str]| {
            let query = Query::of(arguments, now).unwrap();
            let values = query.wanted.iter().map(|(_, value)| match value {
                Value::Is(text) => text.clone(),
                Value::Begins(text) => format!("{text}*"),
            });
            assert_eq!(values.collect::<Vec<_>>(), expected, "{arguments:?}");
        };
        check(&["user=Jane  Doe"], &["Jane  Doe"]);
        check(&["user=Jane Doe verb=get"], &["Jane Doe", "get"]);
        check(&["user=Jane Doe", "verb=get "], &["Jane Doe", "get"]);
        check(&[r#"user="Jane Doe, O=Ops" verb=get"#], &["Jane Doe, O=Ops", "get"]);
        check(&["user=CN=jane name=a*"], &["CN=jane", "a*"]);
        check(&["user=Zoë Öz verb=get"], &["Zoë Öz", "get"]);
        check(&["user= verb=get"], &["", "get"]);
        let wrong = |arguments: &[&str]| Query::of(arguments, now).unwrap_err();
        // What the shell cut apart is no value: nothing would be found, and nobody told why.
        assert_eq!(wrong(&["user=Jane", "Doe"]), QueryError::NoPair("Doe".to_owned()));
        assert_eq!(wrong(&["user=\"Jane"]), QueryError::Open("user".to_owned()));
        assert_eq!(wrong(&["user=Jane vrb=get"]), QueryError::Field("vrb".to_owned()));
        assert_eq!(wrong(&["kind=log"]), QueryError::Kind("log".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_found_and_so_is_an_event_in_it() {
        let check = |query: &str, kind: Kind, text: &[u8], expected: &[&str]| {
            let query = Query::read(query, NOW.parse().unwrap()).unwrap();
            let mut found = Vec::new();
            query.each(&Entry { source: "a", time: 0, kind, text }, &mut |hit| {
                found.push(match hit {
                    Hit::Event(_) => "event",
                    Hit::Finding(_) => "finding",
                    Hit::Unreadable => "unreadable",
                });
            });
            assert_eq!(found, expected, "{query:?}");
        };
        let behind_zeros = [b"\0\0", EVENT.as_bytes()].concat();
        check("user=alice", Kind::Unreadable, &behind_zeros, &["event"]);
        check("kind=unreadable", Kind::Unreadable, &behind_zeros, &["event"]);
        check("kind=unreadable user=alice", Kind::Unreadable, &behind_zeros, &["event"]);
        check("user=carol", Kind::Unreadable, &behind_zeros, &[]);
        check("kind=event", Kind::Unreadable, &behind_zeros, &[]);
        check("kind=unreadable", Kind::Event, EVENT.as_bytes(), &[]);
        check("kind=event", Kind::Event, EVENT.as_bytes(), &["event"]);
        check("kind=unreadable", Kind::Unreadable, b"\xff", &["unreadable"]);
        check("", Kind::Unreadable, b"\xff", &["unreadable"]);
        check("user=alice", Kind::Unreadable, b"\xff", &[]);
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
