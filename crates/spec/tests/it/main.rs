//! The spec seen from outside: what is accepted, what is refused and in which words.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod accepted;
mod corpus;
mod pod_ranges;
mod refused;
mod schema;

use jiff::civil::{Date, date};
use ringfort_spec::{Known, Limit, Report, Spec};

/// The shortest file.
const SHORT: &str = "\
apiVersion: ringfort.dev/v1
kind: Cluster
name: harbour
kubernetes: \"1.37\"
controlPlanes: [10.0.0.11, 10.0.0.12, 10.0.0.13]
workers: [10.0.0.21, 10.0.0.22, 10.0.0.23]
";

const TODAY: Date = date(2026, 11, 23);

const CONTROLS: &[Known] = &[
    Known { id: "access/pod-security", limits: &[Limit::Namespaces] },
    Known { id: "data/encryption-at-rest", limits: &[] },
    Known {
        id: "network/default-deny",
        limits: &[Limit::Cluster, Limit::Namespaces, Limit::Named],
    },
    Known { id: "network/network-policy", limits: &[Limit::Cluster] },
    Known { id: "workload/seccomp", limits: &[Limit::Cluster, Limit::Namespaces] },
];

fn read(text: &str) -> Result<Spec, Report> {
    ringfort_spec::read(text, "cluster.yaml", CONTROLS, TODAY)
}

fn codes(text: &str) -> Vec<&'static str> {
    let report = read(text).err();
    report.iter().flat_map(Report::problems).map(|problem| problem.code).collect()
}
