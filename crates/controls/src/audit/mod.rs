//! What is written down of who asked for what.

pub mod events_are_kept;
pub mod policy_is_set;
pub mod site;
