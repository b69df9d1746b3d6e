//! The enforcer of a node: hears of policies, pods and namespaces, and keeps the kernel's rules.

mod attached;
mod door;
mod enforcer;
mod hear;
mod kept;
mod listen;
mod meddling;
mod nft;
mod plugin;
mod refused;
mod state;

pub use door::{InForce, Shown, ShownPod, ShownWay, Waited, show};
pub use enforcer::{EnforceError, Settings, Told, enforce};
pub use meddling::{Author, Meddling};
pub use plugin::plug;
pub use refused::Refusal;

/// The directory of everything that lives as long as the machine runs; only root enters it.
const RUN: &str = "/run/ringfort-policy";
