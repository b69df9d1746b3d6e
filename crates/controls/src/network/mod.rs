//! How pods reach each other, and how nobody else reaches them.

pub mod cluster_dns;
pub mod default_deny;
pub mod loopback_only;
pub mod network_policy;
pub mod pod_encryption;
pub mod pod_network;
pub mod services;
pub mod tls_1_3;
