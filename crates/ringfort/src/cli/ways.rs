//! Reads a kubeconfig: where the server is, whom it is trusted by and who asks. Only identities by
//! certificate are read: nothing is run to get one.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_api::{self as api, ApiError, Identity};
use ringfort_facts::manifest;
use ringfort_model::secret::Secret;
use serde::Deserialize;

use super::Fault;

/// A way to a cluster's API.
#[derive(Clone)]
pub struct Way {
    /// Where the server is.
    pub at: SocketAddr,
    /// The name that its certificate carries.
    pub name: String,
    /// Who asks.
    pub identity: Identity,
}

impl Way {
    /// Prepares a conversation; nothing is sent yet.
    pub fn open(&self) -> Result<api::Cluster, Fault> {
        api::Cluster::open(self.at, &self.name, &self.identity).map_err(Fault::usage)
    }
}

/// Reads the ways of the current context, first of all its own: contexts of the same user and authority
/// lead to other servers of the same cluster. `instead` says what else could be named.
///
/// # Errors
/// The file cannot be read, or does not say all that is needed.
pub fn ways(file: &Path, instead: &str) -> Result<Vec<Way>, Fault> {
    let text = Secret::new(fs::read_to_string(file).map_err(|error| {
        Fault::usage(format!("{} cannot be read ({error}): {instead}", file.display()))
    })?);
    let beside = file.parent().unwrap_or(Path::new(""));
    read(text.expose(), beside)
        .map_err(|why| Fault::usage(format!("kubeconfig {}: {why}", file.display())))
}

/// Finds the first way whose server answers, whatever it answers.
///
/// # Errors
/// None does.
pub async fn first(ways: &[Way]) -> Result<(&Way, api::Cluster), Fault> {
    let mut last = Fault::usage("the kubeconfig names no server");
    for way in ways {
        let server = way.open()?;
        match server.text("/version").await {
            Err(error @ ApiError::Unreachable { .. }) => {
                last = Fault::blind(format!("{}: {error}", way.at));
            }
            _ => return Ok((way, server)),
        }
    }
    Err(last)
}

fn read(text: &str, beside: &Path) -> Result<Vec<Way>, String> {
    let mut documents = manifest::read(text).map_err(|error| error.to_string())?;
    let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
        return Err("it is not one document".to_owned());
    };
    let config: Config =
        serde_json::from_value(document.into_value()).map_err(|error| error.to_string())?;
    let current = &config.current_context;
    let contexts = &config.contexts;
    let first = contexts.iter().find(|it| it.name == *current);
    let first = first.ok_or("current-context names none of its contexts")?;
    let own = config.cluster(&first.context.cluster)?;
    let user = config.users.iter().find(|it| it.name == first.context.user);
    let user = &user.ok_or_else(|| format!("it has no user {:?}", first.context.user))?.user;
    let identity = Identity {
        authority_pem: pem(&own.certificate_authority_data, &own.certificate_authority, beside)?
            .ok_or("its cluster names no certificate-authority")?
            .expose()
            .clone(),
        certificate_pem: pem(&user.client_certificate_data, &user.client_certificate, beside)?
            .ok_or("its user shows no client-certificate: other identities are not read")?
            .expose()
            .clone(),
        key_pem: pem(&user.client_key_data, &user.client_key, beside)?
            .ok_or("its user has no client-key")?,
    };
    let mut ways = vec![way(own, &identity)?];
    let others =
        contexts.iter().filter(|it| it.name != *current && it.context.user == first.context.user);
    for other in others {
        let cluster = config.cluster(&other.context.cluster)?;
        if cluster.is_trusted_like(own) && cluster.server != own.server {
            ways.push(way(cluster, &identity)?);
        }
    }
    Ok(ways)
}

fn way(cluster: &Cluster, identity: &Identity) -> Result<Way, String> {
    let server = &cluster.server;
    let shape = || format!("the server {server:?} is not like https://10.0.0.11:6443");
    let place = server.strip_prefix("https://").ok_or_else(shape)?.trim_end_matches('/');
    if place.contains('/') {
        return Err(shape());
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| shape())?),
        _ => (place, 443),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = (host, port).to_socket_addrs().map_err(|error| format!("{server}: {error}"))?;
    let at = found.into_iter().next().ok_or_else(|| format!("{server} has no address"))?;
    let name = cluster.tls_server_name.clone().unwrap_or_else(|| host.to_owned());
    Ok(Way { at, name, identity: identity.clone() })
}

/// Reads what stands in the file itself, or in the file that it names.
fn pem(
    data: &Option<Secret<String>>,
    file: &Option<PathBuf>,
    beside: &Path,
) -> Result<Option<Secret<String>>, String> {
    match (data, file) {
        (Some(data), _) => {
            let bytes = STANDARD.decode(data.expose().trim());
            let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or("a certificate or key in it is no base64 of a PEM text")?;
            Ok(Some(Secret::new(text)))
        }
        (None, Some(file)) => {
            let path = beside.join(file);
            let text = fs::read_to_string(&path);
            text.map(|text| Some(Secret::new(text)))
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))
        }
        (None, None) => Ok(None),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
    contexts: Vec<NamedContext>,
    current_context: String,
}

impl Config {
    fn cluster(&self, name: &str) -> Result<&Cluster, String> {
        let found = self.clusters.iter().find(|it| it.name == name);
        found.map(|it| &it.cluster).ok_or_else(|| format!("it has no cluster {name:?}"))
    }
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<Secret<String>>,
    tls_server_name: Option<String>,
}

impl Cluster {
    fn is_trusted_like(&self, other: &Self) -> bool {
        self.certificate_authority == other.certificate_authority
            && self.certificate_authority_data == other.certificate_authority_data
    }
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<Secret<String>>,
    client_key: Option<PathBuf>,
    client_key_data: Option<Secret<String>>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
    user: String,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::read;

    const FILE: &str = "
apiVersion: v1
kind: Config
clusters:
- {name: cp1, cluster: {server: 'https://10.0.0.11:6443', certificate-authority-data: Q0E=}}
- {name: cp2, cluster: {server: 'https://[fd00::12]', certificate-authority-data: Q0E=}}
- {name: other, cluster: {server: 'https://10.9.0.1:6443', certificate-authority-data: T1RIRVI=}}
users:
- {name: me, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
- {name: token, user: {token: abc}}
contexts:
- {name: other, context: {cluster: other, user: me}}
- {name: cp2, context: {cluster: cp2, user: me}}
- {name: cp1, context: {cluster: cp1, user: me}}
- {name: token, context: {cluster: cp1, user: token}}
current-context: ";

    #[test]
    fn the_current_context_comes_first_and_other_clusters_never() {
        let ways = read(&format!("{FILE}cp1\n"), Path::new("")).unwrap();
        let places: Vec<String> = ways.iter().map(|way| way.at.to_string()).collect();
        assert_eq!(places, ["10.0.0.11:6443", "[fd00::12]:443"]);
        assert_eq!((ways[0].name.as_str(), ways[1].name.as_str()), ("10.0.0.11", "fd00::12"));
        assert_eq!(ways[0].identity.certificate_pem, "CERT");
        assert_eq!(ways[0].identity.key_pem.expose(), "KEY");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let check = |current: &str, part: &str| {
            let why = read(&format!("{FILE}{current}\n"), Path::new("")).err().unwrap();
            assert!(why.contains(part), "{why}");
        };
        check("gone", "none of its contexts");
        check("token", "no client-certificate");
    }
}
