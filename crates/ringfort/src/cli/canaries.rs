//! Where proofs do what they try: a namespace of a run's own with another beside it, and what may lie outside of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ringfort_api::{ApiError, Cluster, Extent};
use ringfort_controls::proof::opening;
use ringfort_model::api_object::ObjectKey;
use ringfort_model::digest::Digest;
use ringfort_model::identity::{CANARIES, neighbour_of};
use ringfort_model::name::NodeName;
use serde_json::{Value, json};

use super::Fault;

/// Marks what canaries are, so that an interrupted run's are found.
const LABEL: &str = "ringfort.dev/canary";
/// What a proof may leave outside its own namespace, and where.
const STRAY: [(&str, &str, Option<&str>); 7] = [
    ("v1", "Namespace", None),
    ("v1", "Secret", Some("kube-system")),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", None),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", None),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", None),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", None),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", None),
];

/// The API servers that may be asked.
type Servers = BTreeMap<NodeName, Arc<Cluster>>;

/// A word that nobody could guess, and the namespace that is named after it.
pub struct Nonce {
    /// The word.
    pub word: String,
    /// The namespace.
    pub namespace: String,
}

impl Nonce {
    /// Draws one.
    pub fn draw() -> Result<Self, Fault> {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_| Fault::unable("the machine gives no randomness"))?;
        let word = Digest::of(&bytes).as_str()[..24].to_owned();
        let namespace = format!("{CANARIES}{}", &word[..8]);
        Ok(Self { word, namespace })
    }
}

/// Makes the namespace and the one beside it, once what an interrupted run left is gone.
pub async fn make_namespace(servers: &Servers, name: &str) -> Result<(), Fault> {
    clear(servers).await;
    let objects: Vec<Value> =
        [name, &neighbour_of(name)].into_iter().flat_map(of_namespace).collect();
    let mut last = String::new();
    for _ in 0..150 {
        for server in servers.values() {
            match apply(server, &objects).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error.to_string(),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Fault::unable(format!("the canaries' namespace {name} could not be made: {last}")))
}

fn of_namespace(name: &str) -> [Value; 3] {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {LABEL: "true"}},
    });
    // No pod is let in without it, and on a new cluster controllers take their time.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": name},
    });
    [namespace, account, opening(name)]
}

async fn apply(server: &Cluster, objects: &[Value]) -> Result<(), ApiError> {
    for object in objects {
        server.apply(object, Extent::Named).await?;
    }
    Ok(())
}

/// Deletes what canaries left, an interrupted run's included.
pub async fn clear(servers: &Servers) {
    for server in servers.values() {
        let label = format!("{LABEL}=true");
        let mut answered = true;
        for (api_version, kind, namespace) in STRAY {
            let found = match server.list(api_version, kind, namespace, Some(&label)).await {
                Ok(found) => found,
                // Who may not look for one kind may have left others.
                Err(error) if error.status().is_some() => continue,
                Err(_) => {
                    answered = false;
                    break;
                }
            };
            let name =
                |object: &Value| object.pointer("/metadata/name")?.as_str().map(str::to_owned);
            for name in found.iter().filter_map(name) {
                let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
                let namespace = namespace.map(str::to_owned);
                // What stays is found by its label the next time.
                let _ = server.delete(&ObjectKey { api_version, kind, namespace, name }).await;
            }
        }
        if answered {
            return;
        }
    }
}
