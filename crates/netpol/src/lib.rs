//! Network policies: who may talk to whom, and the rules by which a node's kernel sees to it.

pub use ringfort_policy as core;
mod os;

pub use os::{
    EnforceError, Refusal, Settings, Shown, ShownPod, ShownWay, Waited, enforce, plug, show,
};
