//! The door to a Kubernetes API: look at objects and apply them, as one named identity.
//!
//! Performs, never decides. The only room that names kube-rs; what goes in and out is JSON and the
//! nouns of `model`.

mod compare;
mod error;
mod page;
mod request;
mod rewrite;
mod watch;
mod whole;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, EvictParams, ListParams, LogParams, Patch, PatchParams,
    PostParams,
};
use kube::config::AuthInfo;
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use ringfort_model::api_object::ObjectKey;
use ringfort_model::secret::Secret;

use error::{fault, present, shape};

pub use error::ApiError;
pub use page::Part;
pub use request::{Method, Request, Target};
pub use rewrite::StoredKind;
pub use watch::{Heard, Watched};
pub use whole::Extent;

/// The name under which ringfort owns fields (server-side apply).
pub const FIELD_MANAGER: &str = "ringfort";

/// Requests of one conversation at a time, and so its connections: with a name, and without. More would
/// wait for a channel of the tunnel that they go through, while connections that rest hold all of them.
const CONNECTIONS: usize = 3;
const UNNAMED_CONNECTIONS: usize = 2;

/// How often an object is written anew because somebody wrote to it meanwhile.
const MEETINGS: usize = 5;

/// How long an answer may be awaited.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection with watches may be silent: longer than a watch itself takes for its end.
const SILENCE: Duration = Duration::from_secs(150);

/// Who speaks, and whom it trusts.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Certificate of the authority that signed the server's, in PEM.
    pub authority_pem: String,
    /// The speaker's certificate, in PEM.
    pub certificate_pem: String,
    /// The speaker's private key, in PEM.
    pub key_pem: Secret<String>,
}

/// What was found of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Looked {
    /// It is not there.
    Absent,
    /// Applying it would change nothing.
    Same,
    /// Applying it would change these fields.
    Differs(Vec<String>),
}

/// A conversation with one API server.
pub struct Cluster {
    client: Client,
    kinds: Mutex<BTreeMap<(String, String), (ApiResource, Scope)>>,
    turns: Semaphore,
}

impl Cluster {
    /// Prepares a conversation; nothing is sent yet.
    ///
    /// `server_name` is the name the server's certificate must carry.
    ///
    /// # Errors
    /// The identity's PEM texts are none.
    pub fn open(at: SocketAddr, server_name: &str, identity: &Identity) -> Result<Self, ApiError> {
        let auth_info = auth_info(identity);
        Self::open_with(at, server_name, &identity.authority_pem, auth_info, CONNECTIONS, ANSWER)
    }

    /// Prepares a conversation in which the server may be silent for as long as nothing changes.
    ///
    /// # Errors
    /// The identity's PEM texts are none.
    pub fn open_watching(
        at: SocketAddr,
        server_name: &str,
        identity: &Identity,
    ) -> Result<Self, ApiError> {
        let auth_info = auth_info(identity);
        Self::open_with(at, server_name, &identity.authority_pem, auth_info, CONNECTIONS, SILENCE)
    }

    /// Prepares a conversation in which no name is said.
    ///
    /// # Errors
    /// The authority's PEM text is none.
    pub fn open_unnamed(
        at: SocketAddr,
        server_name: &str,
        authority_pem: &str,
    ) -> Result<Self, ApiError> {
        let nobody = AuthInfo::default();
        Self::open_with(at, server_name, authority_pem, nobody, UNNAMED_CONNECTIONS, ANSWER)
    }

    fn open_with(
        at: SocketAddr,
        server_name: &str,
        authority_pem: &str,
        auth_info: AuthInfo,
        connections: usize,
        silence: Duration,
    ) -> Result<Self, ApiError> {
        let uri = format!("https://{at}").parse().map_err(|e: http::uri::InvalidUri| shape(&e))?;
        let authority = pem_blocks(authority_pem)?;
        let mut config = Config::new(uri);
        config.root_cert = Some(authority);
        config.tls_server_name = Some(server_name.to_owned());
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(silence);
        config.write_timeout = Some(Duration::from_secs(30));
        config.default_retry = false;
        config.auth_info = auth_info;
        let client = Client::try_from(config).map_err(fault)?;
        Ok(Self { client, kinds: Mutex::default(), turns: Semaphore::new(connections) })
    }

