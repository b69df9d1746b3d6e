//! Kubeconfigs: how a client finds a cluster, trusts it and says who it is.
//!
//! A component's names its certificate and key by path, so that it holds no secret and a renewed
//! certificate is read without a restart. A person's holds both, and is itself a secret.
//! Reference: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ringfort_model::name::ClusterName;
use ringfort_model::secret::Secret;
use serde::Serialize;

use crate::sign::ClientIdentity;

/// One way into a cluster, with a context of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Name of the context: the cluster's, or one that says which control plane it leads to.
    pub context: String,
    /// The server, such as `https://10.0.0.11:6443`.
    pub server: String,
}

/// The files of a component's identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Paths<'a> {
    /// The authority's certificate.
    pub ca: &'a str,
    /// The certificate.
    pub certificate: &'a str,
    /// The private key.
    pub key: &'a str,
}

/// Renders the kubeconfig of a component, which holds no secret.
pub fn machine_kubeconfig(
    cluster: &ClusterName,
    user: &str,
    server: &str,
    paths: &Paths<'_>,
) -> String {
    let endpoint = Endpoint { context: cluster.to_string(), server: server.to_owned() };
    let identity = Access {
        client_certificate: Some(paths.certificate),
        client_key: Some(paths.key),
        ..Access::default()
    };
    let trust = Trust { certificate_authority: Some(paths.ca), ..Trust::default() };
    File::of(&[endpoint], &trust, user, identity).write()
}

/// Renders the kubeconfig of a person: one context for each way in, the first one current. Users
/// of several clusters merge such files, so the user's entry is named after the cluster as well.
pub fn person_kubeconfig(
    cluster: &ClusterName,
    user: &str,
    endpoints: &[Endpoint],
    ca_pem: &str,
    identity: &ClientIdentity,
) -> Secret<String> {
    let key = Secret::new(BASE64_STANDARD.encode(identity.key_pem.expose()));
    let access = Access {
        client_certificate_data: Some(BASE64_STANDARD.encode(&identity.certificate_pem)),
        client_key_data: Some(key.expose()),
        ..Access::default()
    };
    let trust = Trust {
        certificate_authority_data: Some(BASE64_STANDARD.encode(ca_pem)),
        ..Trust::default()
    };
    Secret::new(File::of(endpoints, &trust, &format!("{user}@{cluster}"), access).write())
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    clusters: Vec<Named<'a, Cluster<'a>>>,
    users: Vec<Named<'a, Access<'a>>>,
    contexts: Vec<Named<'a, Context<'a>>>,
    current_context: &'a str,
}

/// An entry of a list: its name, and its value under the name of its kind.
struct Named<'a, T> {
    name: &'a str,
    kind: &'static str,
    value: T,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    server: &'a str,
    #[serde(flatten)]
    trust: &'a Trust<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Trust<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<String>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Access<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key_data: Option<&'a str>,
}

#[derive(Serialize)]
struct Context<'a> {
    cluster: &'a str,
    user: &'a str,
}

impl<'a> File<'a> {
    fn of(
        endpoints: &'a [Endpoint],
        trust: &'a Trust<'a>,
        user: &'a str,
        access: Access<'a>,
    ) -> Self {
        let cluster = |endpoint: &'a Endpoint| Named {
            name: &endpoint.context,
            kind: "cluster",
            value: Cluster { server: &endpoint.server, trust },
        };
        let context = |endpoint: &'a Endpoint| Named {
            name: &endpoint.context,
            kind: "context",
            value: Context { cluster: &endpoint.context, user },
        };
        Self {
            api_version: "v1",
            kind: "Config",
            clusters: endpoints.iter().map(cluster).collect(),
            users: vec![Named { name: user, kind: "user", value: access }],
            contexts: endpoints.iter().map(context).collect(),
            current_context: endpoints.first().map_or("", |endpoint| &endpoint.context),
        }
    }

    fn write(&self) -> String {
        // Without this, a key is folded over two lines.
        let plain = serde_saphyr::ser_options! { prefer_block_scalars: false };
        serde_saphyr::to_string_with_options(self, plain)
            .expect("texts and lists of texts can be written as YAML")
    }
}

impl<T: Serialize> Serialize for Named<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry(self.kind, &self.value)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::name::ClusterName;
    use ringfort_model::secret::Secret;

    use super::{Endpoint, Paths, machine_kubeconfig, person_kubeconfig};
    use crate::sign::ClientIdentity;

    fn harbour() -> ClusterName {
        ClusterName::new("harbour").unwrap()
    }

    #[test]
    fn a_component_names_its_files() {
        let paths = Paths { ca: "/pki/ca.crt", certificate: "/pki/k.crt", key: "/pki/k.key" };
        let text =
            machine_kubeconfig(&harbour(), "system:node:cp1", "https://127.0.0.1:6444", &paths);
        let expected = "\
apiVersion: v1
kind: Config
clusters:
- name: harbour
  cluster:
    server: https://127.0.0.1:6444
    certificate-authority: /pki/ca.crt
users:
- name: system:node:cp1
  user:
    client-certificate: /pki/k.crt
    client-key: /pki/k.key
contexts:
- name: harbour
  context:
    cluster: harbour
    user: system:node:cp1
current-context: harbour
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_person_has_a_context_for_each_control_plane_and_long_data_on_one_line() {
        let key = format!("KEY{}", "k".repeat(400));
        let identity = ClientIdentity {
            certificate_pem: "CERT".to_owned(),
            key_pem: Secret::new(key),
            serial: "01".to_owned(),
            not_after: 0,
        };
        let way = |n: u8| Endpoint {
            context: format!("harbour-cp{n}"),
            server: format!("https://10.0.0.1{n}:6443"),
        };
        let file =
            person_kubeconfig(&harbour(), "ringfort:admin", &[way(1), way(2)], "CA", &identity);
        let text = file.expose();
        let data = text.lines().find_map(|line| line.trim().strip_prefix("client-key-data: "));
        assert_eq!(data.map(str::len), Some(540), "{text}");
        assert!(text.contains("\n    certificate-authority-data: Q0E=\n"), "{text}");
        assert!(text.contains("- name: ringfort:admin@harbour\n"), "{text}");
        assert!(text.contains("\n    server: https://10.0.0.12:6443\n"), "{text}");
        assert!(text.ends_with("current-context: harbour-cp1\n"), "{text}");
    }
}
