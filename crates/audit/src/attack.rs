//! Tactics of MITRE ATT&CK: what somebody is after who uses a technique.

use std::collections::BTreeSet;
use std::fmt;

use self::Tactic::{
    Collection, CommandAndControl, CredentialAccess, DefenseEvasion, Discovery, Execution, Impact,
    InitialAccess, LateralMovement, Persistence, PrivilegeEscalation, Reconnaissance,
};
use crate::detection::Detection;

/// What somebody is after, in the order of the matrix, as far as a detection is a sign of it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tactic {
    /// To learn of a cluster from outside.
    Reconnaissance,
    /// To come in.
    InitialAccess,
    /// To run something.
    Execution,
    /// To stay.
    Persistence,
    /// To be allowed more.
    PrivilegeEscalation,
    /// To be seen by nobody.
    DefenseEvasion,
    /// To have what others log in with.
    CredentialAccess,
    /// To learn what is there.
    Discovery,
    /// To come to other places.
    LateralMovement,
    /// To have what is kept.
    Collection,
    /// To speak with what was brought in.
    CommandAndControl,
    /// To destroy, or to take what others pay for.
    Impact,
}

/// Techniques with their tactics, in the version [`crate::detection::ATTACK`].
const TECHNIQUES: &[(&str, &[Tactic])] = &[
    ("T1005", &[Collection]),
    ("T1036", &[DefenseEvasion]),
    ("T1053", &[Execution, Persistence, PrivilegeEscalation]),
    ("T1059", &[Execution]),
    ("T1069", &[Discovery]),
    ("T1070", &[DefenseEvasion]),
    ("T1072", &[Execution, LateralMovement]),
    ("T1078", &[InitialAccess, Persistence, PrivilegeEscalation, DefenseEvasion]),
    ("T1082", &[Discovery]),
    ("T1090", &[CommandAndControl]),
    ("T1098", &[Persistence, PrivilegeEscalation]),
    ("T1105", &[CommandAndControl]),
    ("T1110", &[CredentialAccess]),
    ("T1133", &[InitialAccess, Persistence]),
    ("T1134", &[PrivilegeEscalation, DefenseEvasion]),
    ("T1136", &[Persistence]),
    ("T1190", &[InitialAccess]),
    ("T1213", &[Collection]),
    ("T1485", &[Impact]),
    ("T1490", &[Impact]),
    ("T1496", &[Impact]),
    ("T1499", &[Impact]),
    ("T1525", &[Persistence]),
    ("T1528", &[CredentialAccess]),
    ("T1543", &[Persistence, PrivilegeEscalation]),
    ("T1546", &[Persistence, PrivilegeEscalation]),
    ("T1548", &[PrivilegeEscalation, DefenseEvasion]),
    ("T1550", &[DefenseEvasion, LateralMovement]),
    ("T1552", &[CredentialAccess]),
    ("T1553", &[DefenseEvasion]),
    ("T1557", &[CredentialAccess, Collection]),
    ("T1562", &[DefenseEvasion]),
    ("T1565", &[Impact]),
    ("T1572", &[CommandAndControl]),
    ("T1578", &[DefenseEvasion]),
    ("T1595", &[Reconnaissance]),
    ("T1609", &[Execution]),
    ("T1610", &[Execution, DefenseEvasion]),
    ("T1611", &[PrivilegeEscalation]),
    ("T1613", &[Discovery]),
];

/// Gives the tactics of a technique, and of a part of one those of the whole; none where no detection of the catalogue
/// names it.
pub fn of(technique: &str) -> &'static [Tactic] {
    let whole = technique.split('.').next().unwrap_or_default();
    match TECHNIQUES.iter().copied().find(|(number, _)| *number == whole) {
        Some((_, tactics)) => tactics,
        None => &[],
    }
}

/// Gives the tactics that a detection is a sign of, by its techniques.
pub fn tactics(detection: &Detection) -> BTreeSet<Tactic> {
    detection.attack.iter().flat_map(|technique| of(technique)).copied().collect()
}

impl fmt::Display for Tactic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reconnaissance => "Reconnaissance",
            InitialAccess => "Initial Access",
            Execution => "Execution",
            Persistence => "Persistence",
            PrivilegeEscalation => "Privilege Escalation",
            DefenseEvasion => "Defense Evasion",
            CredentialAccess => "Credential Access",
            Discovery => "Discovery",
            LateralMovement => "Lateral Movement",
            Collection => "Collection",
            CommandAndControl => "Command and Control",
            Impact => "Impact",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TECHNIQUES, Tactic, of, tactics};
    use crate::detections;

    #[test]
    fn the_techniques_that_are_known_are_those_that_detections_name() {
        let whole = |technique: &&'static str| technique.split('.').next().unwrap_or_default();
        let named: BTreeSet<&str> =
            detections::all().flat_map(|detection| detection.attack).map(whole).collect();
        let known: BTreeSet<&str> = TECHNIQUES.iter().map(|(number, _)| *number).collect();
        assert_eq!(named, known);
        assert_eq!(TECHNIQUES.len(), known.len(), "a technique stands there twice");
        assert!(TECHNIQUES.iter().all(|(_, tactics)| !tactics.is_empty()));
    }

    #[test]
    fn a_part_of_a_technique_has_the_tactics_of_the_whole() {
        assert_eq!(of("T1550.001"), [Tactic::DefenseEvasion, Tactic::LateralMovement]);
        assert!(of("T1").is_empty());
        let open = detections::find("detect/node-port").unwrap();
        assert_eq!(tactics(open), [Tactic::InitialAccess, Tactic::Persistence].into());
    }
}
