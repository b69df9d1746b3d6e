//! Findings: somebody else changed what is enforced, who it was as far as the kernel tells, and how soon it was
//! put back.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// How many findings are kept; their number goes on.
const KEPT: usize = 100;

/// The process whose transaction it was, as the kernel told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Author {
    /// Its number as the kernel counts from its start: inside a container processes have others.
    pub pid: u32,
    /// Its name, which it may have chosen.
    pub name: String,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name.escape_debug(), self.pid)
    }
}

/// One finding.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Meddling {
    /// Which one it is since the machine was started, from 1.
    pub number: u64,
    /// When it was noticed, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was found.
    pub what: String,
    /// Who it was; none where nobody was heard.
    pub by: Option<Author>,
    /// How many milliseconds after it was noticed everything was as it should be; none where that failed,
    /// and was tried again later.
    pub back_after_ms: Option<u64>,
}

/// A finding that was noticed and is not mended yet.
pub(super) struct Noticed {
    what: String,
    by: Option<Author>,
    at_ms: u64,
    since: Instant,
}

impl Noticed {
    pub(super) fn now(what: impl Into<String>, by: Option<Author>) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        Self { what: what.into(), by, at_ms, since: Instant::now() }
    }
}

/// The last findings since the machine was started.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Meddlings {
    times: u64,
    last: Vec<Meddling>,
}

impl Meddlings {
    /// How many there were.
    pub(super) fn times(&self) -> u64 {
        self.times
    }

    /// The last ones, the newest at the end.
    pub(super) fn last(&self) -> &[Meddling] {
        &self.last
    }

    /// Takes down one that is mended now, or could not be.
    pub(super) fn add(&mut self, noticed: Noticed, is_mended: bool) -> &Meddling {
        self.times += 1;
        let Noticed { what, by, at_ms, since } = noticed;
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let back_after_ms = is_mended.then_some(took);
        if self.last.len() == KEPT {
            self.last.remove(0);
        }
        let place = self.last.len();
        self.last.push(Meddling { number: self.times, at_ms, what, by, back_after_ms });
        &self.last[place]
    }
}

#[cfg(test)]
mod tests {
    use super::{Author, KEPT, Meddlings, Noticed};

    #[test]
    fn only_the_last_are_kept_and_all_are_counted() {
        let mut all = Meddlings::default();
        let author = Author { pid: 7, name: "nft\u{1b}[2J".to_owned() };
        for _ in 0..KEPT {
            all.add(Noticed::now("gone", None), true);
        }
        let last = all.add(Noticed::now("changed", Some(author)), false);
        assert_eq!((last.number, last.back_after_ms), (KEPT as u64 + 1, None));
        assert_eq!(last.by.as_ref().unwrap().to_string(), "nft\\u{1b}[2J (process 7)");
        assert_eq!((all.times(), all.last().len(), all.last()[0].number), (101, KEPT, 2));
    }
}
