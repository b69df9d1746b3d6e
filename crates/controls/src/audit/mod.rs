//! What is written down of who asked for what.

pub mod events_are_kept;
pub mod findings_are_told;
pub mod policy_is_set;
pub mod site;
