//! Manifests that an operator has applied with the cluster.

use serde_json::Value;

/// Manifests that belong together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addon {
    /// What they are called.
    pub name: String,
    /// The objects, in the order of applying.
    pub objects: Vec<Value>,
}
