//! The guidelines: what is asked of objects before they are given to a cluster. Each is one file with its
//! Markdown beside it.
//!
//! They stand apart from the controls of a cluster that ringfort makes. Those are made, proved by behaviour
//! and waived in `cluster.yaml`; these are judged from what is written, and of clusters that anybody made.

pub mod access;
pub mod data;
pub mod ha;
pub mod network;
pub mod versions;
pub mod workload;

use crate::guideline::Guideline;

/// Every guideline, by id.
pub static GUIDELINES: &[&Guideline] = &[
    &access::accounts_are_used::GUIDELINE,
    &access::accounts_exist::GUIDELINE,
    &access::accounts_mount_no_token::GUIDELINE,
    &access::default_account_unbound::GUIDELINE,
    &access::no_admission_writing::GUIDELINE,
    &access::no_anonymous_binding::GUIDELINE,
    &access::no_broad_deleting::GUIDELINE,
    &access::no_broad_reading::GUIDELINE,
    &access::no_certificate_approval::GUIDELINE,
    &access::no_cluster_admin_binding::GUIDELINE,
    &access::no_config_map_writing::GUIDELINE,
    &access::no_endpoint_writing::GUIDELINE,
    &access::no_escalating::GUIDELINE,
    &access::no_event_deletion::GUIDELINE,
    &access::no_impersonation::GUIDELINE,
    &access::no_masters::GUIDELINE,
    &access::no_namespace_writing::GUIDELINE,
    &access::no_network_policy_writing::GUIDELINE,
    &access::no_node_proxy::GUIDELINE,
    &access::no_pod_attaching::GUIDELINE,
    &access::no_pod_exec::GUIDELINE,
    &access::no_pod_writing::GUIDELINE,
    &access::no_port_forwarding::GUIDELINE,
    &access::no_rights_for_everyone::GUIDELINE,
    &access::no_role_writing::GUIDELINE,
    &access::no_secret_reading::GUIDELINE,
    &access::no_token_requests::GUIDELINE,
    &access::no_volume_writing::GUIDELINE,
    &access::no_wildcards::GUIDELINE,
    &data::no_secrets_in_config_maps::GUIDELINE,
    &data::no_secrets_in_environment::GUIDELINE,
    &data::secrets_as_files::GUIDELINE,
    &ha::disruption_budget::GUIDELINE,
    &ha::liveness_probe::GUIDELINE,
    &ha::placement::GUIDELINE,
    &ha::priority_is_set::GUIDELINE,
    &ha::readiness_probe::GUIDELINE,
    &ha::replicas::GUIDELINE,
    &ha::rolling_update::GUIDELINE,
    &ha::spread::GUIDELINE,
    &network::ingress_by_tls::GUIDELINE,
    &network::ingress_names_hosts::GUIDELINE,
    &network::load_balancers_are_limited::GUIDELINE,
    &network::no_egress_to_kubelets::GUIDELINE,
    &network::no_egress_to_metadata::GUIDELINE,
    &network::no_node_ports::GUIDELINE,
    &network::pods_are_isolated::GUIDELINE,
    &network::services_without_external_ips::GUIDELINE,
    &versions::images_are_pulled::GUIDELINE,
    &versions::images_by_digest::GUIDELINE,
    &versions::images_have_versions::GUIDELINE,
    &versions::images_name_their_registry::GUIDELINE,
    &versions::no_abandoned_images::GUIDELINE,
    &workload::account_not_shared::GUIDELINE,
    &workload::allowed_volumes::GUIDELINE,
    &workload::app_armor::GUIDELINE,
    &workload::capabilities_dropped::GUIDELINE,
    &workload::common_labels::GUIDELINE,
    &workload::cpu_has_defaults::GUIDELINE,
    &workload::cpu_limit::GUIDELINE,
    &workload::cpu_request::GUIDELINE,
    &workload::hardened_linux::GUIDELINE,
    &workload::high_group_id::GUIDELINE,
    &workload::high_user_id::GUIDELINE,
    &workload::host_paths_read_only::GUIDELINE,
    &workload::made_by_controller::GUIDELINE,
    &workload::masked_proc::GUIDELINE,
    &workload::memory_has_defaults::GUIDELINE,
    &workload::memory_limit::GUIDELINE,
    &workload::memory_request::GUIDELINE,
    &workload::namespace_of_its_own::GUIDELINE,
    &workload::no_added_capabilities::GUIDELINE,
    &workload::no_host_aliases::GUIDELINE,
    &workload::no_host_paths::GUIDELINE,
    &workload::no_host_ports::GUIDELINE,
    &workload::no_host_probes::GUIDELINE,
    &workload::no_node_sockets::GUIDELINE,
    &workload::no_privilege_escalation::GUIDELINE,
    &workload::no_root_groups::GUIDELINE,
    &workload::no_sensitive_host_paths::GUIDELINE,
    &workload::no_ssh::GUIDELINE,
    &workload::no_sub_paths::GUIDELINE,
    &workload::no_sudo::GUIDELINE,
    &workload::no_token_mount::GUIDELINE,
    &workload::no_windows_host_process::GUIDELINE,
    &workload::non_root::GUIDELINE,
    &workload::not_on_control_planes::GUIDELINE,
    &workload::not_privileged::GUIDELINE,
    &workload::own_account::GUIDELINE,
    &workload::own_ipc_namespace::GUIDELINE,
    &workload::own_network_namespace::GUIDELINE,
    &workload::own_process_namespace::GUIDELINE,
    &workload::own_processes::GUIDELINE,
    &workload::own_sysctls::GUIDELINE,
    &workload::pod_security_is_enforced::GUIDELINE,
    &workload::quota::GUIDELINE,
    &workload::read_only_root::GUIDELINE,
    &workload::se_linux::GUIDELINE,
    &workload::seccomp_is_set::GUIDELINE,
    &workload::security_context::GUIDELINE,
    &workload::selector_matches::GUIDELINE,
    &workload::storage_limit::GUIDELINE,
    &workload::storage_request::GUIDELINE,
];

/// Finds a guideline by its id.
pub fn find(id: &str) -> Option<&'static Guideline> {
    GUIDELINES.iter().copied().find(|guideline| guideline.id == id)
}

#[cfg(test)]
mod tests;
