//! The objects of a cluster in the API's own shape.

use serde_json::Value;

pub(crate) struct Cluster {
    pub(crate) namespaces: Vec<Value>,
    pub(crate) pods: Vec<Value>,
    pub(crate) policies: Vec<Value>,
    pub(crate) wider: Vec<Value>,
}
