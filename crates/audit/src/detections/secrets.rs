//! Who reads and changes Secrets.

pub(super) mod decoy_touched;
pub(super) mod many_secrets;
pub(super) mod new_reader;
pub(super) mod secret_changed;
pub(super) mod secrets_everywhere;
pub(super) mod secrets_guessed;
pub(super) mod secrets_of_system;
