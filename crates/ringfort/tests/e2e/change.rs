//! A change of the specification takes its own steps and no others.

use crate::cluster::Cluster;

/// A change, and every step that it takes.
type Change = (fn(String) -> String, &'static [&'static str]);

/// Adds lines to a specification, before its waivers.
fn with(lines: &str, text: &str) -> String {
    let (before, after) =
        text.split_once("waivers:\n").expect("the lab's specification has waivers");
    format!("{before}{lines}waivers:\n{after}")
}

const CHANGES: [Change; 3] = [
    (|text| with("dns: { upstream: [9.9.9.9] }\n", &text), &[]),
    (|text| with("audit: { maxBackups: 11 }\n", &text), &[]),
    (|text| with("endpoint: api.example.com:6443\n", &text), &[]),
];

pub fn its_own(cluster: &Cluster) {
    for (change, expected) in CHANGES {
        let spec = cluster.spec_with(change);
        let plan = cluster.ringfort_with(&spec, cluster.bundle(), &["plan"]);
        assert_eq!(plan.code, Some(0), "{}", plan.stderr);
        let mut steps = plan.steps();
        steps.sort();
        
        assert_eq!(steps, expected);
    }
}
