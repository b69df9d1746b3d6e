//! What API servers wrote down, kept: every event durable before it counts as kept, and a log that shows what was
//! done to it.
//!
//! [`mod@format`] decides and has no effects. [`os`] is its edge: a directory, the tail of a server's log.

pub mod format;
pub mod os;
