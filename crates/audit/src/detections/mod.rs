//! Everything that is looked for: a file of code and a page each, by what an attacker wants.

mod discovery;
mod entry;
mod escalation;
mod evasion;
mod execution;
mod impact;
mod persistence;
mod prelude;
mod secrets;

use crate::detection::{Detection, Fed};

/// The detections that need nothing but events: those that the policy of a cluster is compiled from.
pub static DETECTIONS: &[&Detection] = &[
    &entry::anonymous_access::DETECTION,
    &entry::anonymous_write::DETECTION,
    &entry::anonymous_probing::DETECTION,
    &entry::component_from_public_address::DETECTION,
    &entry::legacy_token_used::DETECTION,
    &entry::attack_tool::DETECTION,
    &entry::masters_used::DETECTION,
    &entry::login_failures::DETECTION,
    &entry::refusals::DETECTION,
    &entry::refused_then_allowed::DETECTION,
    &entry::privileged_impersonation::DETECTION,
    &entry::bootstrap_token_made::DETECTION,
    &entry::bootstrap_identity_strays::DETECTION,
    &entry::claimed_addresses::DETECTION,
    &entry::credential_from_two_addresses::DETECTION,
    &entry::new_network::DETECTION,
    &entry::new_agent::DETECTION,
    &execution::exec::DETECTION,
    &execution::exec_in_system::DETECTION,
    &execution::first_exec::DETECTION,
    &execution::exec_reads_token::DETECTION,
    &execution::exec_asks_metadata::DETECTION,
    &execution::exec_opens_reverse_shell::DETECTION,
    &execution::exec_downloads::DETECTION,
    &execution::exec_copies_out::DETECTION,
    &execution::attach::DETECTION,
    &execution::port_forward::DETECTION,
    &execution::ephemeral_container::DETECTION,
    &execution::node_proxy::DETECTION,
    &execution::service_proxy::DETECTION,
    &execution::pod_opens_reverse_shell::DETECTION,
    &execution::miner::DETECTION,
    &execution::attack_pod::DETECTION,
    &execution::lookalike::DETECTION,
    &execution::mirror_pod::DETECTION,
    &execution::first_image::DETECTION,
    &execution::pinned_to_node::DETECTION,
    &execution::tolerates_everything::DETECTION,
    &execution::bound_by_hand::DETECTION,
    &execution::scheduled_job::DETECTION,
    &execution::daemon_set::DETECTION,
    &execution::workload_in_system::DETECTION,
    &execution::command_in_hook::DETECTION,
    &persistence::webhook_changed::DETECTION,
    &persistence::webhook_weakened::DETECTION,
    &persistence::admission_policy_changed::DETECTION,
    &persistence::api_service_changed::DETECTION,
    &persistence::conversion_webhook::DETECTION,
    &persistence::account_in_system::DETECTION,
    &persistence::token_requested::DETECTION,
    &persistence::tool_exposed::DETECTION,
    &persistence::long_lived_token::DETECTION,
    &persistence::client_certificate_requested::DETECTION,
    &persistence::privileged_certificate_requested::DETECTION,
    &persistence::certificate_approved::DETECTION,
    &persistence::request_deleted::DETECTION,
    &persistence::trust_changed::DETECTION,
    &persistence::dns_changed::DETECTION,
    &persistence::cloud_users_changed::DETECTION,
    &persistence::node_port::DETECTION,
    &persistence::external_addresses::DETECTION,
    &persistence::endpoints_by_hand::DETECTION,
    &persistence::ingress_snippet::DETECTION,
    &escalation::privileged_container::DETECTION,
    &escalation::host_processes::DETECTION,
    &escalation::host_ipc::DETECTION,
    &escalation::host_network::DETECTION,
    &escalation::host_path::DETECTION,
    &escalation::host_path_volume::DETECTION,
    &escalation::capabilities::DETECTION,
    &escalation::shared_processes::DETECTION,
    &escalation::root::DETECTION,
    &escalation::unconfined::DETECTION,
    &escalation::account_of_controller::DETECTION,
    &escalation::cluster_admin_bound::DETECTION,
    &escalation::everyone_bound::DETECTION,
    &escalation::default_account_bound::DETECTION,
    &escalation::wildcard_role::DETECTION,
    &escalation::escalating_role::DETECTION,
    &escalation::exec_role::DETECTION,
    &escalation::node_proxy_role::DETECTION,
    &escalation::secrets_role::DETECTION,
    &escalation::system_role_changed::DETECTION,
    &escalation::aggregated_role::DETECTION,
    &escalation::controller_role_bound::DETECTION,
    &escalation::rights_by_account::DETECTION,
    &escalation::rights_then_workload::DETECTION,
    &escalation::first_rights::DETECTION,
    &escalation::path_to_admin::DETECTION,
    &evasion::pod_security_lowered::DETECTION,
    &evasion::network_policy_deleted::DETECTION,
    &evasion::limits_deleted::DETECTION,
    &evasion::guard_removed::DETECTION,
    &evasion::kept_object_changed::DETECTION,
    &evasion::events_deleted::DETECTION,
    &evasion::truncated::DETECTION,
    &evasion::audit_id_reused::DETECTION,
    &evasion::server_panic::DETECTION,
    &evasion::node_edited::DETECTION,
    &evasion::node_strays::DETECTION,
    &secrets::secrets_everywhere::DETECTION,
    &secrets::secrets_of_system::DETECTION,
    &secrets::many_secrets::DETECTION,
    &secrets::secrets_guessed::DETECTION,
    &secrets::secret_changed::DETECTION,
    &secrets::new_reader::DETECTION,
    &discovery::debug_paths::DETECTION,
    &discovery::many_logs::DETECTION,
    &discovery::own_rights_listed::DETECTION,
    &discovery::enumeration::DETECTION,
    &discovery::first_list_everywhere::DETECTION,
    &impact::mass_deletion::DETECTION,
    &impact::namespace_deleted::DETECTION,
    &impact::storage_deleted::DETECTION,
    &impact::surge::DETECTION,
    &impact::eviction_wave::DETECTION,
    &impact::deleted_by_force::DETECTION,
];

/// The detections that have to be told something beside events.
pub static FED: &[&Fed] = &[
    &entry::tor_exit::DETECTION,
    &entry::listed_address::DETECTION,
    &entry::token_outside::DETECTION,
    &execution::naked_pod::DETECTION,
    &execution::unlisted_image::DETECTION,
    &entry::unconstrained_impersonation::DETECTION,
    &persistence::unlisted_namespace::DETECTION,
    &persistence::unmeant_change::DETECTION,
    &secrets::decoy_touched::DETECTION,
];

/// Gives all detections.
pub fn all() -> impl Iterator<Item = &'static Detection> {
    DETECTIONS.iter().copied().chain(FED.iter().map(|fed| &fed.detection))
}

/// Finds a detection by its id.
pub fn find(id: &str) -> Option<&'static Detection> {
    all().find(|detection| detection.id == id)
}
