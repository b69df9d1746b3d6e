//! What others ask for, and which control answers it: a recommendation is a row that names controls.
//!
//! A row stands only where a public source was read, which the benchmark names. Titles are not copied.

use std::fmt;
use std::str::FromStr;

/// A list of recommendations that others keep.
#[derive(Debug)]
pub struct Benchmark {
    /// Names it on the command line.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What was read to map it.
    pub source: &'static str,
    /// Each recommendation's id, and the controls that answer it.
    pub rows: &'static [(&'static str, &'static [&'static str])],
}

/// Which controls are asked: those of a benchmark, or all.
#[derive(Clone, Copy, Debug)]
pub enum Profile {
    /// All controls.
    All,
    /// Those that a benchmark names.
    Of(&'static Benchmark),
}

/// Says that a text is no profile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no profile: use all, cis-2.0.1, nsa, pss or owasp-2025")]
pub struct NotAProfile(String);

impl Profile {
    /// Whether a control is asked.
    pub fn asks(&self, control: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(benchmark) => benchmark.of(control).next().is_some(),
        }
    }
}

impl Benchmark {
    /// Gives the recommendations that a control answers.
    pub fn of<'c>(&self, control: &'c str) -> impl Iterator<Item = &'static str> + use<'c> {
        let rows = self.rows.iter();
        rows.filter(move |(_, controls)| controls.contains(&control)).map(|(id, _)| *id)
    }
}

impl FromStr for Profile {
    type Err = NotAProfile;

    fn from_str(text: &str) -> Result<Self, NotAProfile> {
        if text == "all" {
            return Ok(Self::All);
        }
        let found = BENCHMARKS.iter().find(|it| it.id == text).map(Self::Of);
        found.ok_or_else(|| NotAProfile(text.to_owned()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Of(benchmark) => benchmark.id,
        })
    }
}

/// Every benchmark.
pub static BENCHMARKS: [Benchmark; 4] = [
    Benchmark {
        id: "cis-2.0.1",
        title: "CIS Kubernetes Benchmark 2.0.1",
        source: "Prowler's encoding, prowler/compliance/kubernetes/cis_2.0.1_kubernetes.json",
        rows: CIS,
    },
    Benchmark {
        id: "nsa",
        title: "NSA and CISA Kubernetes Hardening Guidance",
        source: "Kubescape's encoding, frameworks/nsaframework.json of kubescape/regolibrary, whose ids it has",
        rows: NSA,
    },
    Benchmark {
        id: "pss",
        title: "Pod Security Standards",
        source: "the checks of Kubernetes' pod-security-admission, whose ids its own samples bear",
        rows: PSS,
    },
    Benchmark {
        id: "owasp-2025",
        title: "OWASP Kubernetes Top Ten 2025",
        source: "its pages, 2025/en/src of OWASP/www-project-kubernetes-top-ten",
        rows: OWASP,
    },
];

type Rows = &'static [(&'static str, &'static [&'static str])];

const CIS: Rows = &[
    ("5.1.1", &["access/no-cluster-admin-binding"]),
    ("5.1.2", &["access/no-secret-reading"]),
    ("5.1.3", &["access/no-wildcards"]),
    ("5.1.4", &["access/no-pod-writing"]),
    ("5.1.5", &["access/default-account-unbound", "workload/own-account"]),
    ("5.1.6", &["workload/no-token-mount"]),
    ("5.1.7", &["access/no-masters"]),
    ("5.1.8", &["access/no-escalating", "access/no-impersonation"]),
    ("5.1.9", &["access/no-volume-writing"]),
    ("5.1.10", &["access/no-node-proxy"]),
    ("5.1.11", &["access/no-certificate-approval"]),
    ("5.1.12", &["access/no-admission-writing"]),
    ("5.1.13", &["access/no-token-requests"]),
    ("5.2.1", &["workload/pod-security-is-enforced"]),
    ("5.2.2", &["workload/not-privileged"]),
    ("5.2.3", &["workload/own-process-namespace"]),
    ("5.2.4", &["workload/own-ipc-namespace"]),
    ("5.2.5", &["workload/own-network-namespace"]),
    ("5.2.6", &["workload/no-privilege-escalation"]),
    ("5.2.7", &["workload/non-root"]),
    ("5.2.8", &["workload/capabilities-dropped"]),
    ("5.2.9", &["workload/no-added-capabilities"]),
    ("5.2.10", &["workload/no-windows-host-process"]),
    ("5.2.11", &["workload/no-host-paths"]),
    ("5.2.12", &["workload/no-host-ports"]),
    ("5.3.2", &["network/pods-are-isolated"]),
    ("5.4.1", &["data/secrets-as-files"]),
    ("5.6.1", &["workload/namespace-of-its-own"]),
    ("5.6.2", &["workload/seccomp-is-set"]),
    ("5.6.3", &["workload/security-context"]),
    ("5.6.4", &["workload/namespace-of-its-own"]),
];

const NSA: Rows = &[
    ("C-0002", &["access/no-pod-exec"]),
    ("C-0012", &["data/no-secrets-in-config-maps", "data/no-secrets-in-environment"]),
    ("C-0013", &["workload/non-root"]),
    ("C-0016", &["workload/no-privilege-escalation"]),
    ("C-0017", &["workload/read-only-root"]),
    ("C-0030", &["network/pods-are-isolated"]),
    ("C-0034", &["workload/no-token-mount"]),
    ("C-0035", &["access/no-cluster-admin-binding", "access/no-wildcards"]),
    ("C-0038", &["workload/own-ipc-namespace", "workload/own-process-namespace"]),
    ("C-0041", &["workload/own-network-namespace"]),
    ("C-0044", &["workload/no-host-ports"]),
    ("C-0046", &["workload/no-added-capabilities"]),
    ("C-0054", &["network/pods-are-isolated"]),
    ("C-0055", &["workload/hardened-linux"]),
    ("C-0057", &["workload/not-privileged"]),
    ("C-0058", &["workload/no-sub-paths"]),
    ("C-0270", &["workload/cpu-limit"]),
    ("C-0271", &["workload/memory-limit"]),
];

