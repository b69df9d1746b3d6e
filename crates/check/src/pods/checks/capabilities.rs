//! What containers may do beyond what every process may.

use super::{Fault, Subject};
use crate::fault::Remedy;
use crate::place::{Field, Place};

/// Nothing may be added beyond the default.
pub(crate) fn beyond_default(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container_security(|security| {
        added_beyond(&DEFAULT, &security.at("capabilities"), faults);
    });
}

/// Everything must be dropped, and only one may be added.
pub(crate) fn beyond_dropped(subject: &Subject<'_>, faults: &mut Vec<Fault>) {
    subject.each_container_security(|security| {
        let capabilities = security.at("capabilities");
        let dropped = capabilities.at("drop");
        let may_hold_all = dropped.list() == Field::Unreadable
            || dropped
                .items()
                .any(|item| [Field::Is("ALL"), Field::Unreadable].contains(&item.text()));
        if !may_hold_all {
            faults.push(Fault::new(&dropped, Remedy::Include("ALL")));
        }
        added_beyond(&["NET_BIND_SERVICE"], &capabilities, faults);
    });
}

fn added_beyond(allowed: &[&str], capabilities: &Place<'_>, faults: &mut Vec<Fault>) {
    for added in capabilities.at("add").items() {
        if let Field::Is(name) = added.text().or("")
            && !allowed.contains(&name)
        {
            faults.push(Fault::new(&added, Remedy::LeaveOut));
        }
    }
}

/// What runtimes give by default, without `NET_RAW`.
const DEFAULT: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
