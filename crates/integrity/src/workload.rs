//! Which pod a process runs in, by the names that people know: what a runtime's own state says of a container, and the
//! account that the pod's token says it is of. Pure. Of a token nothing is kept but that account's name.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{Engine as _, decoded_len_estimate};
use ringfort_model::secret::Secret;
use serde::{Deserialize, Serialize};

/// No name that Kubernetes takes is longer. An image's may be.
const LONGEST_BYTES: usize = 512;

/// The pod that a process runs in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// It is called so.
    Named(Names),
    /// Nobody can say how it is called.
    Unknown(String),
}

/// How a pod is called.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name in the pod; the one that only holds the pod's namespaces has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The container's image, as it was asked for; left out where it is longer than any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The pod's service account.
    pub account: Account,
}

/// The service account of a pod.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    /// The namespace and the name that the pod's token says, with a colon between them.
    Named(String),
    /// The pod has no projected volume. It may have a token from elsewhere, such as a Secret.
    NoProjectedToken,
    /// Nobody can say.
    Unknown(String),
}

impl Workload {
    /// Says which pod it is. Names are the runtime's word, and forge no line.
    pub fn text(&self) -> String {
        match self {
            Self::Named(names) => format!("pod {}, {}", names.full_name(), names.inside()),
            Self::Unknown(why) => format!("names unknown ({})", plain(why)),
        }
    }
}

impl Names {
    /// Names the pod with its namespace.
    pub fn full_name(&self) -> String {
        format!("{}/{}", plain(&self.namespace), plain(&self.pod))
    }

    /// Names what is in the pod: its container, and whose token it has.
    pub fn inside(&self) -> String {
        let container = match &self.container {
            Some(name) => format!("container {}", plain(name)),
            None => "no container of its own".to_owned(),
        };
        let account = match &self.account {
            Account::Named(name) => format!("account {} by its token", plain(name)),
            Account::NoProjectedToken => "no projected token".to_owned(),
            Account::Unknown(why) => format!("account unknown ({})", plain(why)),
        };
        format!("{container}, {account}")
    }
}

fn plain(text: &str) -> String {
    text.escape_default().to_string()
}

/// A runtime, by the form in which it keeps what a container was made from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Runtime {
    /// containerd: annotations of `config.json`.
    Containerd,
    /// CRI-O: annotations of `config.json`.
    Crio,
    /// Docker below cri-dockerd: labels of `config.v2.json`.
    Docker,
}

/// What is read of a container's file. The rest, also what its environment holds, is passed over.
#[derive(Deserialize)]
struct Annotated<A> {
    annotations: A,
}

#[derive(Deserialize)]
struct OfContainerd {
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    namespace: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    pod: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-uid")]
    uid: Option<String>,
    #[serde(rename = "io.kubernetes.cri.container-name")]
    container: Option<String>,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    image: Option<String>,
}

/// What a kubelet says of a container, as CRI-O and Docker keep it.
#[derive(Deserialize)]
struct OfKubelet {
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Option<String>,
    #[serde(rename = "io.kubernetes.pod.uid")]
    uid: Option<String>,
    #[serde(rename = "io.kubernetes.container.name")]
    container: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    image: Option<String>,
}

#[derive(Deserialize)]
struct OfDocker {
    #[serde(rename = "Config")]
    config: DockerConfig,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "Labels")]
    labels: OfKubelet,
    #[serde(rename = "Image")]
    image: Option<String>,
}

/// What CRI-O and cri-dockerd call the container that only holds a pod's namespaces.
const HOLDER: &str = "POD";

impl Runtime {
    /// Reads what a file says; nothing, where it is none of this form.
    fn read(self, json: &[u8]) -> Option<OfContainerd> {
        match self {
            Self::Containerd => {
                let read: Annotated<OfContainerd> = serde_json::from_slice(json).ok()?;
                Some(read.annotations)
            }
            Self::Crio => {
                let read: Annotated<OfKubelet> = serde_json::from_slice(json).ok()?;
                Some(read.annotations.into())
            }
            Self::Docker => {
                let OfDocker { config } = serde_json::from_slice(json).ok()?;
                Some(OfContainerd { image: config.image, ..config.labels.into() })
            }
        }
    }
}

