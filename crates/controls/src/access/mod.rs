//! Who may ask for what, and what nobody gets.

pub mod admin_is_narrow;
pub mod admission_objects;
pub mod anonymous_is_shut;
pub mod closed_control_planes;
pub mod event_rate_limit;
mod given;
pub mod image_credentials;
pub mod kubelet_authorization;
pub mod no_cluster_admin;
pub mod no_escalating_roles;
pub mod no_external_ips;
pub mod no_host_volumes;
pub mod no_privileged_containers;
pub mod no_profiling;
pub mod no_signers;
pub mod node_and_rbac;
pub mod non_root;
pub mod pod_security;
pub mod service_account_tokens;
pub mod system_accounts;
pub mod system_namespaces;
pub mod system_roles;
mod waived_identity;
pub mod waived_namespaces;
