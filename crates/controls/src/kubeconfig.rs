//! Kubeconfigs of components: they name certificate and key by path, so that they hold no secret and
//! a renewed certificate is read without a restart.
//!
//! Never here: kubeconfigs of people, which hold a key and are secrets.

use ringfort_model::name::ClusterName;
use serde_json::json;

use crate::paths;
use crate::yaml;

/// A component that speaks to the API through its machine's balancer.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The cluster.
    pub cluster: &'a ClusterName,
    /// Its user.
    pub user: &'a str,
    /// Path of the authority's certificate.
    pub ca: &'a str,
    /// Path of its certificate and key without their endings.
    pub stem: &'a str,
}

/// Writes a component's kubeconfig.
pub fn file(client: &Client<'_>) -> String {
    let Client { cluster, user, ca, stem } = client;
    yaml::document(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": {"server": paths::SERVER, "certificate-authority": ca},
        }],
        "users": [{
            "name": user,
            "user": {
                "client-certificate": format!("{stem}.crt"),
                "client-key": format!("{stem}.key"),
            },
        }],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        "current-context": cluster,
    }))
}
