//! The catalogue of controls: each is one decision that a user can waive, in one file with its
//! Markdown beside it. Here stands what a control adds to a cluster's blueprint, and why.
//!
//! Never here: input or output, clocks, randomness. A control looks at the spec and writes into a
//! [`Draft`](draft::Draft), which knows who wrote what.

pub mod access;
pub mod admission;
pub mod audit;
pub mod catalogue;
pub mod control;
pub mod data;
pub mod draft;
pub mod example;
pub mod ha;
pub mod integrity;
pub mod kubeconfig;
pub mod network;
pub mod node;
pub mod paths;
pub mod proof;
pub mod sabotage;
pub mod versions;
pub mod workload;
pub mod yaml;

pub use catalogue::{CATALOGUE, find, known, phase_of, proved};
pub use control::{Control, Ref, Severity};
pub use proof::{Phase, Proof, Scene};
