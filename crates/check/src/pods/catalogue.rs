//! All checks, with the minor that each begins with and the pods that it spares.

use super::checks::{Rule, Subject, capabilities, host, profiles, user, volumes};
use super::judged::Failure;
use crate::fault::Fault;
use crate::place::Field;
use ringfort_model::pod_security::Level;

/// A check of the standards.
struct Check {
    /// Kubernetes' own id.
    id: &'static str,
    /// What it asks for, as a sentence.
    asks: &'static str,
    level: Level,
    /// The minor whose policies have it first.
    since: u64,
    rule: Rule,
    /// The check of baseline in whose place it stands.
    overrides: Option<&'static str>,
    /// The pods that it says nothing of, and the minor that spares them first.
    spares: Option<(Spared, u64)>,
}

/// Pods that a check says nothing of.
#[derive(Clone, Copy)]
enum Spared {
    /// Those that say they are for Windows.
    Windows,
    /// Those whose users are none of the node's.
    UserNamespace,
}

/// Gives the checks of a level that a pod fails, in the catalogue's order.
pub(crate) fn failures(subject: &Subject<'_>, level: Level) -> Vec<Failure> {
    let is_applied = |check: &&Check| applies(check, level, subject.minor);
    CHECKS.iter().filter(is_applied).filter_map(|check| check.judge(subject)).collect()
}

/// Gives the faults of a pod by one check alone, whatever the level; nothing if it spares the pod.
pub(crate) fn faults(id: &str, subject: &Subject<'_>) -> Option<Vec<Fault>> {
    let check = CHECKS.iter().find(|check| check.id == id).filter(|it| !it.may_spare(subject))?;
    Some(check.faults(subject))
}

/// Whether the standards have a check of this id.
#[cfg(test)]
pub(crate) fn is_check(id: &str) -> bool {
    CHECKS.iter().any(|check| check.id == id)
}

fn applies(check: &Check, level: Level, minor: u64) -> bool {
    let is_in_force = |check: &Check| check.level <= level && check.since <= minor;
    let is_overridden =
        || CHECKS.iter().any(|other| other.overrides == Some(check.id) && is_in_force(other));
    is_in_force(check) && !is_overridden()
}

impl Check {
    fn judge(&self, subject: &Subject<'_>) -> Option<Failure> {
        if self.may_spare(subject) {
            return None;
        }
        let faults = self.faults(subject);
        let failed = !faults.is_empty();
        failed.then_some(Failure { check: self.id, asks: self.asks, faults })
    }

    fn faults(&self, subject: &Subject<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        (self.rule)(subject, &mut faults);
        faults
    }

    /// Whether a pod is spared, or may be, since that cannot be read.
    fn may_spare(&self, subject: &Subject<'_>) -> bool {
        match self.spares {
            Some((spared, since)) if since <= subject.minor => match spared {
                Spared::Windows => match subject.spec.at("os").at("name").text() {
                    Field::Is(name) => name == "windows",
                    unread => unread == Field::Unreadable,
                },
                Spared::UserNamespace => match subject.spec.at("hostUsers").boolean() {
                    Field::Is(host_users) => !host_users,
                    unread => unread == Field::Unreadable,
                },
            },
            _ => false,
        }
    }
}

const BASELINE: Check = Check {
    id: "",
    asks: "",
    level: Level::Baseline,
    since: 0,
    rule: |_, _| (),
    overrides: None,
    spares: None,
};

const RESTRICTED: Check = Check { level: Level::Restricted, ..BASELINE };