impl From<OfKubelet> for OfContainerd {
    fn from(of: OfKubelet) -> Self {
        let OfKubelet { namespace, pod, uid, container, image } = of;
        Self { namespace, pod, uid, container: container.filter(|name| name != HOLDER), image }
    }
}

/// Reads the names of a pod in the file that a runtime keeps of one of its containers. Its account is not in there.
///
/// # Errors
/// It says no names, or those of another pod than the one with this uid. What it holds is not repeated.
pub fn read_names(json: &[u8], uid: &str, runtime: Runtime) -> Result<Names, &'static str> {
    let unnamed = "it names no pod";
    let of = runtime.read(json).ok_or(unnamed)?;
    let is_long = |name: &String| name.len() > LONGEST_BYTES;
    let all = [&of.namespace, &of.pod, &of.uid, &of.container];
    if all.into_iter().flatten().any(is_long) {
        return Err("a name in it is longer than any of Kubernetes");
    }
    let said = |name: Option<String>| name.filter(|name| !name.is_empty());
    let (Some(namespace), Some(pod), Some(own)) = (said(of.namespace), said(of.pod), of.uid) else {
        return Err(unnamed);
    };
    if own != uid {
        return Err("it is of another pod than the control group says");
    }
    // Whoever makes a pod chooses its images: none of them may hide who the pod is.
    let image = said(of.image).filter(|image| !is_long(image));
    let container = said(of.container);
    let account = Account::Unknown("its token was not looked for".to_owned());
    Ok(Names { namespace, pod, container, image, account })
}

/// What is read of a token's claims.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Private,
}

