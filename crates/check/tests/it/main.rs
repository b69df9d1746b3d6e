//! Pods and guidelines judged from outside, by what others published and by laws.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod benchmark;
mod beyond;
mod cluster;
mod fixes;
mod guidelines;
mod isolation;
mod kalm;
mod lacking;
mod laws;
mod libraries;
mod machine;
mod oracles;
mod reports;
mod soundness;
mod standards;
mod types;
mod upstream;
