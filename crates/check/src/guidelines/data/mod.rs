//! Where secrets stand.

pub mod claims_name_their_class;
pub mod no_secrets_in_config_maps;
pub mod no_secrets_in_environment;
mod secret;
pub mod secrets_as_files;
pub mod volumes_are_encrypted;
