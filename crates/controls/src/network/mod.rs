//! How pods reach each other, and how nobody else reaches them.

pub mod cluster_dns;
pub mod loopback_only;
pub mod pod_encryption;
pub mod pod_network;
pub mod services;
pub mod tls_1_3;
