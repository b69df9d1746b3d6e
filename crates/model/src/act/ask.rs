//! Who asks an API server, and for what.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api_object::ObjectKey;
use crate::identity::{ADMIN, CANARY, KEEPER};
use crate::name::NodeName;

/// Who asks an API server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speaker {
    /// ringfort's own identity.
    Keeper,
    /// The identity that is handed over.
    Admin,
    /// Nobody: no certificate is shown and no name said.
    Anonymous,
    /// A kubelet.
    Node(NodeName),
    /// A service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Whoever no role binds, by the group `system:masters`.
    Unbound,
    /// A component, of no group but that of all users.
    Component(String),
}

impl Speaker {
    /// Gives the name of the user.
    pub fn user(&self) -> String {
        match self {
            Self::Keeper => KEEPER.to_owned(),
            Self::Admin => ADMIN.to_owned(),
            Self::Anonymous => "system:anonymous".to_owned(),
            Self::Node(node) => format!("system:node:{node}"),
            Self::Account { namespace, name } => {
                format!("system:serviceaccount:{namespace}:{name}")
            }
            Self::Unbound => CANARY.to_owned(),
            Self::Component(user) => user.clone(),
        }
    }

    /// Gives the groups that the user is in beside `system:authenticated`.
    pub fn groups(&self) -> Vec<String> {
        match self {
            Self::Node(_) => vec!["system:nodes".to_owned()],
            Self::Account { namespace, .. } => vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
            ],
            Self::Unbound => vec!["system:masters".to_owned()],
            Self::Keeper | Self::Admin | Self::Anonymous | Self::Component(_) => Vec::new(),
        }
    }
}

/// What is asked of an API server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// To create an object.
    Create(Value),
    /// To read an object.
    Get(ObjectKey),
    /// To list the objects of a kind.
    List {
        /// Group and version.
        api_version: String,
        /// Kind.
        kind: String,
        /// Namespace, or all.
        namespace: Option<String>,
    },
    /// To list all pods: where each is, and whose, but nothing of what is in it, which is nobody's business.
    Whereabouts,
    /// To list all bindings of roles: each with its kind, whom it binds, and to what.
    Bindings,
    /// To list all roles: each with its kind and its rules.
    Roles,
    /// Whether an object is what was written and nothing more: where it is not.
    AsWritten(Value),
    /// Whether the fields that are named are as they say, whatever else an object has: where it is not.
    AsNamed(Value),
    /// To approve a request for a certificate.
    Approve(ObjectKey),
    /// To delete an object.
    Delete(ObjectKey),
    /// To delete a pod without waiting for its end.
    DeleteByForce(ObjectKey),
    /// To give a pod's log.
    Logs {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        pod: String,
    },
    /// Whether it would create an object; nothing is stored.
    WouldCreate(Value),
    /// To create one object again and again, until it says that this is too much. It is stored once.
    Flood {
        /// The object.
        object: Value,
        /// How often at most.
        times: u16,
    },
    /// Whether it would change an object by a JSON merge patch; nothing is stored.
    WouldPatch {
        /// Which object.
        of: ObjectKey,
        /// The patch.
        patch: Value,
    },
    /// Whether it would delete an object; nothing is deleted.
    WouldDelete(ObjectKey),
    /// Whether it would take what is sent to a path, such as a part of an object; nothing is stored, and
    /// nothing of the answer is told.
    WouldSend {
        /// What is done.
        how: Sending,
        /// The path.
        path: String,
        /// With what; nothing where something is deleted.
        body: Value,
    },
    /// Whether it would delete the pods of a namespace that have a label; nothing is deleted.
    WouldDeletePods {
        /// The namespace.
        namespace: String,
        /// The label, as `key=value`.
        labelled: String,
    },
    /// To answer on a path that is no object.
    Read {
        /// The path.
        path: String,
    },
    /// To name every path that it describes (OpenAPI).
    Described,
    /// To give the lines of its metrics that begin with a text.
    Metrics {
        /// The text.
        beginning: String,
    },
}

/// What is done at a path.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sending {
    /// Something is created.
    Create,
    /// It is changed by a JSON merge patch.
    Merge,
    /// It is deleted.
    Delete,
}

/// A token of a service account.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenWish {
    /// The account's namespace.
    pub namespace: String,
    /// The account's name.
    pub account: String,
    /// For whom it is; empty for the API itself.
    pub audiences: Vec<String>,
    /// How long it should live, in seconds.
    pub seconds: u64,
    /// By how many seconds it is older when it is shown than when it was made: the server's machine signs it
    /// anew with its times moved back. With 0 it is only signed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aged_s: Option<u64>,
    /// What it lives and dies with, if anything: an object that is made for it and taken away.
    pub bound: Option<Value>,
}
