//! What pods get unless they ask for something else.

pub mod addons;
pub mod default_account;
pub mod no_service_links;
pub mod seccomp;
pub mod user_namespaces;
