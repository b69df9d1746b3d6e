//! Which conformance tests fail on a cluster of the default profile with the waivers of the run, and why that
//! is no fault of it.

/// Tests with one reason.
pub(super) struct Entry {
    /// Parts of their names.
    pub(super) tests: &'static [&'static str],
    /// Why they fail.
    pub(super) why: &'static str,
}

/// The whole ledger.
pub(super) const LEDGER: &[Entry] = &[
    Entry {
        tests: &["[Privileged:ClusterAdmin]"],
        why: "asks by its label for who may do everything; a waiver's identity writes no admission objects, no \
              roles of the cluster and nothing in the cluster's own namespaces",
    },
    Entry {
        tests: &[
            "AggregatedDiscovery [It] should support aggregated discovery interface for CRDs",
            "FieldValidation [It] should create/apply a CR with unknown fields for CRD with no validation schema",
            "FieldValidation [It] should create/apply a valid CR for CRD with validation schema",
            "FieldValidation [It] should create/apply an invalid CR with extra properties for CRD with validation schema",
            "FieldValidation [It] should detect unknown metadata fields in both the root and embedded object of a CR",
        ],
        why: "writes objects of kinds that it has just made: a role for their groups, which nobody knows beforehand, \
              would be one for all groups",
    },
    Entry {
        tests: &["[FeatureGate:ClusterTrustBundle]"],
        why: "decides whom pods of the whole cluster trust",
    },
    Entry {
        tests: &["ImageVolume [It] should succeed with pod and pull policy of Always"],
        why: "asks a registry",
    },
    Entry {
        tests: &["Kubelet when scheduling a read only busybox container"],
        why: "the root cannot be written, but the shell of the image made here says so in other words",
    },
];

/// Gives the ledger's word for a failure.
pub(super) fn why(name: &str) -> Option<&'static str> {
    let entry = LEDGER.iter().find(|entry| entry.tests.iter().any(|part| name.contains(part)));
    entry.map(|entry| entry.why)
}
