//! What others ask for, and which control answers it: a recommendation is a row that names controls.
//!
//! A row stands only where a public source was read, which the benchmark names. Titles are not copied.

use std::fmt;
use std::str::FromStr;

use crate::benchmark::{Row, rows};

/// A list of recommendations that others keep.
#[derive(Debug)]
pub struct Benchmark {
    /// Names it on the command line.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What was read to map it.
    pub source: &'static str,
    mapped: Mapped,
}

/// Where it stands which controls answer which recommendation.
#[derive(Debug)]
enum Mapped {
    /// In a table of its own.
    Table(Rows),
    /// With the rows by which clusters are judged.
    Rows,
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
    /// Gives each recommendation's id, with the controls that answer it where there are any.
    pub fn rows(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let of_manifests = |row: &'static Row| (row.id, row.of_manifests().collect::<Vec<_>>());
        match self.mapped {
            Mapped::Table(table) => table.iter().map(|(id, ids)| (*id, ids.to_vec())).collect(),
            Mapped::Rows => rows().map(of_manifests).filter(|(_, ids)| !ids.is_empty()).collect(),
        }
    }

    /// Gives the recommendations that a control answers.
    pub fn of<'c>(&self, control: &'c str) -> impl Iterator<Item = &'static str> + use<'c> {
        let rows = self.rows().into_iter();
        rows.filter(move |(_, controls)| controls.contains(&control)).map(|(id, _)| id)
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
        mapped: Mapped::Rows,
    },
    Benchmark {
        id: "nsa",
        title: "NSA and CISA Kubernetes Hardening Guidance",
        source: "Kubescape's encoding, frameworks/nsaframework.json of kubescape/regolibrary, whose ids it has",
        mapped: Mapped::Table(NSA),
    },
    Benchmark {
        id: "pss",
        title: "Pod Security Standards",
        source: "the checks of Kubernetes' pod-security-admission, whose ids its own samples bear",
        mapped: Mapped::Table(PSS),
    },
    Benchmark {
        id: "owasp-2025",
        title: "OWASP Kubernetes Top Ten 2025",
        source: "its pages, 2025/en/src of OWASP/www-project-kubernetes-top-ten",
        mapped: Mapped::Table(OWASP),
    },
];

type Rows = &'static [(&'static str, &'static [&'static str])];

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

    use super::{BENCHMARKS, Profile};
    use crate::guideline::Judge;
    use crate::guidelines::{GUIDELINES, find};

    #[test]
    fn every_row_names_controls_that_there_are_and_stands_once() {
        for benchmark in &BENCHMARKS {
            let rows = benchmark.rows();
            let ids: BTreeSet<_> = rows.iter().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), rows.len(), "{}", benchmark.id);
            for (id, controls) in rows {
                assert!(!controls.is_empty(), "{id}");
                controls.iter().for_each(|it| assert!(find(it).is_some(), "{id}: {it}"));
            }
        }
    }

    /// What decides a row of a running cluster is asked of manifests by the same number.
    #[test]
    fn the_benchmark_asks_manifests_for_what_decides_its_rows() {
        let cis = BENCHMARKS.iter().find(|it| it.id == "cis-2.0.1").unwrap();
        let of = |id: &str| -> Vec<&str> {
            cis.rows()
                .into_iter()
                .find(|(row, _)| *row == id)
                .map(|(_, ids)| ids)
                .unwrap_or_default()
        };
        assert_eq!(of("5.2.1"), ["workload/pod-security-is-enforced"]);
        assert_eq!(of("5.2.7"), ["workload/non-root"]);
        assert_eq!(of("5.1.8"), ["access/no-escalating", "access/no-impersonation"]);
        assert_eq!(of("5.1.6"), ["workload/no-token-mount"]);
        assert!(of("1.2.1").is_empty(), "no manifest decides it");
        assert_eq!(cis.rows().len(), 31);
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
        for (id, _) in pss.rows() {
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
