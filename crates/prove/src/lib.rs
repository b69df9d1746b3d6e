//! Shows by behaviour that the controls hold, before a kubeconfig is issued.

pub mod drive;
pub mod gate;
mod halt;
mod listen;
mod rehearse;
pub mod secretbox;