    /// Says what applying an object would change, by a dry run on the server.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn look(&self, object: &Value, extent: Extent) -> Result<Looked, ApiError> {
        let _turn = self.turn().await;
        let mut turns = 0..MEETINGS;
        loop {
            match self.look_once(object, extent).await {
                Err(error) if error.status() == Some(409) && turns.next().is_some() => {}
                result => return result,
            }
        }
    }

    async fn look_once(&self, object: &Value, extent: Extent) -> Result<Looked, ApiError> {
        let found = async {
            let (api, name) = self.api_of(object).await?;
            let live = api.get(&name).await.map_err(fault)?;
            Ok((api, name, live))
        };
        let Some((api, name, live)) = present(found.await)? else {
            return Ok(Looked::Absent);
        };
        let tried = api.patch(&name, &params().dry_run(), &Patch::Apply(object)).await;
        let (live, tried) = (value(&live)?, value(&tried.map_err(fault)?)?);
        let mut differs = compare::changed(&live, &tried);
        if let Some(only) = extent.only(object, &live, &tried) {
            let replaced = replace(&api, &name, &only, true).await?;
            differs.extend(compare::changed(&tried, &replaced));
            differs.sort();
            differs.dedup();
        }
        Ok(if differs.is_empty() { Looked::Same } else { Looked::Differs(differs) })
    }

    /// Applies an object (server-side apply): ringfort owns the fields that it names. What others added to a
    /// whole one is taken away.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn apply(&self, object: &Value, extent: Extent) -> Result<Value, ApiError> {
        let _turn = self.turn().await;
        let (api, name) = self.api_of(object).await?;
        let mut turns = 0..MEETINGS;
        loop {
            let applied =
                api.patch(&name, &params(), &Patch::Apply(object)).await.map_err(fault)?;
            let applied = value(&applied)?;
            let Some(only) = extent.only(object, &applied, &applied) else { return Ok(applied) };
            match replace(&api, &name, &only, false).await {
                // A controller wrote its status in between.
                Err(error) if error.status() == Some(409) && turns.next().is_some() => {}
                result => return result,
            }
        }
    }

    /// Applies an object only if it is there already; says whether it was.
    ///
    /// # Errors
    /// The server did not answer or refused, or the object went away meanwhile.
    pub async fn apply_if_there(&self, object: &Value) -> Result<bool, ApiError> {
        let _turn = self.turn().await;
        let (api, name) = self.api_of(object).await?;
        let live = present(api.get(&name).await.map_err(fault))?;
        let Some(live) = live else { return Ok(false) };
        let mut object = object.clone();
        // With its uid, applying never creates another one.
        object["metadata"]["uid"] = live.metadata.uid.clone().into();
        api.patch(&name, &params(), &Patch::Apply(&object)).await.map_err(fault)?;
        Ok(true)
    }

    /// Keeps pods from being placed on a node.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn cordon(&self, node: &str) -> Result<(), ApiError> {
        let _turn = self.turn().await;
        let nodes: Api<Node> = Api::all(self.client.clone());
        nodes.cordon(node).await.map(|_| ()).map_err(fault)
    }

    /// Lists the pods that are placed on a node.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn pods_on(&self, node: &str) -> Result<Vec<Value>, ApiError> {
        let _turn = self.turn().await;
        let api = self.api("v1", "Pod", None).await?;
        let placed = ListParams::default().fields(&format!("spec.nodeName={node}"));
        api.list(&placed).await.map_err(fault)?.items.iter().map(value).collect()
    }

    /// Asks a pod to leave, as far as disruption budgets allow; one that is gone is no error.
    ///
    /// # Errors
    /// The server did not answer or refused: with 429, a budget does not allow it now.
    pub async fn evict(&self, namespace: &str, pod: &str) -> Result<(), ApiError> {
        let _turn = self.turn().await;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let evicted = pods.evict(pod, &EvictParams::default()).await.map_err(fault);
        present(evicted).map(|_| ())
    }

    /// Creates an object that must not be there yet.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn create(&self, object: &Value) -> Result<Value, ApiError> {
        self.send(&Request {
            method: Method::Create,
            target: Target::KindOf(object),
            body: Some(object),
            dry_run: false,
            user: None,
        })
        .await
    }

    /// Sends a request, in the name of another user if need be.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn send(&self, request: &Request<'_>) -> Result<Value, ApiError> {
        let _turn = self.turn().await;
        let path = self.path(request).await?;
        let sent = request.write(&path)?;
        self.client.request(sent).await.map_err(fault)
    }

    /// Gives the HTTP status with which a path is answered, to whoever shows a token.
    ///
    /// # Errors
    /// The server did not answer.
    pub async fn status(
        &self,
        path: &str,
        token: Option<&Secret<String>>,
    ) -> Result<u16, ApiError> {
        let _turn = self.turn().await;
        let mut request = http::Request::get(path);
        if let Some(token) = token {
            let shown = format!("Bearer {}", token.expose());
            let mut shown = http::HeaderValue::from_str(&shown).map_err(|e| shape(&e))?;
            shown.set_sensitive(true);
            request = request.header(http::header::AUTHORIZATION, shown);
        }
        let request = request.body(Vec::new()).map_err(|e| shape(&e))?;
        match self.client.request_text(request).await.map_err(fault) {
            Ok(_) => Ok(200),
            Err(ApiError::Refused { status, .. }) => Ok(status),
            Err(other) => Err(other),
        }
    }

    /// Finds the path of what a request is about.
    async fn path(&self, request: &Request<'_>) -> Result<String, ApiError> {
        let text = |object: &Value, at: &str| {
            object.pointer(at).and_then(Value::as_str).map(str::to_owned)
        };
        Ok(match request.target {
            Target::Path(path) => path.to_owned(),
            Target::Object(key) => {
                let home = home(key.namespace.as_deref());
                let api = self.api(&key.api_version, &key.kind, home).await?;
                format!("{}/{}", api.resource_url(), key.name)
            }
            Target::Kind { api_version, kind, namespace } => {
                self.api(api_version, kind, namespace).await?.resource_url().to_owned()
            }
            Target::KindOf(object) => {
                let of = (text(object, "/apiVersion"), text(object, "/kind"));
                let (Some(api_version), Some(kind)) = of else {
                    return Err(ApiError::Shape { why: "apiVersion or kind is missing".into() });
                };
                let namespace = text(object, "/metadata/namespace");
                let api = self.api(&api_version, &kind, home(namespace.as_deref())).await?;
                api.resource_url().to_owned()
            }
        })
    }

    /// Reads an object; `None` if it is not there, or nothing of its kind is.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn get(&self, key: &ObjectKey) -> Result<Option<Value>, ApiError> {
        let _turn = self.turn().await;
        let read = async {
            let home = home(key.namespace.as_deref());
            let api = self.api(&key.api_version, &key.kind, home).await?;
            value(&api.get(&key.name).await.map_err(fault)?)
        };
        present(read.await)
    }

    /// Lists the objects of a kind, in one namespace or in all.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Vec<Value>, ApiError> {
        let _turn = self.turn().await;
        let api = self.api(api_version, kind, namespace).await?;
        let wanted =
            ListParams { label_selector: labels.map(str::to_owned), ..ListParams::default() };
        api.list(&wanted).await.map_err(fault)?.items.iter().map(value).collect()
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn delete(&self, key: &ObjectKey) -> Result<(), ApiError> {
        let _turn = self.turn().await;
        let deletion = async {
            let home = home(key.namespace.as_deref());
            let api = self.api(&key.api_version, &key.kind, home).await?;
            api.delete(&key.name, &DeleteParams::background()).await.map_err(fault)
        };
        present(deletion.await).map(|_| ())
    }

    /// Reads what a pod's first container has written.
    ///
    /// # Errors
    /// The server did not answer or refused.
    pub async fn logs(&self, namespace: &str, pod: &str) -> Result<String, ApiError> {
        let _turn = self.turn().await;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.logs(pod, &LogParams::default()).await.map_err(fault)
    }

    /// Reads a path that is no object, such as `/readyz`.
    ///
    /// # Errors
    /// The server did not answer, or not with success.
    pub async fn text(&self, path: &str) -> Result<String, ApiError> {
        let _turn = self.turn().await;
        let request = http::Request::get(path).body(Vec::new()).map_err(|e| shape(&e))?;
        self.client.request_text(request).await.map_err(fault)
    }

    /// Reads a path as [`Self::text`] does, in the name of another user.
    ///
    /// # Errors
    /// The server did not answer, or not with success.
    pub async fn text_as(
        &self,
        user: &(String, Vec<String>),
        path: &str,
    ) -> Result<String, ApiError> {
        let _turn = self.turn().await;
        let (method, target) = (Method::Get, Target::Path(path));
        let request = Request { method, target, body: None, dry_run: false, user: Some(user) };
        self.client.request_text(request.write(path)?).await.map_err(fault)
    }

    /// Waits until the conversation has room for a request and its whole answer.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    async fn api_of(&self, object: &Value) -> Result<(Api<DynamicObject>, String), ApiError> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str);
        let (Some(api_version), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            return Err(ApiError::Shape {
                why: "apiVersion, kind or metadata.name is missing".into(),
            });
        };
        let api = self.api(api_version, kind, home(text("/metadata/namespace"))).await?;
        Ok((api, name.to_owned()))
    }

    async fn api(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<Api<DynamicObject>, ApiError> {
        let (resource, scope) = self.kind(api_version, kind).await?;
        let client = self.client.clone();
        Ok(match (scope, namespace) {
            (Scope::Namespaced, Some(namespace)) => {
                Api::namespaced_with(client, namespace, &resource)
            }
            _ => Api::all_with(client, &resource),
        })
    }

    async fn kind(&self, api_version: &str, kind: &str) -> Result<(ApiResource, Scope), ApiError> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = self.kinds.lock().ok().and_then(|kinds| kinds.get(&key).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let wanted = GroupVersionKind::gvk(group, version, kind);
        let (resource, ApiCapabilities { scope, .. }) =
            pinned_kind(&self.client, &wanted).await.map_err(fault)?;
        if let Ok(mut kinds) = self.kinds.lock() {
            kinds.insert(key, (resource.clone(), scope.clone()));
        }
        Ok((resource, scope))
    }
}

