//! The machine below the cluster.

pub mod apparmor;
pub mod closed_files;
pub mod components_drop_rights;
pub mod kernel_settings;
pub mod minimum_hardware;
pub mod process_limit;
