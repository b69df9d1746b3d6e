//! Who may do what.

pub mod accounts_are_used;
pub mod default_account_unbound;
pub mod no_admission_writing;
pub mod no_anonymous_binding;
pub mod no_broad_deleting;
pub mod no_broad_reading;
pub mod no_certificate_approval;
pub mod no_cluster_admin_binding;
pub mod no_config_map_writing;
pub mod no_escalating;
pub mod no_event_deletion;
pub mod no_impersonation;
pub mod no_masters;
pub mod no_namespace_writing;
pub mod no_network_policy_writing;
pub mod no_node_proxy;
pub mod no_pod_attaching;
pub mod no_pod_exec;
pub mod no_pod_writing;
pub mod no_port_forwarding;
pub mod no_rights_for_everyone;
pub mod no_role_writing;
pub mod no_secret_reading;
pub mod no_token_requests;
pub mod no_volume_writing;
pub mod no_wildcards;
mod subject;
