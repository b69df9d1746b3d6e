//! What a report says beside what was not read, and beside objects that nobody could judge.

use std::collections::BTreeMap;

use ringfort_check::report::{Detail, FailOn, Oscal, Report, Verdict};
use serde_json::Value;

use super::{BAD, GOOD, OSCAL, TODAY, faults, report, report_beside, unpacked, value};

/// The findings of OSCAL by their state and reason.
fn states(report: &Report) -> BTreeMap<String, usize> {
    let oscal = value(&Oscal { report, day: TODAY });
    let mut states = BTreeMap::new();
    for it in oscal["assessment-results"]["results"][0]["findings"].as_array().unwrap() {
        let status = &it["target"]["status"];
        let state = format!("{} {}", status["state"], status["reason"]).replace('"', "");
        *states.entry(state).or_default() += 1;
    }
    states
}

#[test]
fn nothing_is_satisfied_beside_what_was_not_read() {
    const SAID: &str = "lost.yaml: it cannot be read";
    const ODD: &str = "apiVersion: example.com/v1\nkind: Odd\nmetadata: {name: a}\n";
    let rows = |report: &Report, verdict| {
        report.controls.iter().filter(|row| row.verdict == verdict).count()
    };
    let good = report(&[("good.yaml", GOOD)], &[], Detail::Wrong);
    let passed = rows(&good, Verdict::Pass);
    assert!(passed > 50 && rows(&good, Verdict::Unknown) == 0, "{passed}");
    assert_eq!(states(&good).get("satisfied pass"), Some(&passed));
    assert_eq!(states(&good).get("not-satisfied other"), None);

    let unread = report_beside(&[SAID], &[("good.yaml", GOOD)], &[], Detail::Wrong);
    let odd = report(&[("good.yaml", GOOD), ("odd.yaml", ODD)], &[], Detail::Wrong);
    for report in [&unread, &odd] {
        let open = report.controls.len() - rows(report, Verdict::Fail);
        assert!(open >= passed, "{open}");
        assert_eq!(rows(report, Verdict::Unknown), open);
        assert_eq!(states(report).get("not-satisfied other"), Some(&open));
        assert_eq!(states(report).get("satisfied pass"), None);
        assert_ne!(report.code(FailOn::Any), 0);
        // Each says by which observation it is open.
        let oscal = value(&Oscal { report, day: TODAY });
        let result = &oscal["assessment-results"]["results"][0];
        let observed: Vec<&Value> =
            result["observations"].as_array().unwrap().iter().map(|it| &it["uuid"]).collect();
        for finding in result["findings"].as_array().unwrap() {
            let related = finding["related-observations"].as_array().unwrap();
            assert!(
                !related.is_empty()
                    && related.iter().all(|it| observed.contains(&&it["observation-uuid"]))
            );
        }
        assert_eq!(faults(&unpacked(OSCAL), &oscal), Vec::<String>::new());
    }
    let bad = report_beside(&[SAID], &[("bad.yaml", BAD)], &[], Detail::Wrong);
    assert!(rows(&bad, Verdict::Fail) > 50, "a failure stands whatever was not read");
}
