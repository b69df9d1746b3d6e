//! Makes clusters: renders the blueprint, and drives the engine until machines and API are as it says.

pub mod addons;
pub mod bundle;
pub mod carriage;
pub mod drive;
pub mod keyring;
pub mod make;
pub mod preflight;
pub mod render;
