//! What pods get unless they ask for something else.

pub mod addons;
pub mod default_account;
mod filled;
pub mod no_service_links;
pub mod seccomp;
pub mod user_namespaces;
