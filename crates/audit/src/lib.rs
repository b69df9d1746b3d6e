//! What an API server wrote down: events, what is suspicious among them, and the policy that decides what is
//! written.
//!
//! Never here: input or output, clocks, a cluster.

pub mod caller;
pub mod detection;
pub mod detections;
pub mod engine;
pub mod envelope;
pub mod event;
pub mod fault;
pub mod finding;
pub mod lines;
pub mod node;
mod patch;
mod pod;
pub mod policy;
pub mod rbac;
mod scene;
pub mod summary;
pub mod who;