/// Where an object lies that names no namespace, if its kind has one: as for `kubectl`.
fn home(namespace: Option<&str>) -> Option<&str> {
    namespace.or(Some("default"))
}

/// Writes an object as a whole, or only tries to.
async fn replace(
    api: &Api<DynamicObject>,
    name: &str,
    whole: &Value,
    dry_run: bool,
) -> Result<Value, ApiError> {
    let whole: DynamicObject = serde_json::from_value(whole.clone()).map_err(|e| shape(&e))?;
    let params = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
    value(&api.replace(name, &params, &whole).await.map_err(fault)?)
}

fn params() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

fn value(object: &DynamicObject) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(|e| shape(&e))
}

fn auth_info(identity: &Identity) -> AuthInfo {
    AuthInfo {
        client_certificate_data: Some(STANDARD.encode(&identity.certificate_pem)),
        client_key_data: Some(STANDARD.encode(identity.key_pem.expose()).into()),
        ..AuthInfo::default()
    }
}

fn pem_blocks(text: &str) -> Result<Vec<Vec<u8>>, ApiError> {
    let mut blocks = Vec::new();
    let mut body: Option<String> = None;
    for line in text.lines() {
        match (line.trim(), &mut body) {
            ("-----BEGIN CERTIFICATE-----", _) => body = Some(String::new()),
            ("-----END CERTIFICATE-----", Some(encoded)) => {
                blocks.push(STANDARD.decode(encoded.as_bytes()).map_err(|e| shape(&e))?);
                body = None;
            }
            (line, Some(encoded)) => encoded.push_str(line),
            _ => {}
        }
    }
    match blocks.is_empty() {
        true => {
            Err(ApiError::Shape { why: "the authority's PEM text holds no certificate".into() })
        }
        false => Ok(blocks),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::{Request, Response};
    use kube::client::Body;
    use ringfort_model::api_object::ObjectKey;
    use serde_json::json;

    use super::{ApiError, Client, Cluster, Extent, Looked, Mutex, Semaphore};

    const KINDS: &str = r#"{"kind": "APIResourceList", "groupVersion": "agent.dev/v1", "resources":
        [{"name": "knobs", "kind": "Knob", "singularName": "knob", "namespaced": true, "verbs": ["get"]}]}"#;
    const NO_STATUS: &str = "404 page not found\n";

    /// A server that serves a kind until its definition goes, and refuses Secrets.
    fn server(is_served: &Arc<AtomicBool>) -> Cluster {
        let is_served = is_served.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let (status, text) = match path.as_str() {
                "/apis/agent.dev/v1" if is_served.load(Ordering::Relaxed) => (200, KINDS),
                "/api/v1" => (403, r#"{"kind": "Status", "code": 403, "reason": "Forbidden"}"#),
                _ => (404, NO_STATUS),
            };
            let answer =
                Response::builder().status(status).body(Body::from(text.as_bytes().to_vec()));
            std::future::ready(Ok::<_, Infallible>(answer.expect("a status and a text")))
        });
        let client = Client::new(service, "default");
        Cluster { client, kinds: Mutex::default(), turns: Semaphore::new(1) }
    }

    fn key(api_version: &str, kind: &str) -> ObjectKey {
        let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
        ObjectKey {
            api_version,
            kind,
            namespace: Some("agent".to_owned()),
            name: "loud".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_object_whose_definition_went_is_not_there() {
        let is_served = Arc::new(AtomicBool::new(true));
        let server = server(&is_served);
        let knob = key("agent.dev/v1", "Knob");
        let object = json!({"apiVersion": "agent.dev/v1", "kind": "Knob",
                            "metadata": {"namespace": "agent", "name": "loud"}});
        // First its path is known from before, then the kind itself is asked for.
        for served in [true, false] {
            is_served.store(served, Ordering::Relaxed);
            server.kinds.lock().unwrap().clear();
            if served {
                server.kind("agent.dev/v1", "Knob").await.unwrap();
            }
            assert_eq!(server.get(&knob).await.unwrap(), None);
            server.delete(&knob).await.unwrap();
            assert!(matches!(server.look(&object, Extent::Named).await.unwrap(), Looked::Absent));
        }
    }

    #[tokio::test]
    async fn a_refusal_is_not_taken_for_absence() {
        let server = server(&Arc::new(AtomicBool::new(true)));
        let secret = key("v1", "Secret");
        for refused in [server.get(&secret).await.map(|_| ()), server.delete(&secret).await] {
            assert!(matches!(refused, Err(ApiError::Refused { status: 403, .. })), "{refused:?}");
        }
    }
}
