//! Counting: how many tests passed, failed and were skipped. Pure.

use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

/// How many passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: i64,
    /// Tests that failed.
    pub(crate) failed: i64,
    /// Tests that were not run.
    pub(crate) skipped: i64,
}

impl Tally {
    /// One test that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One test that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One test that was not run.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };
    /// One test that ran to say that it could not look: its test binary counts it as passed.
    const LEFT_OUT: Self = Self { passed: -1, failed: 0, skipped: 1 };

    /// Reads the closing line of one test binary, or what a test says that could not look. It says so
    /// past libtest, perhaps in the middle of one of its lines.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        if line.contains("SKIPPED: ") {
            return Some(Self::LEFT_OUT);
        }
        let counts = line.strip_prefix("test result: ")?;
        let count = |label: &str| {
            let (before, _) = counts.split_once(label)?;
            before.trim_end().rsplit([' ', ';']).next()?.parse().ok()
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
        })
    }

    /// Reads a line of tests on machines, which have no libtest: the closing line of the end-to-end
    /// cases, and a line for each scenario of the lab.
    pub(crate) fn of_machines(line: &str) -> Option<Self> {
        if let Some(scenario) = line.strip_prefix("lab: ") {
            return match scenario.rsplit_once(" ... ") {
                Some((_, ending)) if ending.starts_with("ok") => Some(Self::PASSED),
                Some((_, ending)) if ending.starts_with("SKIPPED") => Some(Self::SKIPPED),
                None if scenario.starts_with("SKIPPED") => Some(Self::SKIPPED),
                _ => None,
            };
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let [passed, "passed,", failed, "failed,", skipped, "skipped"] = words.as_slice() else {
            return None;
        };
        Some(Self {
            passed: passed.parse().ok()?,
            failed: failed.parse().ok()?,
            skipped: skipped.parse().ok()?,
        })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(out, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(i64, i64, i64)>) {
        assert_eq!(counts(Tally::of_line(line)), expected, "{line}");
    }

    fn counts(tally: Option<Tally>) -> Option<(i64, i64, i64)> {
        tally.map(|tally| (tally.passed, tally.failed, tally.skipped))
    }

    #[test]
    fn closing_lines_of_test_binaries_are_read() {
        check(
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.01s",
            Some((12, 0, 3)),
        );
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            Some((1, 2, 0)),
        );
        check("test tally::tests::one ... ok", None);
        check("test result: garbled", None);
    }

    #[test]
    fn a_test_that_could_not_look_has_not_passed() {
        check("SKIPPED: no WireGuard here", Some((-1, 0, 1)));
        check("test packets::one ... SKIPPED: no WireGuard here", Some((-1, 0, 1)));
        // A test on machines is counted in the stage that has machines.
        check("lab: SKIPPED, no lab was booted: set RINGFORT_E2E=1 and run as root", None);
    }

    #[test]
    fn tests_on_machines_are_counted_by_their_own_lines() {
        let check = |line: &str, expected: Option<(i64, i64, i64)>| {
            assert_eq!(counts(Tally::of_machines(line)), expected, "{line}");
        };
        check("23 passed, 1 failed, 4 skipped", Some((23, 1, 4)));
        check("     up again: 23 passed, 1 failed, 4 skipped or so", None);
        check("case reset_leaves_machines_as_they_were ... ok (12.0 s)", None);
        check("lab: two machines boot ... ok (31.4 s)", Some((1, 0, 0)));
        check(
            "lab: a virtual one ... SKIPPED: set RINGFORT_VM=1, it takes minutes",
            Some((0, 0, 1)),
        );
        check(
            "lab: SKIPPED, no lab was booted: set RINGFORT_E2E=1 and run as root",
            Some((0, 0, 1)),
        );
        check("lab: booting", None);
        check("test result: ok. 1 passed; 0 failed; 0 ignored", None);
    }

    #[test]
    fn the_closing_line_names_what_was_skipped_only_if_something_was() {
        let mut sum = Tally::PASSED;
        assert_eq!(sum.to_string(), "1 passed, 0 failed");
        sum += Tally::FAILED;
        sum += Tally::SKIPPED;
        assert_eq!(sum.to_string(), "1 passed, 1 failed, 1 skipped");
    }
}
