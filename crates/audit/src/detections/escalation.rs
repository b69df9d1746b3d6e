//! Who gains rights, over the cluster or a machine.

pub(super) mod account_of_controller;
pub(super) mod aggregated_role;
pub(super) mod capabilities;
pub(super) mod cluster_admin_bound;
pub(super) mod controller_role_bound;
pub(super) mod default_account_bound;
pub(super) mod escalating_role;
pub(super) mod everyone_bound;
pub(super) mod exec_role;
pub(super) mod first_rights;
pub(super) mod host_ipc;
pub(super) mod host_network;
pub(super) mod host_path;
pub(super) mod host_path_volume;
pub(super) mod host_processes;
pub(super) mod node_proxy_role;
pub(super) mod path_to_admin;
pub(super) mod privileged_container;
pub(super) mod rights_by_account;
pub(super) mod rights_then_workload;
pub(super) mod root;
pub(super) mod secrets_role;
pub(super) mod shared_processes;
pub(super) mod system_role_changed;
pub(super) mod unconfined;
pub(super) mod wildcard_role;
