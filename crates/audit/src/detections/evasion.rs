//! What is done so that nobody sees, or nothing stops it.

pub(super) mod audit_id_reused;
pub(super) mod events_deleted;
pub(super) mod guard_removed;
pub(super) mod kept_object_changed;
pub(super) mod limits_deleted;
pub(super) mod network_policy_deleted;
pub(super) mod network_policy_opened;
pub(super) mod node_edited;
pub(super) mod node_strays;
pub(super) mod pod_security_exempt;
pub(super) mod pod_security_lowered;
pub(super) mod pod_security_violations;
pub(super) mod server_panic;
pub(super) mod truncated;
