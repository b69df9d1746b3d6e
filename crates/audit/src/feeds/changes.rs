//! Who may change what, and when: what is changed otherwise was not meant.

use jiff::civil::{Time, Weekday};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::matches;
use crate::written::{self, Unclear};

/// What may be changed.
#[derive(Debug)]
pub(crate) struct Changes(pub(super) Vec<Change>);

/// Some who may change something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Change {
    /// Users; a `*` at the end stands for any rest.
    who: Vec<String>,
    /// Resources as `RESOURCE.GROUP`, or `RESOURCE` of the core group; `*` stands for any.
    what: Vec<String>,
    /// Namespaces; everywhere where they are left out.
    namespaces: Option<Vec<String>>,
    /// Days, in UTC; every day where they are left out.
    days: Option<Vec<Day>>,
    /// From when to when, in UTC; at any time where it is left out.
    hours: Option<Hours>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A part of a day, which may go over midnight.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Hours {
    from: Time,
    to: Time,
}

const SHAPE: &str = "write `changes: [{ who: [alice@example.org], what: [deployments.apps, \"*\"], namespaces: [shop], \
                     days: [mon, tue], hours: \"08:00-18:00\" }]`; times are UTC";

/// A change that was made.
pub(crate) struct Made<'e> {
    /// By whom: who showed a credential, and in whose name.
    pub(crate) users: [&'e str; 2],
    pub(crate) resource: &'e str,
    pub(crate) group: &'e str,
    pub(crate) namespace: &'e str,
    /// When, in microseconds since 1970, where that is known.
    pub(crate) at: Option<i64>,
}

/// Why a change was not meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unmeant {
    /// Nobody says that this user changes this.
    Who,
    /// Somebody does, but at another time.
    When,
}

/// Reads who may change what.
///
/// # Errors
/// All that is wrong, with its places.
pub fn read(document: &Value) -> Result<Vec<Change>, Vec<Unclear>> {
    written::list(document, "changes", SHAPE, |value| match Change::deserialize(value) {
        Err(error) => Err((String::new(), format!("this change cannot be read: {error}"))),
        Ok(change) if change.who.is_empty() || change.what.is_empty() => {
            Err((String::new(), "it names nobody, or nothing".to_owned()))
        }
        Ok(change) => Ok(change),
    })
}

impl Changes {
    /// Says whether a change was meant, and if not, why.
    pub(crate) fn judge(&self, made: &Made<'_>) -> Result<(), Unmeant> {
        let mut of: Vec<&Change> = self.0.iter().filter(|change| change.is_about(made)).collect();
        if of.is_empty() {
            return Err(Unmeant::Who);
        }
        of.retain(|change| change.is_at(made.at));
        if of.is_empty() { Err(Unmeant::When) } else { Ok(()) }
    }
}

impl Change {
    /// Both who showed a credential and in whose name it was have to be named.
    fn is_about(&self, made: &Made<'_>) -> bool {
        let is_named = |user: &&str| self.who.iter().any(|pattern| matches(pattern, user));
        let is_it = |what: &String| match what.split_once('.') {
            _ if what == "*" => true,
            Some((resource, group)) => {
                group == made.group && (resource == "*" || resource == made.resource)
            }
            None => made.group.is_empty() && what == made.resource,
        };
        let is_there = |all: &Vec<String>| all.iter().any(|it| matches(it, made.namespace));
        made.users.iter().all(is_named)
            && self.what.iter().any(is_it)
            && self.namespaces.as_ref().is_none_or(is_there)
    }

    /// What has no time is at none that is named.
    fn is_at(&self, at: Option<i64>) -> bool {
        if self.days.is_none() && self.hours.is_none() {
            return true;
        }
        let Some(at) = at.and_then(|at| Timestamp::from_microsecond(at).ok()) else { return false };
        let at = at.to_zoned(TimeZone::UTC);
        let today = Day::of(at.weekday());
        self.days.as_ref().is_none_or(|days| days.contains(&today))
            && self.hours.is_none_or(|hours| hours.holds(at.time()))
    }
}

