//! The table of all controls, in the order in which they write a blueprint.

use ringfort_spec::Known;

use crate::control::Control;
use crate::proof::{Phase, Proof};
use crate::{access, audit, data, ha, integrity, network, node, versions, workload};

/// Every control.
pub static CATALOGUE: &[&Control] = &[
    &versions::pinned_by_digest::CONTROL,
    &node::apparmor::CONTROL,
    &node::closed_files::CONTROL,
    &node::components_drop_rights::CONTROL,
    &node::kernel_settings::CONTROL,
    &node::minimum_hardware::CONTROL,
    &node::process_limit::CONTROL,
    &data::encryption_at_rest::CONTROL,
    &data::etcd_mutual_tls::CONTROL,
    &data::etcd_own_user::CONTROL,
    &ha::nodes_are_ready::CONTROL,
    &ha::survives_control_plane::CONTROL,
    &ha::three_control_planes::CONTROL,
    &ha::three_workers::CONTROL,
    &access::admin_is_narrow::CONTROL,
    &access::admission_objects::CONTROL,
    &access::anonymous_is_shut::CONTROL,
    &access::closed_control_planes::CONTROL,
    &access::event_rate_limit::CONTROL,
    &access::image_credentials::CONTROL,
    &access::kubelet_authorization::CONTROL,
    &access::no_cluster_admin::CONTROL,
    &access::no_escalating_roles::CONTROL,
    &access::no_external_ips::CONTROL,
    &access::no_host_volumes::CONTROL,
    &access::no_privileged_containers::CONTROL,
    &access::no_profiling::CONTROL,
    &access::no_signers::CONTROL,
    &access::node_and_rbac::CONTROL,
    &access::non_root::CONTROL,
    &access::pod_security::CONTROL,
    &access::service_account_tokens::CONTROL,
    &access::system_accounts::CONTROL,
    &access::system_namespaces::CONTROL,
    &access::system_roles::CONTROL,
    &access::waived_namespaces::CONTROL,
    &audit::events_are_kept::CONTROL,
    &audit::findings_are_told::CONTROL,
    &audit::policy_is_set::CONTROL,
    &integrity::files_are_watched::CONTROL,
    &workload::default_account::CONTROL,
    &workload::no_service_links::CONTROL,
    &workload::seccomp::CONTROL,
    &workload::user_namespaces::CONTROL,
    &network::cluster_dns::CONTROL,
    &network::default_deny::CONTROL,
    &network::loopback_only::CONTROL,
    &network::network_policy::CONTROL,
    &network::pod_encryption::CONTROL,
    &network::pod_network::CONTROL,
    &network::services::CONTROL,
    &network::tls_1_3::CONTROL,
    &workload::addons::CONTROL,
];

/// Finds a control by its id.
pub fn find(id: &str) -> Option<&'static Control> {
    CATALOGUE.iter().copied().find(|control| control.id == id)
}

/// Says when a control's proof is made, if it has one.
pub fn phase_of(id: &str) -> Option<Phase> {
    Some(find(id)?.prove?.phase)
}

/// Gives every control that is shown by behaviour, in the order in which they are shown.
pub fn proved() -> Vec<(&'static Control, Proof)> {
    let shown = |control: &&'static Control| Some((*control, control.prove?));
    let mut proved: Vec<_> = CATALOGUE.iter().filter_map(shown).collect();
    proved.sort_by_key(|(_, proof)| proof.phase);
    proved
}

/// Gives every control as the spec knows it.
pub fn known() -> Vec<Known> {
    CATALOGUE.iter().map(|control| Known { id: control.id, limits: control.limits }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CATALOGUE, find, phase_of, proved};

    #[test]
    fn ids_are_unique_and_name_their_group() {
        let ids: BTreeSet<_> = CATALOGUE.iter().map(|control| control.id).collect();
        assert_eq!(ids.len(), CATALOGUE.len());
        for id in ids {
            assert_eq!(id.split('/').count(), 2, "{id}");
            assert!(find(id).is_some(), "{id}");
        }
    }

    #[test]
    fn what_is_proved_has_a_phase_and_nothing_else_does() {
        for (control, proof) in proved() {
            assert_eq!(phase_of(control.id), Some(proof.phase), "{}", control.id);
        }
        assert_eq!(phase_of("access/nothing"), None);
    }

    #[test]
    fn the_controls_that_the_spec_names_are_there() {
        for id in [
            ringfort_spec::APPARMOR,
            ringfort_spec::NO_PRIVILEGED_CONTAINERS,
            ringfort_spec::POD_ENCRYPTION,
            ringfort_spec::THREE_CONTROL_PLANES,
            ringfort_spec::THREE_WORKERS,
        ] {
            assert!(find(id).is_some(), "{id}");
        }
    }

    /// Without these a cluster does not stand, or is whoever's who asks.
    #[test]
    fn what_others_rest_on_is_never_waived() {
        for id in [
            "access/anonymous-is-shut",
            "access/kubelet-authorization",
            "access/node-and-rbac",
            "access/system-accounts",
            "audit/policy-is-set",
            "data/encryption-at-rest",
            "data/etcd-mutual-tls",
            "ha/nodes-are-ready",
            "ha/survives-control-plane",
        ] {
            assert!(find(id).is_some_and(|control| control.limits.is_empty()), "{id}");
        }
    }

    #[test]
    fn every_control_is_explained() {
        for control in CATALOGUE {
            assert!(control.doc.len() > 300, "{}", control.id);
            for heading in ["## Why\n", "## When\n", "## How\n", "## Managed\n"] {
                let text = control.doc.split(heading).nth(1).unwrap_or_default();
                let text = text.split("\n## ").next().unwrap_or_default().trim();
                assert!(!text.is_empty(), "{}: {heading}", control.id);
            }
            let says_how = control.doc.contains("## Proved\n");
            assert_eq!(says_how, control.prove.is_some(), "{}", control.id);
        }
    }
}
