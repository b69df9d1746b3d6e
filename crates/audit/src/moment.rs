//! When something was: read as servers write it, without the rules of all the world for times. Never here: a time of its
//! own; what is written in another way is read by those rules.

use jiff::Timestamp;

/// Reads a time, in microseconds of the Unix epoch; nothing where none can be read.
pub(crate) fn microseconds(text: &str) -> Option<i64> {
    usual(text).or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond))
}

/// The days of each month; where a year has one more, it is not read here.
const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// What stands between the numbers of a time.
const MARKS: [(usize, u8); 5] = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
/// From the first of March of the year 0 to the beginning of the Unix epoch.
const DAYS_BEFORE: i64 = 719_468;

/// Reads `2026-01-05T00:00:00.000001Z`, as servers write it, and the same without a fraction.
fn usual(text: &str) -> Option<i64> {
    let (time, fraction) = text.strip_suffix('Z')?.as_bytes().split_at_checked(19)?;
    let fraction = match fraction {
        [] => 0,
        [b'.', digits @ ..] if digits.len() == 6 => number(digits)?,
        _ => return None,
    };
    if MARKS.iter().any(|(at, mark)| time[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(&time[..4])?, number(&time[5..7])?, number(&time[8..10])?);
    let (hour, minute, second) =
        (number(&time[11..13])?, number(&time[14..16])?, number(&time[17..19])?);
    let of_month =
        usize::try_from(month).ok().and_then(|month| DAYS.get(month.checked_sub(1)?).copied())?;
    let is_one = (1970..=9998).contains(&year)
        && (1..=of_month).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    is_one.then_some(seconds * 1_000_000 + fraction)
}

/// Days of the Unix epoch. A year begins in March here, so that the day that some have more is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year / 4 - year / 100 + year / 400;
    of_years + (153 * month + 2) / 5 + day - 1 - DAYS_BEFORE
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{DAYS, microseconds, usual};

    fn by_the_rules(text: &str) -> Option<i64> {
        text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
    }

    #[test]
    fn every_day_is_read_as_by_the_rules() {
        for year in [1970, 1999, 2000, 2023, 2024, 2026, 2100, 2400, 9998] {
            for (month, days) in (1..).zip(DAYS) {
                for day in 1..=days {
                    let text = format!("{year}-{month:02}-{day:02}T23:59:58.123456Z");
                    assert_eq!(usual(&text), by_the_rules(&text), "{text}");
                    assert!(usual(&text).is_some(), "{text}");
                }
            }
        }
        assert_eq!(usual("1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_the_rules() {
        for text in [
            "2024-02-29T00:00:00.000001Z",
            "2026-01-05T00:00:00.5Z",
            "2026-01-05T00:00:00.123456789Z",
            "2026-01-05T01:00:00.000001+01:00",
            "2026-01-05T00:00:60.000001Z",
            "2026-01-05 00:00:00.000001Z",
            "1969-12-31T23:59:59.999999Z",
            "2026-02-29T00:00:00.000001Z",
            "2026-13-01T00:00:00.000001Z",
            "2026-00-01T00:00:00.000001Z",
            "2026-01-05T24:00:00.000001Z",
            "2026-01-05T00:00:00.00000xZ",
            "+026-01-05T00:00:00.000001Z",
            "2026-01-05T00:00:00.Z",
            "\u{662}026-01-05T00:00:00Z",
            "Z",
            "",
        ] {
            assert_eq!(usual(text), None, "{text}");
            assert_eq!(microseconds(text), by_the_rules(text), "{text}");
        }
    }
}