/// Those of baseline, then those of restricted, each by their ids: the order of Kubernetes' messages.
const CHECKS: [Check; 19] = [
    Check {
        id: "appArmorProfile",
        asks: "AppArmor's profile is the runtime's or one of the node's",
        rule: profiles::app_armor,
        ..BASELINE
    },
    Check {
        id: "capabilities_baseline",
        asks: "no capability is added beyond those that runtimes give by default",
        rule: capabilities::beyond_default,
        ..BASELINE
    },
    Check {
        id: "hostNamespaces",
        asks: "network, processes and IPC are not the node's",
        rule: host::namespaces,
        ..BASELINE
    },
    Check {
        id: "hostPathVolumes",
        asks: "no volume is a path of the node",
        rule: volumes::host_paths,
        ..BASELINE
    },
    Check { id: "hostPorts", asks: "no port of the node is taken", rule: host::ports, ..BASELINE },
    Check {
        id: "hostProbesAndHostLifecycle",
        asks: "probes and hooks ask the pod itself and no other host",
        since: 34,
        rule: host::probes_and_hooks,
        ..BASELINE
    },
    Check {
        id: "privileged",
        asks: "no container is privileged",
        rule: user::privileged,
        ..BASELINE
    },
    Check {
        id: "procMount",
        asks: "/proc is masked as runtimes mask it by default",
        rule: profiles::proc_mount,
        spares: Some((Spared::UserNamespace, 35)),
        ..BASELINE
    },
    Check {
        id: "seLinuxOptions",
        asks: "SELinux's type is one for containers, and its user and role are not chosen",
        rule: profiles::se_linux,
        ..BASELINE
    },
    Check {
        id: "seccompProfile_baseline",
        asks: "seccomp is not switched off",
        rule: profiles::seccomp,
        ..BASELINE
    },
    Check {
        id: "sysctls",
        asks: "only settings of the kernel are changed that are the pod's own",
        rule: host::sysctls,
        ..BASELINE
    },
    Check {
        id: "windowsHostProcess",
        asks: "no container of Windows is a process of the node",
        rule: host::windows_processes,
        ..BASELINE
    },
    Check {
        id: "allowPrivilegeEscalation",
        asks: "no process gains more rights than the one that started it",
        since: 8,
        rule: user::escalation,
        spares: Some((Spared::Windows, 25)),
        ..RESTRICTED
    },
    Check {
        id: "capabilities_restricted",
        asks: "all capabilities are dropped, and none but NET_BIND_SERVICE is added",
        since: 22,
        rule: capabilities::beyond_dropped,
        overrides: Some("capabilities_baseline"),
        spares: Some((Spared::Windows, 25)),
        ..RESTRICTED
    },
    Check {
        id: "procMount_restricted",
        asks: "/proc is masked as runtimes mask it by default",
        since: 35,
        rule: profiles::proc_mount,
        overrides: Some("procMount"),
        ..RESTRICTED
    },
    Check {
        id: "restrictedVolumes",
        asks: "volumes are of kinds that bring nothing from the node",
        rule: volumes::kinds,
        overrides: Some("hostPathVolumes"),
        ..RESTRICTED
    },
    Check {
        id: "runAsNonRoot",
        asks: "every container must run as somebody other than root",
        rule: user::not_root,
        spares: Some((Spared::UserNamespace, 35)),
        ..RESTRICTED
    },
    Check {
        id: "runAsUser",
        asks: "nobody asks to run as user 0, who is root",
        since: 23,
        rule: user::number,
        spares: Some((Spared::UserNamespace, 35)),
        ..RESTRICTED
    },
    Check {
        id: "seccompProfile_restricted",
        asks: "seccomp's profile is chosen, and is the runtime's or one of the node's",
        since: 19,
        rule: profiles::seccomp_is_set,
        overrides: Some("seccompProfile_baseline"),
        spares: Some((Spared::Windows, 25)),
        ..RESTRICTED
    },
];

#[cfg(test)]
mod tests {
    use super::{CHECKS, Level};

    #[test]
    fn checks_stand_in_order_and_override_what_there_is() {
        assert!(CHECKS.is_sorted_by_key(|check| (check.level, check.id)));
        for overridden in CHECKS.iter().filter_map(|check| check.overrides) {
            let of_baseline = |check: &&super::Check| check.level == Level::Baseline;
            assert!(CHECKS.iter().filter(of_baseline).any(|check| check.id == overridden));
        }
    }
}
