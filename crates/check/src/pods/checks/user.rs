//! Who processes run as, and what they may become.

use super::{Fault, Subject};
use crate::fault::Remedy;
use crate::place::Field;

/// No container may be privileged.
pub(crate) fn privileged(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container_security(|security| {
        let flag = security.at("privileged");
        if flag.boolean() == Field::Is(true) {
            faults.push(Fault::new(&flag, Remedy::LeaveOut));
        }
    });
}

/// Every container must say that nobody gains rights.
pub(crate) fn escalation(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container_security(|security| {
        let flag = security.at("allowPrivilegeEscalation");
        if flag.boolean().or(true) == Field::Is(true) {
            faults.push(Fault::new(&flag, Remedy::Write(false)));
        }
    });
}

/// Nobody may say that root is allowed, and every container must say that it is not, or the pod for it.
pub(crate) fn not_root(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    let of_pod = subject.security.at("runAsNonRoot");
    if of_pod.boolean() == Field::Is(false) {
        faults.push(Fault::new(&of_pod, Remedy::Write(true)));
    }
    subject.each_container_security(|security| {
        let flag = security.at("runAsNonRoot");
        let is_open = match flag.boolean() {
            Field::Is(not_root) => !not_root,
            Field::Absent => of_pod.boolean() == Field::Absent,
            Field::Unreadable => false,
        };
        if is_open {
            faults.push(Fault::new(&flag, Remedy::Write(true)));
        }
    });
}

/// Nobody may ask for root by number.
pub(crate) fn number(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_security(|security| {
        let user = security.at("runAsUser");
        if user.integer() == Field::Is(0) {
            faults.push(Fault::new(&user, Remedy::LeaveOut));
        }
    });
}
