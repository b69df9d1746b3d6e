//! The table is the benchmark's, whole.

use std::collections::BTreeSet;

use super::{Assessed, Needs, Row, rows, section};

fn count(of: impl Fn(&&Row) -> bool) -> usize {
    rows().map(|row| row as &Row).filter(of).count()
}

#[test]
fn there_are_131_rows_as_the_benchmark_counts_them() {
    let ids: BTreeSet<&str> = rows().map(|row| row.id).collect();
    assert_eq!((rows().count(), ids.len()), (131, 131));
    let automated = |row: &&Row| row.assessed == Assessed::Automated;
    assert_eq!(count(automated), 64);
    let of = |needs: Needs| count(|row| row.needs() == needs && !automated(row));
    let all = [Needs::Machines, Needs::Objects, Needs::Intent, Needs::AuditLog].map(of);
    // Who enforces network policies is seen on machines; of the 21 of objects it is the only one.
    assert_eq!(all, [31, 20, 11, 5]);
    assert_eq!(count(|row| automated(row) && row.needs() != Needs::Machines), 0);
}

#[test]
fn every_row_is_numbered_in_its_section_without_a_gap() {
    for row in rows() {
        assert!(!section(row.id).is_empty(), "{}", row.id);
        let (section, number) = row.id.rsplit_once('.').unwrap();
        let number: usize = number.parse().unwrap();
        let before = format!("{section}.{}", number - 1);
        assert!(number == 1 || rows().any(|row| row.id == before), "{}", row.id);
        let first = row.title.chars().next().unwrap();
        assert!(
            !row.title.ends_with('.')
                && (first.is_uppercase()
                    || row.title.starts_with("etcd")
                    || row.title.starts_with("kube-proxy")),
            "{}",
            row.title
        );
    }
}
