//! What the kernel's guards let processes do: seccomp, AppArmor, SELinux and the masks of /proc.

use super::{Fault, Subject};
use crate::fault::Remedy;
use crate::place::{Field, Place};

/// Where a profile is named, it must be the runtime's or one of the node's.
pub(crate) fn app_armor(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_security(|security| bad_profile(&security.at("appArmorProfile"), faults));
    for (key, annotation) in subject.annotations.fields() {
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/")
            && let Field::Is(profile) = annotation.text().or("")
            && !["", "runtime/default"].contains(&profile)
            && !profile.starts_with("localhost/")
        {
            faults.push(Fault::new(&annotation, Remedy::LeaveOut));
        }
    }
}

/// Where a profile is named, it must be the runtime's or one of the node's.
///
/// Policies before 1.19 know annotations only, and later ones the field only.
pub(crate) fn seccomp(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    if subject.minor >= 19 {
        subject.each_security(|security| bad_profile(&security.at("seccompProfile"), faults));
        return;
    }
    seccomp_annotation("seccomp.security.alpha.kubernetes.io/pod", subject, faults);
    subject.each_container(|container| {
        if let Field::Is(name) = container.at("name").text().or("") {
            let key = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
            seccomp_annotation(&key, subject, faults);
        }
    });
}

fn seccomp_annotation(key: &str, subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    let Field::Is(annotations) = subject.annotations.object() else { return };
    if !annotations.contains_key(key) {
        return;
    }
    let annotation = subject.annotations.at(key);
    // One without a value is an empty one, and names no profile.
    if let Field::Is(profile) = annotation.text().or("")
        && !["runtime/default", "docker/default"].contains(&profile)
        && !profile.starts_with("localhost/")
    {
        faults.push(Fault::new(&annotation, Remedy::LeaveOut));
    }
}

/// Besides, every container must name a profile, or the pod for it.
pub(crate) fn seccomp_is_set(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    let of_pod = subject.security.at("seccompProfile");
    bad_profile(&of_pod, faults);
    subject.each_container_security(|security| {
        let profile = security.at("seccompProfile");
        bad_profile(&profile, faults);
        if profile.object() == Field::Absent && of_pod.object() == Field::Absent {
            faults.push(Fault::new(&profile.at("type"), PROFILES));
        }
    });
}

fn bad_profile(profile: &Place<'_>, faults: &mut Vec<Fault>) {
    let kind = profile.at("type");
    if matches!(profile.object(), Field::Is(_))
        && let Field::Is(name) = kind.text().or("")
        && !["RuntimeDefault", "Localhost"].contains(&name)
    {
        faults.push(Fault::new(&kind, PROFILES));
    }
}

const PROFILES: Remedy = Remedy::WriteOneOf(&["RuntimeDefault", "Localhost"]);

/// The type must be one for containers, and neither user nor role may be chosen.
pub(crate) fn se_linux(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    let is_allowed = |name: &str| {
        name.is_empty()
            || SE_LINUX_TYPES.iter().any(|(since, kind)| *since <= subject.minor && *kind == name)
    };
    subject.each_security(|security| {
        let options = security.at("seLinuxOptions");
        let bad = |field: &Place<'_>, allowed: &dyn Fn(&str) -> bool| match field.text() {
            Field::Is(name) if !allowed(name) => Some(Fault::new(field, Remedy::LeaveOut)),
            _ => None,
        };
        faults.extend(bad(&options.at("type"), &is_allowed));
        faults.extend(bad(&options.at("user"), &str::is_empty));
        faults.extend(bad(&options.at("role"), &str::is_empty));
    });
}

/// SELinux's types for containers, with the minor that allows each first.
const SE_LINUX_TYPES: [(u64, &str); 4] = [
    (0, "container_t"),
    (0, "container_init_t"),
    (0, "container_kvm_t"),
    (31, "container_engine_t"),
];

/// The masks of /proc must be the default ones.
pub(crate) fn proc_mount(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container_security(|security| {
        let mount = security.at("procMount");
        if matches!(mount.text(), Field::Is(name) if name != "Default") {
            faults.push(Fault::new(&mount, Remedy::LeaveOut));
        }
    });
}
