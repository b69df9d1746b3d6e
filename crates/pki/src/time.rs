//! Seconds since 1970, as the nouns count them, and the calendar that certificates are written in.

use std::time::Duration;

use time::OffsetDateTime;

/// Gives the calendar time of a second; far ends of time are cut to what a certificate can say.
pub(crate) fn calendar(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds.clamp(0, LAST_SECOND))
        .expect("every second between 1970 and 9999 is in the calendar")
}

/// Gives the day of a second, for messages.
pub(crate) fn day(seconds: i64) -> String {
    calendar(seconds).date().to_string()
}

/// Adds a span.
pub(crate) fn after(seconds: i64, span: Duration) -> i64 {
    seconds.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)).min(LAST_SECOND)
}

/// The end of 9999-12-31, the last moment of RFC 5280.
const LAST_SECOND: i64 = 253_402_300_799;