const PSS: Rows = &[
    ("allowPrivilegeEscalation", &["workload/no-privilege-escalation"]),
    ("appArmorProfile", &["workload/app-armor"]),
    ("capabilities_baseline", &["workload/no-added-capabilities"]),
    ("capabilities_restricted", &["workload/capabilities-dropped"]),
    (
        "hostNamespaces",
        &[
            "workload/own-ipc-namespace",
            "workload/own-network-namespace",
            "workload/own-process-namespace",
        ],
    ),
    ("hostPathVolumes", &["workload/no-host-paths"]),
    ("hostPorts", &["workload/no-host-ports"]),
    ("hostProbesAndHostLifecycle", &["workload/no-host-probes"]),
    ("privileged", &["workload/not-privileged"]),
    ("procMount", &["workload/masked-proc"]),
    ("procMount_restricted", &["workload/masked-proc"]),
    ("restrictedVolumes", &["workload/allowed-volumes"]),
    ("runAsNonRoot", &["workload/non-root"]),
    ("runAsUser", &["workload/non-root"]),
    ("seLinuxOptions", &["workload/se-linux"]),
    ("seccompProfile_baseline", &["workload/seccomp-is-set"]),
    ("seccompProfile_restricted", &["workload/seccomp-is-set"]),
    ("sysctls", &["workload/own-sysctls"]),
    ("windowsHostProcess", &["workload/no-windows-host-process"]),
];

const OWASP: Rows = &[
    (
        "K01",
        &[
            "workload/capabilities-dropped",
            "workload/cpu-limit",
            "workload/memory-limit",
            "workload/no-added-capabilities",
            "workload/no-privilege-escalation",
            "workload/no-token-mount",
            "workload/non-root",
            "workload/not-privileged",
            "workload/own-ipc-namespace",
            "workload/own-network-namespace",
            "workload/own-process-namespace",
            "workload/read-only-root",
            "workload/seccomp-is-set",
            "workload/security-context",
        ],
    ),
    (
        "K02",
        &[
            "access/no-cluster-admin-binding",
            "access/no-escalating",
            "access/no-impersonation",
            "access/no-namespace-writing",
            "access/no-node-proxy",
            "access/no-secret-reading",
            "access/no-wildcards",
        ],
    ),
    (
        "K03",
        &[
            "access/no-secret-reading",
            "data/no-secrets-in-config-maps",
            "data/no-secrets-in-environment",
            "data/secrets-as-files",
        ],
    ),
    ("K04", &["workload/pod-security-is-enforced"]),
    ("K05", &["network/pods-are-isolated", "workload/own-network-namespace"]),
    ("K08", &["data/no-secrets-in-config-maps", "network/no-egress-to-metadata"]),
    ("K09", &["access/no-anonymous-binding", "workload/no-token-mount", "workload/own-account"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BENCHMARKS, CIS, Profile};
    use crate::benchmark::rows;
    use crate::guideline::Judge;
    use crate::guidelines::{GUIDELINES, find};

    #[test]
    fn every_row_names_controls_that_there_are_and_stands_once() {
        for benchmark in &BENCHMARKS {
            let ids: BTreeSet<_> = benchmark.rows.iter().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), benchmark.rows.len(), "{}", benchmark.id);
            for (id, controls) in benchmark.rows {
                assert!(!controls.is_empty(), "{id}");
                controls.iter().for_each(|it| assert!(find(it).is_some(), "{id}: {it}"));
            }
        }
    }

    /// What decides a row of a running cluster is asked of manifests by the same number.
    #[test]
    fn the_benchmark_asks_manifests_for_what_decides_its_rows() {
        for (id, _) in CIS {
            assert!(rows().any(|row| row.id == *id), "{id} is no row");
        }
        // A level is asked of namespaces by one row, and rests in the others on what pods are.
        let of_all = ["workload/pod-security-is-enforced", "restricted"];
        for row in rows() {
            for guideline in row.guidelines().iter().filter(|it| !of_all.contains(it)) {
                let asks = |(id, controls): &(&str, &[&str])| {
                    *id == row.id && controls.contains(guideline)
                };
                assert!(CIS.iter().any(asks), "{}: {guideline}", row.id);
            }
        }
    }

    /// What is judged by a check of the standards is a row under that check's name.
    #[test]
    fn the_standards_are_mapped_as_they_are_judged() {
        let pss = BENCHMARKS.iter().find(|it| it.id == "pss").unwrap();
        let mut checks = 0;
        for guideline in GUIDELINES {
            if let Judge::Standard(check) = guideline.judge {
                assert!(pss.of(guideline.id).any(|id| id == check), "{}", guideline.id);
                checks += 1;
            }
        }
        assert!(checks > 10, "{checks}");
        for (id, _) in pss.rows {
            assert!(crate::pods::is_check(id), "{id} is no check");
        }
    }

    #[test]
    fn a_profile_asks_for_what_its_benchmark_names() {
        let cis: Profile = "cis-2.0.1".parse().unwrap();
        assert!(cis.asks("workload/not-privileged") && !cis.asks("ha/replicas"));
        assert!("all".parse::<Profile>().unwrap().asks("ha/replicas"));
        assert!("cis-9".parse::<Profile>().is_err());
    }
}
