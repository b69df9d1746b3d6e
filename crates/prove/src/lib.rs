//! Shows by behaviour that the controls hold, before a kubeconfig is issued and after.
//!
//! The controls say what to do and what it means; here it is done, and written down.

pub mod archive;
mod counter;
pub mod dial;
pub mod drive;
mod etcd;
mod halt;
mod keep;
mod leader;
mod listen;
mod machine;
mod perform;
mod refuse;
mod rehearse;
pub mod secretbox;
pub mod silence;
mod token;
mod writer;

pub use etcd::{SealError, seal_plain};
