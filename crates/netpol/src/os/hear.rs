//! Hears of the API: of what every cluster has, and of cluster-wide policies where they are served.

use std::time::Duration;

use ringfort_api::{ApiError, Cluster, Watched};
use ringfort_model::network_policy::WIDER_GROUP;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};

use super::state::{Kind, News};
use ringfort_policy::WiderKind;

/// Where news go.
pub(super) type Tell = UnboundedSender<(Kind, News)>;

/// How often it is asked whether a kind is served by now.
const UNSERVED: Duration = Duration::from_secs(30);
/// The pause before a question that failed, or that is to be sure, is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the server may take to say what it serves.
const ANSWER: Duration = Duration::from_secs(10);

/// Hears of a kind for ever.
pub(super) async fn hear(cluster: Cluster, kind: Kind, tell: Tell) {
    match kind {
        Kind::Namespaces => always(&cluster, kind, ["", "Namespace", "namespaces"], &tell).await,
        Kind::Pods => always(&cluster, kind, ["", "Pod", "pods"], &tell).await,
        Kind::Policies => {
            let policies = ["networking.k8s.io", "NetworkPolicy", "networkpolicies"];
            always(&cluster, kind, policies, &tell).await;
        }
        Kind::Wider(wider) => where_served(&cluster, wider, &tell).await,
    }
}

async fn always(cluster: &Cluster, of: Kind, names: [&'static str; 3], tell: &Tell) {
    let [group, kind, plural] = names;
    loop {
        watch(cluster, of, Watched { group, version: "v1", kind, plural }, tell).await;
        sleep(AGAIN).await;
    }
}

async fn where_served(cluster: &Cluster, wider: WiderKind, tell: &Tell) {
    let of = Kind::Wider(wider);
    // A server that begins, or ends, may not name what it has: who had objects is asked twice.
    let mut was_served = false;
    loop {
        let pause = match served(cluster, wider).await {
            Ok(Served::As(version)) => {
                let (kind, plural) = (wider.word(), wider.plural());
                was_served = true;
                watch(cluster, of, Watched { group: WIDER_GROUP, version, kind, plural }, tell)
                    .await;
                AGAIN
            }
            Ok(_) if std::mem::take(&mut was_served) => AGAIN,
            Ok(Served::Not) => {
                let _ = tell.send((of, News::Absent(None)));
                UNSERVED
            }
            Ok(Served::Unread(why)) => {
                let _ = tell.send((of, News::Absent(Some(why))));
                UNSERVED
            }
            Err(error) => {
                let _ = tell.send((of, News::Trouble(error.to_string())));
                AGAIN
            }
        };
        sleep(pause).await;
    }
}

async fn watch(cluster: &Cluster, kind: Kind, what: Watched, tell: &Tell) {
    let heard = |heard| {
        if let Some(news) = News::read(kind, &heard) {
            // Nobody hears it only when the process ends.
            let _ = tell.send((kind, news));
        }
    };
    cluster.watch(what, heard).await;
}

/// Whether a kind is served.
#[derive(Debug, Eq, PartialEq)]
enum Served {
    Not,
    As(&'static str),
    Unread(String),
}

async fn served(cluster: &Cluster, kind: WiderKind) -> Result<Served, ApiError> {
    let late = || ApiError::Unreachable { why: format!("no answer about {WIDER_GROUP}") };
    timeout(ANSWER, ask(cluster, kind)).await.unwrap_or_else(|_| Err(late()))
}

async fn ask(cluster: &Cluster, kind: WiderKind) -> Result<Served, ApiError> {
    let root = format!("/apis/{WIDER_GROUP}");
    let Some(group) = read(cluster, &root).await? else { return Ok(Served::Not) };
    let mut offered = Vec::new();
    for version in list(&group, "versions")? {
        let Some(version) = version["version"].as_str() else { continue };
        let Some(kinds) = read(cluster, &format!("{root}/{version}")).await? else { continue };
        if list(&kinds, "resources")?.iter().any(|it| it["name"] == kind.plural()) {
            offered.push(version.to_owned());
        }
    }
    Ok(choose(kind, &offered))
}

/// Chooses the version that a kind is read in.
fn choose(kind: WiderKind, offered: &[String]) -> Served {
    match (kind.best(offered), offered) {
        (Some(version), _) => Served::As(version),
        (None, []) => Served::Not,
        (None, offered) => Served::Unread(format!(
            "the API has {} in versions that are not read: {}",
            kind.plural(),
            offered.join(", ")
        )),
    }
}

async fn read(cluster: &Cluster, path: &str) -> Result<Option<Value>, ApiError> {
    match cluster.text(path).await {
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| odd(path)),
    }
}

/// An answer without its list says nothing.
fn list<'a>(answer: &'a Value, name: &str) -> Result<&'a Vec<Value>, ApiError> {
    answer[name].as_array().ok_or_else(|| odd(name))
}

fn odd(what: &str) -> ApiError {
    ApiError::Unreachable { why: format!("{WIDER_GROUP} is answered without {what}") }
}

#[cfg(test)]
mod tests {
    use super::{Served, choose};
    use ringfort_policy::WiderKind;

    #[test]
    fn the_best_version_that_is_read_is_chosen() {
        let check = |offered: &[&str], expected: &Served| {
            let offered: Vec<String> = offered.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(choose(WiderKind::Cluster, &offered), *expected);
        };
        check(&[], &Served::Not);
        check(&["v1alpha2"], &Served::As("v1alpha2"));
        check(&["v1alpha2", "v1beta1", "v1"], &Served::As("v1beta1"));
        let unread = "the API has clusternetworkpolicies in versions that are not read: v1";
        check(&["v1"], &Served::Unread(unread.to_owned()));
    }
}
