//! Who comes in, and how.

pub(super) mod anonymous_access;
pub(super) mod anonymous_probing;
pub(super) mod anonymous_write;
pub(super) mod attack_tool;
pub(super) mod bootstrap_identity_strays;
pub(super) mod bootstrap_token_made;
pub(super) mod claimed_addresses;
pub(super) mod component_from_public_address;
pub(super) mod credential_from_two_addresses;
pub(super) mod legacy_token_used;
pub(super) mod listed_address;
pub(super) mod login_failures;
pub(super) mod masters_used;
pub(super) mod new_agent;
pub(super) mod new_network;
pub(super) mod privileged_impersonation;
pub(super) mod refusals;
pub(super) mod refused_then_allowed;
pub(super) mod token_outside;
pub(super) mod tor_exit;
pub(super) mod unconstrained_impersonation;
