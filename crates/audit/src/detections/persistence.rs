//! What stays, or listens, when its maker has left.

pub(super) mod account_in_system;
pub(super) mod admission_policy_changed;
pub(super) mod api_service_changed;
pub(super) mod certificate_approved;
pub(super) mod client_certificate_requested;
pub(super) mod cloud_users_changed;
pub(super) mod conversion_webhook;
pub(super) mod dns_changed;
pub(super) mod endpoints_by_hand;
pub(super) mod external_addresses;
pub(super) mod host_port;
pub(super) mod ingress_snippet;
pub(super) mod long_lived_token;
pub(super) mod node_port;
pub(super) mod own_request_approved;
pub(super) mod privileged_certificate_requested;
pub(super) mod request_deleted;
pub(super) mod token_requested;
pub(super) mod tool_exposed;
pub(super) mod trust_changed;
pub(super) mod unlisted_namespace;
pub(super) mod unmeant_change;
pub(super) mod webhook_changed;
pub(super) mod webhook_weakened;
