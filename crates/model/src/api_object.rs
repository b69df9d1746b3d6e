//! An object of the Kubernetes API as it should be.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::item::ItemId;
use crate::name::NodeName;

/// An object of the Kubernetes API, stamped with the control that asked for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApiObject {
    /// The control that asked for it.
    pub by: String,
    /// The object: `apiVersion`, `kind`, `metadata` and the fields that ringfort owns.
    pub object: Value,
    /// Whether it is made where it is not there.
    #[serde(default)]
    pub presence: Presence,
}

/// Whether an object is made where it is not there.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is.
    #[default]
    Made,
    /// A unit of a machine makes it when it starts, and ringfort waits for it: a node is its
    /// kubelet's, and one that ringfort made would lack what kubelet sets only when it makes it.
    Awaited {
        /// The machine.
        node: NodeName,
        /// The unit. It is started anew where the object stays away.
        unit: ItemId,
    },
}

impl ApiObject {
    /// Gives the object's name in its API.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.object)
    }
}

/// Names an object of the Kubernetes API.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ObjectKey {
    /// Group and version, such as `apps/v1`.
    pub api_version: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Namespace, for kinds that have one.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// Reads it from an object; what is not said is empty.
    pub fn of(object: &Value) -> Self {
        let text = |path: &str| {
            object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: Some(text("/metadata/namespace")).filter(|n| !n.is_empty()),
            name: text("/metadata/name"),
        }
    }
}

/// Gives the group of what `apiVersion` says; that of the oldest objects is empty.
pub fn group(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
