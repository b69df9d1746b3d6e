//! One of the kernel's guards confines every container.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::inherited::inherited;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::{Container, PodScene};

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "workload/hardened-linux",
    title: "One of the kernel's guards confines every container",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/security/linux-kernel-security-constraints/")],
    doc: include_str!("hardened_linux.md"),
    judge: Judge::Container(judge),
};

fn judge(pod: &PodScene<'_>, container: &Container<'_>, sheet: &mut Sheet) {
    if pod.is_for_windows() {
        return sheet.spare("it is for Windows");
    }
    let mut unread = false;
    for guard in ["seccompProfile", "appArmorProfile"] {
        let places = (container.security.at(guard), pod.security.at(guard));
        let (profile, _) = inherited(&places, |place| place.object());
        match is_profile(profile) {
            Some(true) => return sheet.pass(profile),
            Some(false) => {}
            None => unread = true,
        }
    }
    let places = (container.security.at("seLinuxOptions"), pod.security.at("seLinuxOptions"));
    match inherited(&places, |place| place.object()) {
        (options, Field::Is(said)) if !said.is_empty() => return sheet.pass(options),
        (_, Field::Unreadable) => unread = true,
        _ => {}
    }
    match annotation(pod, container) {
        Field::Is(profile) if profile != "unconfined" => return sheet.pass(pod.annotations),
        Field::Unreadable => unread = true,
        _ => {}
    }
    let seccomp = container.security.at("seccompProfile");
    match unread {
        true => sheet.unread(&seccomp),
        false => {
            sheet.fail(&seccomp.at("type"), Remedy::WriteOneOf(&["RuntimeDefault", "Localhost"]));
        }
    }
}

/// Whether a profile confines; nothing where that cannot be read.
fn is_profile(profile: &Place<'_>) -> Option<bool> {
    match profile.at("type").word() {
        Field::Is(kind) => Some(matches!(kind, "RuntimeDefault" | "Localhost")),
        Field::Absent => Some(false),
        Field::Unreadable => None,
    }
}

/// Gives the profile of AppArmor that an annotation names for a container.
fn annotation<'a>(pod: &PodScene<'a>, container: &Container<'_>) -> Field<&'a str> {
    let Field::Is(name) = container.place.at("name").word() else { return Field::Unreadable };
    let Field::Is(annotations) = pod.annotations.object() else { return Field::Absent };
    let key = format!("container.apparmor.security.beta.kubernetes.io/{name}");
    match annotations.get(&key).map(|value| value.as_str()) {
        None => Field::Absent,
        Some(None) => Field::Unreadable,
        Some(Some(profile)) if pod.annotations.texts().is_template(profile) => Field::Unreadable,
        Some(Some(profile)) => Field::Is(profile),
    }
}
