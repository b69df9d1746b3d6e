//! What each control needs changed, as the change of an object. Nothing here knows how the object is written.

use serde_json::{Value, json};

use super::Why;
use super::draft::Draft;
use crate::fault::{Fault, Remedy};

/// How a control's faults are mended.
pub(super) struct Mender {
    /// The control, among those of `ringfort check`.
    pub(super) control: &'static str,
    /// Checks of the Pod Security Standards that ask for more than the control does.
    pub(super) checks: &'static [&'static str],
    /// What another control has against the object and could not say before: nothing new, only seen now.
    pub(super) uncovers: &'static [&'static str],
    pub(super) mend: fn(&mut Draft<'_>, &[Fault]) -> Result<(), Why>,
}

const fn mender(
    control: &'static str,
    mend: fn(&mut Draft<'_>, &[Fault]) -> Result<(), Why>,
) -> Mender {
    Mender { control, checks: &[], uncovers: &[], mend }
}

/// All that is mended, in an order in which nothing rests on what comes later: Kubernetes takes no
/// `allowPrivilegeEscalation: false` beside `privileged: true`.
pub(super) const MENDERS: [Mender; 20] = [
    mender("workload/no-windows-host-process", switch_off),
    Mender {
        uncovers: &["network/pods-are-isolated"],
        ..mender("workload/own-network-namespace", own_network)
    },
    mender("workload/own-process-namespace", switch_off),
    mender("workload/own-ipc-namespace", switch_off),
    mender("workload/no-host-ports", as_said),
    mender("workload/no-host-probes", as_said),
    mender("workload/not-privileged", not_privileged),
    Mender {
        checks: &["capabilities_restricted"],
        ..mender("workload/capabilities-dropped", as_said)
    },
    mender("workload/no-added-capabilities", no_added_capabilities),
    mender("workload/no-privilege-escalation", no_escalation),
    mender("workload/masked-proc", masked_proc),
    mender("workload/se-linux", as_said),
    mender("workload/app-armor", app_armor),
    mender("workload/own-sysctls", as_said),
    mender("workload/no-host-paths", volumes),
    mender("workload/allowed-volumes", volumes),
    Mender { checks: &["runAsNonRoot", "runAsUser"], ..mender("workload/non-root", non_root) },
    mender("workload/seccomp-is-set", seccomp),
    mender("workload/read-only-root", as_said),
    mender("workload/no-token-mount", as_said),
];

/// Does what the remedies say. What stands later goes first, so that the numbers before it stay.
fn as_said(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    for fault in faults.iter().rev() {
        match fault.remedy {
            Remedy::LeaveOut => draft.remove(&fault.pointer),
            Remedy::Write(value) => draft.set(&fault.pointer, value)?,
            Remedy::Include(item) => draft.push(&fault.pointer, item)?,
            Remedy::WriteOneOf(_) | Remedy::UseVolume(_) | Remedy::Except(..) | Remedy::Do(_) => {
                return Err(Why::Choice);
            }
        }
    }
    Ok(())
}

/// Writes false in the place of true, which moves nothing else.
fn switch_off(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    faults.iter().try_for_each(|fault| draft.set(&fault.pointer, false))
}

/// Processes of a Windows node are always on its network.
fn own_network(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    let is_process = |context: &String| {
        draft.at(&format!("{context}/securityContext/windowsOptions/hostProcess")) == true
    };
    let mut contexts = draft.containers();
    contexts.push(format!("{}/spec", draft.template));
    if contexts.iter().any(is_process) {
        return Err(Why::Beside("hostProcess: true", "workload/no-windows-host-process"));
    }
    switch_off(draft, faults)
}

/// Only privileged containers may mount for others than themselves.
fn not_privileged(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    switch_off(draft, faults)?;
    for container in draft.containers() {
        let mounts = format!("{container}/volumeMounts");
        for index in 0..draft.at(&mounts).as_array().map_or(0, Vec::len) {
            let propagation = format!("{mounts}/{index}/mountPropagation");
            if draft.at(&propagation) == "Bidirectional" {
                draft.set(&propagation, "HostToContainer")?;
            }
        }
    }
    Ok(())
}

/// The standards let one capability be added, and what listens at a low port may need it.
fn no_added_capabilities(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    if faults.iter().any(|fault| fault.found.as_deref() == Some("\"NET_BIND_SERVICE\"")) {
        return Err(Why::Allowed);
    }
    as_said(draft, faults)
}

fn no_escalation(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    for fault in faults {
        let context = fault.pointer.rsplit_once('/').map_or("", |(above, _)| above);
        if draft.at(&format!("{context}/privileged")) == true {
            return Err(Why::Beside("privileged: true", "workload/not-privileged"));
        }
        let added = draft.at(&format!("{context}/capabilities/add"));
        if added.as_array().is_some_and(|added| added.contains(&json!("CAP_SYS_ADMIN"))) {
            return Err(Why::Beside("CAP_SYS_ADMIN", "workload/capabilities-dropped"));
        }
    }
    as_said(draft, faults)
}

fn masked_proc(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    faults.iter().try_for_each(|fault| draft.set(&fault.pointer, "Default"))
}

/// Without a word AppArmor confines where the machine has it; a profile that is named would keep the pod
/// from machines without.
fn app_armor(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    for fault in faults {
        draft.remove(fault.pointer.strip_suffix("/type").unwrap_or(&fault.pointer));
    }
    Ok(())
}

/// A path of the node becomes an empty directory, so that what is mounted stays mounted. Other kinds hold
/// data elsewhere, and nobody can say which claim would hold it.
fn volumes(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    for fault in faults {
        let Remedy::UseVolume(allowed) = fault.remedy else { return Err(Why::Choice) };
        let Some(volume) = fault.pointer.strip_suffix("/hostPath") else { return Err(Why::Data) };
        let other = allowed.iter().any(|kind| !draft.at(&format!("{volume}/{kind}")).is_null());
        draft.remove(&fault.pointer);
        if !other {
            draft.set(&format!("{volume}/emptyDir"), json!({}))?;
        }
    }
    Ok(())
}

/// Nobody can say which user an image is made for. So root's number goes, the image's own user holds, and
/// the kubelet starts no container whose image has root or no number: it fails, and is not root.
fn non_root(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    const FLAG: &str = "/runAsNonRoot";
    let of_pod = draft.of_spec("securityContext/runAsNonRoot");
    for fault in faults {
        if let Some(context) = fault.pointer.strip_suffix("/runAsUser") {
            if draft.at(context).as_object().is_some_and(|it| it.len() == 1) {
                draft.set(&format!("{context}{FLAG}"), true)?;
            }
            draft.remove(&fault.pointer);
        }
    }
    for fault in faults.iter().filter(|fault| fault.pointer.ends_with(FLAG)) {
        match draft.at(&fault.pointer) {
            Value::Null => draft.set(&of_pod, true)?,
            _ => draft.set(&fault.pointer, true)?,
        }
    }
    Ok(())
}

/// What nobody says is said once, by the pod for all containers.
fn seccomp(draft: &mut Draft<'_>, faults: &[Fault]) -> Result<(), Why> {
    let of_pod = draft.of_spec("securityContext/seccompProfile");
    for fault in faults {
        let Some(profile) = fault.pointer.strip_suffix("/type") else { return Err(Why::Choice) };
        let (own, file) = (draft.at(profile), draft.at(&format!("{profile}/localhostProfile")));
        let names_file = !file.is_null();
        if own.is_null() {
            draft.set(&format!("{of_pod}/type"), "RuntimeDefault")?;
        } else if fault.found.is_none() && names_file {
            draft.set(&fault.pointer, "Localhost")?;
        } else {
            draft.set(&fault.pointer, "RuntimeDefault")?;
            draft.remove(&format!("{profile}/localhostProfile"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MENDERS;
    use crate::guidelines::find;
    use crate::pods::is_check;

    #[test]
    fn controls_and_checks_are_there() {
        for mender in &MENDERS {
            for id in mender.uncovers.iter().chain([&mender.control]) {
                assert!(find(id).is_some(), "{id}");
            }
            assert!(mender.checks.iter().all(|id| is_check(id)), "{}", mender.control);
        }
    }
}
