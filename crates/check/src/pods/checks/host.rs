//! What pods share with their node.

use super::{Fault, Subject};
use crate::fault::Remedy;
use crate::place::{Field, Place};

/// None of the node's namespaces may be used.
pub(crate) fn namespaces(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    for namespace in ["hostNetwork", "hostPID", "hostIPC"] {
        forbid(&subject.spec.at(namespace), faults);
    }
}

/// No port of the node may be used.
pub(crate) fn ports(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container(|container| {
        for port in container.at("ports").items() {
            let port = port.at("hostPort");
            if matches!(port.integer(), Field::Is(number) if number != 0) {
                faults.push(Fault::new(&port, Remedy::LeaveOut));
            }
        }
    });
}

/// Nothing but the pod may be asked, since it is the kubelet that asks.
pub(crate) fn probes_and_hooks(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container(|container| {
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            other_hosts(&container.at(probe), faults);
        }
        let lifecycle = container.at("lifecycle");
        for hook in ["postStart", "preStop"] {
            other_hosts(&lifecycle.at(hook), faults);
        }
    });
}

fn other_hosts(handler: &Place<'_>, faults: &mut Vec<Fault>) {
    for way in ["httpGet", "tcpSocket"] {
        let way = handler.at(way);
        let host = way.at("host");
        if matches!(host.text(), Field::Is(name) if !name.is_empty()) {
            faults.push(Fault::new(&host, Remedy::LeaveOut));
        }
    }
}

/// Only settings of the kernel may be changed that are the pod's own.
pub(crate) fn sysctls(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    for sysctl in subject.security.at("sysctls").items() {
        let is_safe = |name: &str| {
            SYSCTLS.iter().any(|(since, safe)| *since <= subject.minor && *safe == name)
        };
        if matches!(sysctl.at("name").text().or(""), Field::Is(name) if !is_safe(name)) {
            faults.push(Fault::new(&sysctl, Remedy::LeaveOut));
        }
    }
}

/// No container may be a process of a node of Windows.
pub(crate) fn windows_processes(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_security(|security| {
        let windows = security.at("windowsOptions");
        forbid(&windows.at("hostProcess"), faults);
    });
}

fn forbid(flag: &Place<'_>, faults: &mut Vec<Fault>) {
    if flag.boolean() == Field::Is(true) {
        faults.push(Fault::new(flag, Remedy::LeaveOut));
    }
}

/// Settings of the kernel that every pod has for itself, with the minor that allows each first.
const SYSCTLS: [(u64, &str); 14] = [
    (0, "kernel.shm_rmid_forced"),
    (0, "net.ipv4.ip_local_port_range"),
    (0, "net.ipv4.tcp_syncookies"),
    (0, "net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time"),
    (29, "net.ipv4.tcp_fin_timeout"),
    (29, "net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem"),
    (32, "net.ipv4.tcp_wmem"),
    (37, "net.ipv4.tcp_slow_start_after_idle"),
    (37, "net.ipv4.tcp_notsent_lowat"),
];
