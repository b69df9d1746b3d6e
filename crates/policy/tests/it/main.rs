//! The rules of a node against a slow and obvious reading of what Kubernetes says of policies.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod chance;
mod heavy;
mod isolation;
mod matrix;
mod model;
mod objects;
mod order;
mod owners;
mod pairs;
mod random;
mod rules;
mod tiers;
mod world;