impl Day {
    fn of(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

impl Hours {
    fn holds(self, at: Time) -> bool {
        match self.from <= self.to {
            true => self.from <= at && at < self.to,
            false => self.from <= at || at < self.to,
        }
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let part = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let ends = text.split_once('-').and_then(|(from, to)| Some((part(from)?, part(to)?)));
        match ends {
            Some((from, to)) if from != to => Ok(Self { from, to }),
            _ => Err(format!("{text:?} is not a part of a day such as 08:00-18:00")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Changes, Made, Unmeant, read};

    /// 2026-01-05 is a Monday.
    const MONDAY_NOON: i64 = 1_767_614_400_000_000;
    const HOUR: i64 = 3_600_000_000;

    fn made(user: &'static str, at: i64) -> Made<'static> {
        let (resource, group, namespace) = ("deployments", "apps", "shop");
        Made { users: [user, user], resource, group, namespace, at: Some(at) }
    }

    #[test]
    fn a_change_is_meant_by_who_what_where_and_when() {
        let changes = Changes(read(&json!({"changes": [
            {"who": ["alice"], "what": ["deployments.apps"], "namespaces": ["shop"], "days": ["mon"],
             "hours": "08:00-18:00"},
            {"who": ["system:serviceaccount:flux-system:*"], "what": ["*"]},
            {"who": ["night"], "what": ["*.apps"], "hours": "22:00-04:00"},
        ]}))
        .unwrap());
        let judge = |made: &Made<'_>| changes.judge(made);
        assert_eq!(judge(&made("alice", MONDAY_NOON)), Ok(()));
        assert_eq!(judge(&made("alice", MONDAY_NOON + 6 * HOUR)), Err(Unmeant::When));
        assert_eq!(judge(&made("alice", MONDAY_NOON + 24 * HOUR)), Err(Unmeant::When));
        assert_eq!(judge(&Made { at: None, ..made("alice", 0) }), Err(Unmeant::When));
        let elsewhere = Made { namespace: "web", ..made("alice", MONDAY_NOON) };
        assert_eq!(judge(&elsewhere), Err(Unmeant::Who));
        let other = Made { resource: "daemonsets", ..made("alice", MONDAY_NOON) };
        assert_eq!(judge(&other), Err(Unmeant::Who));
        let core = Made { group: "", ..made("alice", MONDAY_NOON) };
        assert_eq!(judge(&core), Err(Unmeant::Who));
        assert_eq!(judge(&made("bob", MONDAY_NOON)), Err(Unmeant::Who));
        assert_eq!(judge(&made("system:serviceaccount:flux-system:flux", 0)), Ok(()));
        // In alice's name, by somebody whom nobody named.
        let as_alice = Made { users: ["bob", "alice"], ..made("bob", MONDAY_NOON) };
        assert_eq!(judge(&as_alice), Err(Unmeant::Who));
        assert_eq!(judge(&made("night", MONDAY_NOON + 11 * HOUR)), Ok(()));
        assert_eq!(judge(&made("night", MONDAY_NOON + 15 * HOUR)), Ok(()));
        assert_eq!(judge(&made("night", MONDAY_NOON)), Err(Unmeant::When));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let good = json!({"who": ["a"], "what": ["*"]});
        let with = |name: &str, value: serde_json::Value| {
            let mut one = good.clone();
            one[name] = value;
            json!({ "changes": [good, one] })
        };
        for (document, pointer) in [
            (with("hours", json!("8-18")), "/changes/1"),
            (with("hours", json!("08:00-08:00")), "/changes/1"),
            (with("days", json!(["monday"])), "/changes/1"),
            (with("who", json!([])), "/changes/1"),
            (with("namespace", json!("a")), "/changes/1"),
            (json!({"changes": {}}), ""),
            (json!({"changes": [good], "more": 1}), "/more"),
        ] {
            let unclear = read(&document).unwrap_err();
            assert_eq!(unclear[0].pointer, pointer, "{document}");
        }
    }
}
