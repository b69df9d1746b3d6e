//! What runs, and where it comes from.

pub mod pinned_by_digest;
