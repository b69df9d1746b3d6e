//! Tries tokens as credentials. What a token is never leaves this file: only what servers answer to it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs::default_provider;
use serde_json::{Value, json};

use ringfort_api::{Cluster, Method, Request, Target};
use ringfort_host::Host;
use ringfort_model::act::{Seen, TokenSeen, TokenWish};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;

use crate::drive::Site;
use crate::machine;
use crate::perform::refusal;

/// A path that every API server answers with 403 to whom it knows and lets do nothing, and with 401 to
/// whom it does not know.
const NOT_THEIRS: &str = "/api/v1/namespaces/kube-system/secrets";

/// The pauses before a token is shown that is bound to what is gone: a server keeps for ten seconds whom it knew.
const GONE_PAUSES: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(11), Duration::from_secs(11)];

/// Asks for a token of a service account, and shows it to every server.
pub(crate) async fn of_account(
    site: &Site,
    (server, host): (&Cluster, Option<&Host>),
    wish: &TokenWish,
) -> Result<Seen, String> {
    let mut spec = json!({"audiences": wish.audiences, "expirationSeconds": wish.seconds});
    let bound = match &wish.bound {
        Some(object) => Some(server.create(object).await.map_err(|e| e.to_string())?),
        None => None,
    };
    if let Some(made) = &bound {
        spec["boundObjectRef"] = json!({
            "apiVersion": made["apiVersion"], "kind": made["kind"],
            "name": made["metadata"]["name"], "uid": made["metadata"]["uid"],
        });
    }
    let path =
        format!("/api/v1/namespaces/{}/serviceaccounts/{}/token", wish.namespace, wish.account);
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec,
    });
    let request = Request {
        method: Method::Create,
        target: Target::Path(&path),
        body: Some(&body),
        dry_run: false,
        user: None,
    };
    let answer = match server.send(&request).await {
        Ok(answer) => answer,
        Err(error) => return Ok(refusal(error)),
    };
    let token = answer["status"]["token"].as_str().ok_or("the server gave no token")?;
    let mut token = Secret::new(token.to_owned());
    if let Some(seconds) = wish.aged_s {
        let host = host.ok_or("there is no way to the machine whose key signs")?;
        token = machine::aged(host, site.program, &token, seconds).await?;
    }
    if let Some(made) = &bound {
        server.delete(&ObjectKey::of(made)).await.map_err(|e| e.to_string())?;
    }
    let audiences = answer["spec"]["audiences"].as_array().into_iter().flatten();
    let status = match &bound {
        None => statuses(site, &token).await?,
        // Servers hear that an object is gone a moment later, and keep what they found for a while.
        Some(_) => {
            let mut found = BTreeMap::new();
            for pause in GONE_PAUSES {
                tokio::time::sleep(pause).await;
                found = statuses(site, &token).await?;
                if found.values().all(|status| *status == 401) {
                    break;
                }
            }
            found
        }
    };
    let seen = TokenSeen {
        audiences: audiences.filter_map(Value::as_str).map(str::to_owned).collect(),
        seconds: answer["spec"]["expirationSeconds"].as_u64().unwrap_or(u64::MAX),
        status,
    };
    Ok(Seen::Token(seen))
}

/// How long a bootstrap token would live that is left behind.
const BOOTSTRAP_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// A server that takes bootstrap tokens has heard of a new one by then.
const BOOTSTRAP_HEARD: Duration = Duration::from_secs(2);

/// Makes a bootstrap token as `kubeadm token create` does, shows it to every server, and takes it away.
pub(crate) async fn of_bootstrap(site: &Site, server: &Cluster) -> Result<Seen, String> {
    let (id, secret) = (letters(6)?, letters(16)?);
    let key = ObjectKey {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some("kube-system".to_owned()),
        name: format!("bootstrap-token-{}", id.expose()),
    };
    let mut object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {
            "name": key.name, "namespace": key.namespace, "labels": {"ringfort.dev/canary": "true"},
        },
        "stringData": {
            "token-id": id.expose(),
            "token-secret": secret.expose(),
            "usage-bootstrap-authentication": "true",
        },
    });
    let tried = match server.send(&dry_run(&object)).await {
        Ok(tried) => tried,
        Err(error) => return Ok(refusal(error)),
    };
    object["stringData"]["expiration"] = json!(end_of_life(&tried)?);
    if let Err(error) = server.create(&object).await {
        return Ok(refusal(error));
    }
    tokio::time::sleep(BOOTSTRAP_HEARD).await;
    let token = Secret::new(format!("{}.{}", id.expose(), secret.expose()));
    let status = statuses(site, &token).await;
    server.delete(&key).await.map_err(|e| e.to_string())?;
    let seconds = BOOTSTRAP_LIFE.as_secs().unsigned_abs();
    Ok(Seen::Token(TokenSeen { audiences: Vec::new(), seconds, status: status? }))
}

fn dry_run(secret: &Value) -> Request<'_> {
    let target = Target::Path("/api/v1/namespaces/kube-system/secrets");
    Request { method: Method::Create, target, body: Some(secret), dry_run: true, user: None }
}

/// When the token ends by the clock of who judges it: by a clock that is slow here it would be refused for
/// its age, and that would be taken for a server that knows no such tokens.
fn end_of_life(tried: &Value) -> Result<String, String> {
    let made = tried["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    let made: Timestamp = made.parse().map_err(|_| "the server did not say what time it is")?;
    Ok((made + BOOTSTRAP_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Shows a token to every server, where a name without rights is told from no name.
async fn statuses(site: &Site, token: &Secret<String>) -> Result<BTreeMap<NodeName, u16>, String> {
    let mut statuses = BTreeMap::new();
    for (node, stranger) in &site.strangers {
        let status = stranger.status(NOT_THEIRS, Some(token)).await;
        statuses.insert(node.clone(), status.map_err(|e| e.to_string())?);
    }
    Ok(statuses)
}

/// Draws lower-case letters that nobody can guess.
fn letters(count: usize) -> Result<Secret<String>, String> {
    let mut bytes = vec![0; count];
    let provider = default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| "the machine gives no randomness")?;
    // Sixteen letters, so that each is as likely as every other.
    let letters = bytes.iter().map(|byte| char::from(b'a' + byte % 16)).collect();
    Ok(Secret::new(letters))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{end_of_life, letters};

    #[test]
    fn a_bootstrap_token_lives_by_the_servers_clock() {
        let at = |time: &str| end_of_life(&json!({"metadata": {"creationTimestamp": time}}));
        assert_eq!(at("2001-02-03T04:55:06Z").unwrap(), "2001-02-03T05:00:06Z");
        assert!(at("").is_err() && end_of_life(&json!({})).is_err());
    }

    #[test]
    fn letters_are_as_many_as_asked_for_and_never_the_same() {
        let drawn = letters(16).unwrap();
        assert!(drawn.expose().bytes().all(|byte| byte.is_ascii_lowercase()));
        assert_eq!(drawn.expose().len(), 16);
        assert_ne!(drawn.expose(), letters(16).unwrap().expose());
    }
}
