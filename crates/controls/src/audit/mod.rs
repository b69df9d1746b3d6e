//! What is written down of who asked for what.

pub mod policy_is_set;
