//! Integrity of a machine's files: what is protected, what it should be, what was seen, and who changed
//! it.
//!
//! Everything but `os` decides from values; `os` looks at files and listens to the kernel.

pub mod baseline;
pub mod cgroup;
pub mod change;
pub mod containerd;
pub mod history;
pub mod journal;
pub mod judge;
pub mod layers;
pub mod os;
pub mod packages;
pub mod path;
pub mod process;
pub mod protected;
pub mod records;
pub mod repair;
pub mod state;
pub mod volume;
pub mod watch;
pub mod why;
pub mod workload;
