//! The CIS benchmark of an earlier release: which rows of today's decide its recommendations. Numbers, and who assesses
//! what, are those of a public encoding. Each was held against the row of its number: they are about the same thing.

use crate::benchmark::{Assessed, Row, rows};

/// What it is called here.
pub const NAME: &str = "cis-1.12";
/// Where its numbers, what they are about and who assesses them were read.
pub const SOURCE: &str = "kube-bench, cfg/cis-1.12, all five files of it";

/// A recommendation: its number, and who assesses it.
pub type Recommendation = (&'static str, Assessed);

/// Gives the row that decides a recommendation.
pub fn row(recommendation: &Recommendation) -> Option<&'static Row> {
    rows().find(|row| row.id == recommendation.0)
}

use Assessed::{Automated, Manual};

/// Every recommendation.
pub const RECOMMENDATIONS: &[Recommendation] = &[
    ("1.1.1", Automated),
    ("1.1.2", Automated),
    ("1.1.3", Automated),
    ("1.1.4", Automated),
    ("1.1.5", Automated),
    ("1.1.6", Automated),
    ("1.1.7", Automated),
    ("1.1.8", Automated),
    ("1.1.9", Manual),
    ("1.1.10", Manual),
    ("1.1.11", Automated),
    ("1.1.12", Automated),
    ("1.1.13", Automated),
    ("1.1.14", Automated),
    ("1.1.15", Automated),
    ("1.1.16", Automated),
    ("1.1.17", Automated),
    ("1.1.18", Automated),
    ("1.1.19", Automated),
    ("1.1.20", Manual),
    ("1.1.21", Manual),
    ("1.2.1", Manual),
    ("1.2.2", Automated),
    ("1.2.3", Manual),
    ("1.2.4", Automated),
    ("1.2.5", Automated),
    ("1.2.6", Automated),
    ("1.2.7", Automated),
    ("1.2.8", Automated),
    ("1.2.9", Manual),
    ("1.2.10", Automated),
    ("1.2.11", Manual),
    ("1.2.12", Automated),
    ("1.2.13", Automated),
    ("1.2.14", Automated),
    ("1.2.15", Automated),
    ("1.2.16", Automated),
    ("1.2.17", Automated),
    ("1.2.18", Automated),
    ("1.2.19", Automated),
    ("1.2.20", Manual),
    ("1.2.21", Automated),
    ("1.2.22", Automated),
    ("1.2.23", Automated),
    ("1.2.24", Automated),
    ("1.2.25", Automated),
    ("1.2.26", Automated),
    ("1.2.27", Manual),
    ("1.2.28", Manual),
    ("1.2.29", Manual),
    ("1.2.30", Automated),
    ("1.3.1", Manual),
    ("1.3.2", Automated),
    ("1.3.3", Automated),
    ("1.3.4", Automated),
    ("1.3.5", Automated),
    ("1.3.6", Automated),
    ("1.3.7", Automated),
    ("1.4.1", Automated),
    ("1.4.2", Automated),
    ("2.1", Automated),
    ("2.2", Automated),
    ("2.3", Automated),
    ("2.4", Automated),
    ("2.5", Automated),
    ("2.6", Automated),
    ("2.7", Manual),
    ("3.1.1", Manual),
    ("3.1.2", Manual),
    ("3.1.3", Manual),
    ("3.2.1", Manual),
    ("3.2.2", Manual),
    ("4.1.1", Automated),
    ("4.1.2", Automated),
    ("4.1.3", Manual),
    ("4.1.4", Manual),
    ("4.1.5", Automated),
    ("4.1.6", Automated),
    ("4.1.7", Manual),
    ("4.1.8", Manual),
    ("4.1.9", Automated),
    ("4.1.10", Automated),
    ("4.2.1", Automated),
    ("4.2.2", Automated),
    ("4.2.3", Automated),
    ("4.2.4", Manual),
    ("4.2.5", Manual),
    ("4.2.6", Automated),
    ("4.2.7", Manual),
    ("4.2.8", Manual),
    ("4.2.9", Manual),
    ("4.2.10", Automated),
    ("4.2.11", Manual),
    ("4.2.12", Manual),
    ("4.2.13", Manual),
    ("4.2.14", Manual),
    ("4.3.1", Automated),
    ("5.1.1", Manual),
    ("5.1.2", Manual),
    ("5.1.3", Manual),
    ("5.1.4", Manual),
    ("5.1.5", Manual),
    ("5.1.6", Manual),
    ("5.1.7", Manual),
    ("5.1.8", Manual),
    ("5.1.9", Manual),
    ("5.1.10", Manual),
    ("5.1.11", Manual),
    ("5.1.12", Manual),
    ("5.1.13", Manual),
    ("5.2.1", Manual),
    ("5.2.2", Manual),
    ("5.2.3", Manual),
    ("5.2.4", Manual),
    ("5.2.5", Manual),
    ("5.2.6", Manual),
    ("5.2.7", Manual),
    ("5.2.8", Manual),
    ("5.2.9", Manual),
    ("5.2.10", Manual),
    ("5.2.11", Manual),
    ("5.2.12", Manual),
    ("5.3.1", Manual),
    ("5.3.2", Manual),
    ("5.4.1", Manual),
    ("5.4.2", Manual),
    ("5.5.1", Manual),
    ("5.6.1", Manual),
    ("5.6.2", Manual),
    ("5.6.3", Manual),
    ("5.6.4", Manual),
];

#[cfg(test)]
mod tests {
    use super::{RECOMMENDATIONS, row};
    use crate::benchmark::{Assessed, rows};

    /// An id that the row of its number is not about would promise what is not there.
    #[test]
    fn recommendations_stand_in_the_order_of_the_rows_that_decide_them() {
        let numbers: Vec<&str> = RECOMMENDATIONS.iter().map(|it| it.0).collect();
        assert_eq!(numbers, rows().map(|row| row.id).collect::<Vec<_>>());
        assert!(RECOMMENDATIONS.iter().all(|it| row(it).is_some()));
    }

    #[test]
    fn who_assesses_what_changed_in_one_place() {
        let differs = |it: &&super::Recommendation| row(it).is_some_and(|row| row.assessed != it.1);
        let differing: Vec<_> = RECOMMENDATIONS.iter().filter(differs).collect();
        assert_eq!(differing, [&("4.3.1", Assessed::Automated)]);
    }
}
