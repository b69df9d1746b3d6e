//! What an API server wrote down: events, what is suspicious among them, and the policy that decides what is
//! written.
//!
//! Never here: input or output, clocks, a cluster.

pub mod across;
pub mod attack;
pub mod caller;
pub mod detection;
pub mod detections;
pub mod engine;
pub mod envelope;
pub mod event;
pub mod examples;
pub mod fault;
pub mod feeds;
pub mod finding;
pub mod lines;
mod moment;
pub mod node;
pub mod own;
mod patch;
mod paths;
mod pod;
pub mod policy;
pub mod rbac;
pub mod repeats;
mod scene;
pub mod sigma;
pub mod summary;
pub mod waiver;
pub mod who;
pub mod written;
