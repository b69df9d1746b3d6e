//! NIST SP 800-53: which requirements of DISA's Kubernetes STIG its encodings put under a control. Who is asked for a
//! control sees there what of it a cluster can keep, and what decides that.

use crate::stig::{REQUIREMENTS, Requirement};

/// What it is called here.
pub const NAME: &str = "nist-800-53";
/// Where it was read which requirement is put under which control.
pub const SOURCE: &str = "the tags of the stubs U_Kubernetes_STIG_V1R1, V1R2, V1R5 and V1R7 in \
                          mitre/inspec-profile-update-action, and of mitre/k8s-node-stig-baseline";

/// A control or an enhancement of one: its number, what it is called, and the requirements that are put under it.
pub type Control = (&'static str, &'static str, &'static [&'static str]);

/// Gives the requirements of a control.
pub fn requirements(control: &Control) -> Vec<&'static Requirement> {
    let find = |id: &&str| REQUIREMENTS.iter().find(|(its, ..)| its == id);
    control.2.iter().filter_map(find).collect()
}

/// Every control that a requirement is put under. Parts of one, such as `AU-3 a`, are not told apart.
pub const CONTROLS: &[Control] = &[
    ("AC-2 (1)", "Account management", &["V-242381"]),
    ("AC-2 (4)", "Account management", &["V-242403"]),
    (
        "AC-3",
        "Access enforcement",
        &[
            "V-242382", "V-242384", "V-242385", "V-242386", "V-242387", "V-242388", "V-242389",
            "V-242390", "V-242391", "V-242392", "V-242393", "V-242394", "V-242395", "V-242396",
            "V-242397", "V-242398", "V-242399", "V-242400", "V-242435",
        ],
    ),
    ("AC-6 (8)", "Least privilege", &["V-242436"]),
    ("AC-6 (9)", "Least privilege", &["V-242403"]),
    ("AC-6 (10)", "Least privilege", &["V-242435"]),
    (
        "AC-17 (2)",
        "Remote access",
        &["V-242376", "V-242377", "V-242378", "V-242379", "V-242380", "V-242468"],
    ),
    ("AU-3", "Content of audit records", &["V-242403"]),
    ("AU-3 (1)", "Content of audit records", &["V-242403"]),
    ("AU-12", "Audit record generation", &["V-242403"]),
    ("AU-14 (1)", "Session audit", &["V-242401", "V-242402"]),
    ("CM-5 (1)", "Access restrictions for change", &["V-242403"]),
    (
        "CM-5 (6)",
        "Access restrictions for change",
        &["V-242404", "V-242405", "V-242406", "V-242407", "V-242408"],
    ),
    (
        "CM-6",
        "Configuration settings",
        &[
            "V-242383", "V-242444", "V-242445", "V-242446", "V-242447", "V-242448", "V-242449",
            "V-242450", "V-242451", "V-242452", "V-242453", "V-242454", "V-242455", "V-242456",
            "V-242457", "V-242458", "V-242459", "V-242460", "V-242461", "V-242462", "V-242463",
            "V-242464", "V-242465", "V-242466", "V-242467",
        ],
    ),
    (
        "CM-7",
        "Least functionality",
        &["V-242409", "V-242410", "V-242411", "V-242412", "V-242413", "V-242414"],
    ),
    ("CM-11 (2)", "User-installed software", &["V-242435"]),
    ("IA-5 (1)", "Authenticator management", &["V-242415"]),
    ("SC-2", "Separation of system and user functionality", &["V-242417"]),
    ("SC-3", "Security function isolation", &["V-242434"]),
    ("SC-5", "Denial-of-service protection", &["V-242438"]),
    ("SC-8", "Transmission confidentiality and integrity", &["V-245542", "V-245543", "V-245544"]),
    ("SC-10", "Network disconnect", &["V-245541"]),
    (
        "SC-23",
        "Session authenticity",
        &[
            "V-242418", "V-242419", "V-242420", "V-242421", "V-242422", "V-242423", "V-242424",
            "V-242425", "V-242426", "V-242427", "V-242428", "V-242429", "V-242430", "V-242431",
            "V-242432", "V-242433",
        ],
    ),
    ("SI-2", "Flaw remediation", &["V-242443"]),
    ("SI-2 (6)", "Flaw remediation", &["V-242442"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CONTROLS, requirements};
    use crate::stig::REQUIREMENTS;

    #[test]
    fn every_requirement_is_put_under_a_control_and_none_that_there_is_not() {
        for control in CONTROLS {
            assert_eq!(requirements(control).len(), control.2.len(), "{}", control.0);
        }
        let put: BTreeSet<&str> = CONTROLS.iter().flat_map(|control| control.2).copied().collect();
        assert_eq!(put, REQUIREMENTS.iter().map(|(id, ..)| *id).collect());
        let numbers: BTreeSet<&str> = CONTROLS.iter().map(|control| control.0).collect();
        assert_eq!(numbers.len(), CONTROLS.len());
    }
}
