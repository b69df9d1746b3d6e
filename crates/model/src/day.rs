//! Days, as people write them.

/// Gives the day of a second since 1970, as in `2027-05-16`: days that are written so are in order as texts. A second
/// that no calendar has stays a number.
pub fn day(seconds: i64) -> String {
    let day = jiff::Timestamp::from_second(seconds);
    day.map_or_else(|_| seconds.to_string(), |day| day.strftime("%F").to_string())
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn a_second_has_its_day() {
        let check = |seconds: i64, expected: &str| assert_eq!(day(seconds), expected);
        check(0, "1970-01-01");
        check(951_868_799, "2000-02-29");
        check(i64::MAX, "9223372036854775807");
    }
}
