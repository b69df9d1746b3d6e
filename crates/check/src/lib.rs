//! Judges what somebody means to give to a cluster, before it is there, and what machines of a cluster are.
//!
//! Never here: input or output, clocks, a cluster.

pub mod admission;
pub mod benchmark;
mod cilium;
pub mod cis;
mod closed;
mod declared;
pub mod fault;
pub mod fix;
mod grants;
pub mod guideline;
pub mod guidelines;
pub mod judge;
pub mod judgement;
pub mod kinds;
pub mod nist;
mod objects;
pub mod outline;
mod place;
pub mod pods;
pub mod profile;
pub mod report;
mod scene;
mod shape;
pub mod stig;
pub mod texts;
pub mod upstream;
pub mod waivers;
pub mod world;
