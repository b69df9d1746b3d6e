//! Shows by behaviour that the controls hold, before a kubeconfig is issued.

pub mod gate;
pub mod secretbox;
