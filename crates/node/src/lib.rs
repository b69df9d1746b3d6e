//! What runs on machines from the `ringfort` binary: the node's side of converging, the balancer
//! in front of the API servers, and the routes between nodes' pods.
//!
//! On a machine nothing is looked up by name: addresses are numbers, users come from the user
//! file itself, since a static program must not load the name service. Nothing is decided here
//! about what a machine should be.

mod act;
mod backup;
pub mod balance;
pub mod certificates;
mod connect;
mod core_files;
mod files;
pub mod gather;
mod journal;
pub mod keys;
pub mod listeners;
mod look;
mod misread;
mod notify;
mod papers;
mod probe;
mod processes;
pub mod programs;
mod reach;
pub mod rights;
mod root;
pub mod routes;
mod serve;
mod store;
mod survey;
mod tenure;
pub mod tokens;
mod tools;

pub use connect::connect;
pub use core_files::leave_no_core_files;
pub use misread::note_misread;
pub use notify::{alive, ready};
pub use probe::ProbeError;
pub use root::{NotAPath, Root};
pub use serve::{ServeError, serve};
pub use tools::{HostTools, Said, ToolError, Tools};
