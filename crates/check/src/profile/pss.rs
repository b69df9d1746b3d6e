//! The checks of the Pod Security Standards. Those that a control judges by the check itself are covered; of the
//! others a control asks for the same and draws the line elsewhere, so that it does not answer for admission.

use super::Cover::{Covered, Otherwise, Partly};
use super::Recommendation as Row;

const fn row(id: &'static str, title: &'static str, controls: &'static [&'static str]) -> Row {
    Row { id, title, cover: Covered, controls, rows: &[] }
}

const fn otherwise(row: Row, why: &'static str) -> Row {
    Row { cover: Otherwise(why), ..row }
}

/// Every check.
pub(super) const ROWS: &[Row] = &[
    row(
        "allowPrivilegeEscalation",
        "No process gains rights",
        &["workload/no-privilege-escalation"],
    ),
    row("appArmorProfile", "AppArmor's profile is not taken away", &["workload/app-armor"]),
    otherwise(
        row(
            "capabilities_baseline",
            "Few capabilities are added",
            &["workload/no-added-capabilities"],
        ),
        "the standard lets a pod add what runtimes give by default, such as CHOWN; the control lets it add nothing",
    ),
    otherwise(
        row(
            "capabilities_restricted",
            "All capabilities are dropped",
            &["workload/capabilities-dropped"],
        ),
        "the standard takes ALL in capitals alone, and looks at what is added as well; the control also takes `all`",
    ),
    Row {
        id: "hostNamespaces",
        title: "Network, processes and IPC are not the node's",
        cover: Partly("each control decides one of the three"),
        controls: &[
            "workload/own-ipc-namespace",
            "workload/own-network-namespace",
            "workload/own-process-namespace",
        ],
        rows: &[],
    },
    row("hostPathVolumes", "No volume is a path of the node", &["workload/no-host-paths"]),
    row("hostPorts", "No port of the node is taken", &["workload/no-host-ports"]),
    row("hostProbesAndHostLifecycle", "Probes ask the pod itself", &["workload/no-host-probes"]),
    row("privileged", "No container is privileged", &["workload/not-privileged"]),
    row("procMount", "/proc is masked", &["workload/masked-proc"]),
    otherwise(
        row(
            "procMount_restricted",
            "/proc is masked, whatever users a pod has",
            &["workload/masked-proc"],
        ),
        "the control spares pods with users of their own, as the check of baseline does; this one does not",
    ),
    row("restrictedVolumes", "Volumes bring nothing from the node", &["workload/allowed-volumes"]),
    otherwise(
        row("runAsNonRoot", "Containers say that they are not root", &["workload/non-root"]),
        "the standard asks for the flag, or users of the pod's own; for the control a user other than 0 is enough",
    ),
    otherwise(
        row("runAsUser", "Nobody asks to be user 0", &["workload/non-root"]),
        "for the control the flag is enough, by which the kubelet refuses user 0; the standard refuses the number",
    ),
    row("seLinuxOptions", "SELinux's type is one for containers", &["workload/se-linux"]),
    otherwise(
        row("seccompProfile_baseline", "seccomp is not switched off", &["workload/seccomp-is-set"]),
        "the control asks for a profile, as the check of restricted does; this one only that there is not none by choice",
    ),
    row("seccompProfile_restricted", "seccomp's profile is chosen", &["workload/seccomp-is-set"]),
    row("sysctls", "Settings of the kernel are the pod's own", &["workload/own-sysctls"]),
    row(
        "windowsHostProcess",
        "No container is a process of the node",
        &["workload/no-windows-host-process"],
    ),
];
