//! Any text is a specification, or a report that can be drawn.

use std::collections::BTreeMap;

use jiff::civil::date;
use ringfort_spec::{Known, Limit, Paint};

/// Reads bytes as `cluster.yaml`.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let controls = [Known { id: "access/pod-security", limits: &[Limit::Namespaces] }];
    match ringfort_spec::read(&text, "cluster.yaml", &controls, date(2026, 11, 23)) {
        Ok(spec) => {
            // What was accepted can be numbered, and numbered again the same.
            if let Ok(ranges) = spec.pod_ranges(&BTreeMap::new()) {
                assert_eq!(spec.pod_ranges(&ranges).as_ref(), Ok(&ranges));
            }
        }
        Err(report) => {
            let drawn = report.render(Paint::Plain);
            assert!(drawn.contains("error["), "{drawn}");
            assert!(!report.problems().is_empty());
        }
    }
}