#[derive(Deserialize)]
struct Private {
    namespace: String,
    serviceaccount: Named,
    pod: Bound,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Bound {
    uid: String,
}

/// Reads whose token this is, as `namespace:name`.
///
/// Its signature is not looked at, so it is the token's word and no proof. It is believed only where it says the pod's
/// own namespace and uid, so a made-up one names another account of the same namespace at most. Whoever decides what
/// lies in a projected volume as `token` can make one up: who makes the pod, who may change a ConfigMap or a Secret
/// that is projected under that name, and who may change an annotation or a label of the pod that is.
///
/// # Errors
/// It is no token of a service account, or another pod's. What it holds is not repeated.
pub fn read_account(token: &[u8], namespace: &str, uid: &str) -> Result<String, &'static str> {
    let strange = "it is no token of a service account";
    let parts: Vec<&[u8]> = token.trim_ascii().split(|&byte| byte == b'.').collect();
    let [_, claims, _] = parts[..] else { return Err(strange) };
    let mut room = vec![0_u8; decoded_len_estimate(claims.len())];
    let length = URL_SAFE_NO_PAD.decode_slice(claims, &mut room);
    // Also what was decoded before a fault is wiped.
    let room = Secret::new(room);
    let said = &room.expose()[..length.map_err(|_| strange)?];
    let claims: Claims = serde_json::from_slice(said).map_err(|_| strange)?;
    let Private { namespace: own, serviceaccount: Named { name }, pod } = claims.kubernetes;
    if claims.sub != format!("system:serviceaccount:{own}:{name}") || name.len() > LONGEST_BYTES {
        return Err(strange);
    }
    if own != namespace || pod.uid != uid {
        return Err("it says that it is another pod's");
    }
    Ok(format!("{own}:{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cgroup::Place;

    const UID: &str = "0f3c8a52-9d6e-4b1f-8c07-5a2b9e4d1c33";

    fn annotations(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut all = json!({
            "io.kubernetes.cri.sandbox-namespace": "shop",
            "io.kubernetes.cri.sandbox-name": "web-7",
            "io.kubernetes.cri.sandbox-uid": UID,
            "io.kubernetes.cri.container-name": "app",
            "io.kubernetes.cri.image-name": "registry.example/web:1",
            "of.a.pod": "else",
        });
        change(&mut all);
        let env = ["PASSWORD=a secret"];
        json!({ "process": { "env": env }, "annotations": all }).to_string().into_bytes()
    }

    fn of_containerd(json: &[u8]) -> Result<Names, &'static str> {
        read_names(json, UID, Runtime::Containerd)
    }

    fn token(claims: &Value) -> Vec<u8> {
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let head = part(json!({ "alg": "RS256", "kid": "k" }).to_string());
        format!("{head}.{}.{}\n", part(claims.to_string()), part("signed".to_owned())).into_bytes()
    }

    fn claims() -> Value {
        json!({
            "aud": ["https://kubernetes.default.svc"],
            "kubernetes.io": {
                "namespace": "shop", "node": { "name": "w1", "uid": "9" },
                "pod": { "name": "web-7", "uid": UID }, "serviceaccount": { "name": "web", "uid": "7" },
            },
            "sub": "system:serviceaccount:shop:web",
        })
    }

    #[test]
    fn a_pod_is_named_by_what_containerd_says_of_its_container() {
        let names = of_containerd(&annotations(|_| ())).unwrap();
        assert_eq!(names.image.as_deref(), Some("registry.example/web:1"));
        let text = |account| Workload::Named(Names { account, ..names.clone() }).text();
        let named = Account::Named("shop:web".to_owned());
        assert_eq!(text(named), "pod shop/web-7, container app, account shop:web by its token");
        let text_of_none = text(Account::NoProjectedToken);
        assert_eq!(text_of_none, "pod shop/web-7, container app, no projected token");
        let unknown = text(Account::Unknown("it is away".to_owned()));
        assert_eq!(unknown, "pod shop/web-7, container app, account unknown (it is away)");
        // What holds the namespaces of a pod is no container of its specification.
        let of_the_sandbox =
            annotations(|all| all["io.kubernetes.cri.container-name"] = Value::Null);
        assert_eq!(of_containerd(&of_the_sandbox).unwrap().container, None);
    }

    #[test]
    fn what_says_no_names_or_anothers_names_nobody() {
        let check = |json: &[u8], expected: &str| {
            let why = of_containerd(json).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        for text in ["", "{", "[]", "7", "{}", r#"{"annotations":null}"#, r#"{"annotations":"a"}"#]
        {
            check(text.as_bytes(), "names no pod");
        }
        check(&[b'['; 100_000], "names no pod");
        check(b"\xff\xfe", "names no pod");
        for name in ["namespace", "name", "uid"] {
            let key = format!("io.kubernetes.cri.sandbox-{name}");
            check(&annotations(|all| all[&key] = Value::Null), "names no pod");
            check(&annotations(|all| all[&key] = json!({ "a": 1 })), "names no pod");
            check(&annotations(|all| all[&key] = json!("x".repeat(513))), "longer");
        }
        let other = |all: &mut Value| all["io.kubernetes.cri.sandbox-uid"] = json!("another");
        check(&annotations(other), "another pod");
    }

    /// What a kubelet says of a container, as CRI-O and Docker keep it.
    fn of_kubelet(container: &str) -> Value {
        json!({
            "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.pod.name": "web-7",
            "io.kubernetes.pod.uid": UID,
            "io.kubernetes.container.name": container,
            "io.kubernetes.cri-o.ImageName": "registry.example/web:1",
        })
    }

    #[test]
    fn other_runtimes_name_a_pod_in_their_own_form() {
        let expected = of_containerd(&annotations(|_| ())).unwrap();
        let crio = |container: &str| {
            let env = ["PASSWORD=a secret"];
            json!({ "process": { "env": env }, "annotations": of_kubelet(container) }).to_string()
        };
        let docker = |container: &str| {
            let config = json!({
                "Env": ["PASSWORD=a secret"], "Image": "registry.example/web:1",
                "Labels": of_kubelet(container),
            });
            json!({ "ID": "ab", "Config": config }).to_string()
        };
        let read = |json: &str, runtime| read_names(json.as_bytes(), UID, runtime);
        assert_eq!(read(&crio("app"), Runtime::Crio).unwrap(), expected);
        assert_eq!(read(&docker("app"), Runtime::Docker).unwrap(), expected);
        assert_eq!(read(&crio("POD"), Runtime::Crio).unwrap().container, None);
        assert_eq!(read(&docker("POD"), Runtime::Docker).unwrap().container, None);
        // A file of one runtime says nothing in the form of another.
        for (json, runtime) in [
            (crio("app"), Runtime::Containerd),
            (crio("app"), Runtime::Docker),
            (docker("app"), Runtime::Crio),
            ("{\"Config\":{\"Labels\":null}}".to_owned(), Runtime::Docker),
        ] {
            assert_eq!(read(&json, runtime), Err("it names no pod"), "{runtime:?}");
        }
        let other = read_names(crio("app").as_bytes(), "another", Runtime::Crio);
        assert!(other.unwrap_err().contains("another pod"));
    }

    #[test]
    fn a_long_image_hides_no_names() {
        let read = |bytes: usize| {
            let image = json!("x".repeat(bytes));
            let json = annotations(|all| all["io.kubernetes.cri.image-name"] = image);
            of_containerd(&json).unwrap()
        };
        let (whole, without) = (read(LONGEST_BYTES), read(LONGEST_BYTES + 1));
        assert_eq!(whole.image.as_ref().map(String::len), Some(LONGEST_BYTES));
        assert_eq!(without, Names { image: None, ..whole });
        assert_eq!(without.full_name(), "shop/web-7");
    }

    #[test]
    fn no_name_makes_a_line_of_its_own() {
        let evil = "a\nw1 explained\u{1b}[2K\u{202e}";
        let json = annotations(|all| {
            for key in ["sandbox-namespace", "sandbox-name", "container-name"] {
                all[format!("io.kubernetes.cri.{key}")] = json!(evil);
            }
        });
        let names = of_containerd(&json).unwrap();
        let named = Names { account: Account::Named(evil.to_owned()), ..names.clone() };
        let unsure = Names { account: Account::Unknown(evil.to_owned()), ..names };
        for it in
            [Workload::Named(named), Workload::Named(unsure), Workload::Unknown(evil.to_owned())]
        {
            let text = it.text();
            assert!(text.chars().all(|letter| (' '..='~').contains(&letter)), "{text:?}");
        }
    }

    #[test]
    fn an_account_is_named_by_the_pods_own_token_alone() {
        let account = |token: &[u8]| read_account(token, "shop", UID);
        assert_eq!(account(&token(&claims())).unwrap(), "shop:web");
        let check = |change: &dyn Fn(&mut Value), expected: &str| {
            let mut all = claims();
            change(&mut all);
            let why = account(&token(&all)).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(&|all| all["kubernetes.io"]["pod"]["uid"] = json!("another"), "another pod");
        let elsewhere = |all: &mut Value| {
            all["kubernetes.io"]["namespace"] = json!("kube-system");
            all["sub"] = json!("system:serviceaccount:kube-system:web");
        };
        check(&elsewhere, "another pod");
        check(&|all| all["sub"] = json!("system:serviceaccount:shop:admin"), "no token");
        check(&|all| all["sub"] = json!("system:admin"), "no token");
        check(&|all| all["kubernetes.io"]["pod"] = Value::Null, "no token");
        check(&|all| all["kubernetes.io"] = json!([1]), "no token");
        let mut cut = token(&claims());
        cut.truncate(60);
        let others: [&[u8]; 7] =
            [&cut, b"", b"..", b"a.b.c", b"a.e30.c", b"a.b.c.d", b"\xff.\xff.\xff"];
        for text in others {
            assert!(account(text).unwrap_err().contains("no token"), "{text:?}");
        }
    }

    /// What older journals hold, which name nobody, is read as well.
    #[test]
    fn names_are_read_as_they_were_written_and_need_not_be_there() {
        let names = of_containerd(&annotations(|_| ())).unwrap();
        for account in [
            Account::Named("shop:web".to_owned()),
            Account::NoProjectedToken,
            Account::Unknown("x".to_owned()),
        ] {
            let workload = Workload::Named(Names { account, ..names.clone() });
            let place = Place { workload: Some(Box::new(workload)), ..Place::default() };
            let text = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Place>(&text).unwrap(), place, "{text}");
        }
        let older: Place = serde_json::from_str(r#"{"pod":"u","container":"c"}"#).unwrap();
        assert_eq!((older.pod.as_deref(), older.workload), (Some("u"), None));
    }
}
