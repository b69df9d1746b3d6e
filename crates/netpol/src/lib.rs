//! The enforcer of network policies on a node: what the room `policy` decides, in the node's kernel.

mod os;

pub use os::{
    Author, EnforceError, InForce, Meddling, Refusal, Settings, Shown, ShownPod, ShownWay, Told,
    Waited, enforce, plug, show,
};
