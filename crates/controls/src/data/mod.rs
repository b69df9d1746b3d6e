//! What is stored, and who can read it.

pub mod encryption_at_rest;
pub mod etcd_mutual_tls;
pub mod etcd_own_user;
