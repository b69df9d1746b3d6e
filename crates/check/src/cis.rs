//! The CIS benchmark of an earlier release: the rows of today's decide its recommendations. Its numbers, and who assesses
//! what, are those of a public encoding. Each was held against the row of its number: they are about the same thing.

use crate::benchmark::{Assessed, Row};

/// What it is called here.
pub const NAME: &str = "cis-1.12";
/// Where its numbers, what they are about and who assesses them were read.
pub const SOURCE: &str = "kube-bench, cfg/cis-1.12, all five files of it";

/// Gives who assesses there what a row decides: of one recommendation that changed since.
pub fn assessed(row: &Row) -> Assessed {
    match row.id {
        "4.3.1" => Assessed::Automated,
        _ => row.assessed,
    }
}

#[cfg(test)]
mod tests {
    use super::assessed;
    use crate::benchmark::rows;

    #[test]
    fn who_assesses_what_changed_in_one_place() {
        let differing = rows().filter(|row| assessed(row) != row.assessed);
        assert_eq!(differing.map(|row| row.id).collect::<Vec<_>>(), ["4.3.1"]);
    }
}
