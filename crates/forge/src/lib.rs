//! Makes clusters: renders the blueprint, and drives the engine until machines and API are as it says.

pub mod drive;
pub mod preflight;
