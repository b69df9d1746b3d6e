//! The Kubernetes Top Ten of OWASP, of 2025: each is a field of work, so that few are covered whole.

use super::Cover::{Covered, Partly};
use super::Recommendation as Row;

/// Every one of the ten.
pub(super) const ROWS: &[Row] = &[
    Row {
        id: "K01",
        title: "Workloads are confined",
        cover: Covered,
        controls: &[
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
        rows: &[
            "5.1.6", "5.2.2", "5.2.3", "5.2.4", "5.2.5", "5.2.6", "5.2.7", "5.2.8", "5.2.9",
            "5.6.2", "5.6.3",
        ],
    },
    Row {
        id: "K02",
        title: "Nobody has more rights than he needs",
        cover: Partly(
            "dangerous rights are found in roles; which of them somebody needs only its site can say, and rights that \
             other authorisers give are not seen",
        ),
        controls: &[
            "access/no-cluster-admin-binding",
            "access/no-escalating",
            "access/no-impersonation",
            "access/no-namespace-writing",
            "access/no-node-proxy",
            "access/no-secret-reading",
            "access/no-wildcards",
        ],
        rows: &["1.2.6", "1.2.8", "5.1.1", "5.1.2", "5.1.3", "5.1.8", "5.1.10"],
    },
    Row {
        id: "K03",
        title: "Secrets stay secret",
        cover: Partly("what stands in images, in logs and in repositories is not looked at"),
        controls: &[
            "access/no-secret-reading",
            "data/no-secrets-in-config-maps",
            "data/no-secrets-in-environment",
            "data/secrets-as-files",
        ],
        rows: &["1.2.27", "1.2.28", "5.1.2", "5.4.1", "5.4.2"],
    },
    Row {
        id: "K04",
        title: "Policies of the cluster decide what is let in",
        cover: Partly("which pods are let in is judged; what is let in besides pods is not"),
        controls: &["workload/pod-security-is-enforced"],
        rows: &["5.2.1"],
    },
    Row {
        id: "K05",
        title: "Networks are parted",
        cover: Covered,
        controls: &[
            "network/namespaces-have-policies",
            "network/pods-are-isolated",
            "workload/own-network-namespace",
        ],
        rows: &["5.2.5", "5.3.1", "5.3.2"],
    },
    Row {
        id: "K06",
        title: "Components are not open to everybody",
        cover: Partly(
            "where components listen is judged; whom a firewall or a provider lets through to them is not seen",
        ),
        controls: &[],
        rows: &["1.3.7", "1.4.2", "4.2.4", "4.3.1"],
    },
    Row {
        id: "K07",
        title: "Components are set up well and have no known holes",
        cover: Partly(
            "all rows of sections 1 to 4 judge how components are set up; of holes only those of few programs are \
             known, and the machine's own system is not judged",
        ),
        controls: &[
            "versions/kubelets-are-supported",
            "versions/no-abandoned-images",
            "versions/no-known-holes",
        ],
        rows: &[],
    },
    Row {
        id: "K08",
        title: "Nobody gets from the cluster into its cloud",
        cover: Partly("what a cloud lets machines and accounts do is not seen"),
        controls: &["data/no-secrets-in-config-maps", "network/no-egress-to-metadata"],
        rows: &[],
    },
    Row {
        id: "K09",
        title: "Whoever asks proves who he is",
        cover: Partly("how people prove to an identity provider who they are is not seen"),
        controls: &[
            "access/no-anonymous-binding",
            "workload/no-token-mount",
            "workload/own-account",
        ],
        rows: &["1.2.1", "1.2.2", "3.1.1", "3.1.2", "3.1.3", "4.2.1", "5.1.5", "5.1.6"],
    },
    Row {
        id: "K10",
        title: "What is done is written down and looked at",
        cover: Partly(
            "the audit log is judged; logs of machines and programs are not, nor whether somebody reads them",
        ),
        controls: &[],
        rows: &["1.2.16", "1.2.17", "1.2.18", "1.2.19", "3.2.1", "3.2.2"],
    },
];
