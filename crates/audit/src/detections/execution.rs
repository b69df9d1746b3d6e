//! What is run.

pub(super) mod attach;
pub(super) mod attack_pod;
pub(super) mod bound_by_hand;
pub(super) mod command_in_hook;
pub(super) mod daemon_set;
pub(super) mod ephemeral_container;
pub(super) mod exec;
pub(super) mod exec_asks_metadata;
pub(super) mod exec_copies_out;
pub(super) mod exec_downloads;
pub(super) mod exec_in_system;
pub(super) mod exec_opens_reverse_shell;
pub(super) mod exec_reads_token;
pub(super) mod first_exec;
pub(super) mod first_image;
pub(super) mod lookalike;
pub(super) mod miner;
pub(super) mod node_proxy;
pub(super) mod pinned_to_node;
pub(super) mod pod_opens_reverse_shell;
pub(super) mod port_forward;
pub(super) mod scheduled_job;
pub(super) mod service_proxy;
pub(super) mod tolerates_everything;
pub(super) mod unlisted_image;
pub(super) mod workload_in_system;
