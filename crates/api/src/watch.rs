//! Hearing of every object of a kind, from a list on and for ever.
//!
//! kube-rs has a room for this as well; it brings twenty packages for what is a list, a watch, and
//! another list where the server has forgotten where the watch was.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::fault;
use crate::{ApiError, Cluster, value};

/// A kind of objects that is watched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watched {
    /// Its group, empty for Kubernetes' first one.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Its name in addresses.
    pub plural: &'static str,
}

/// What is heard of a kind.
#[derive(Debug)]
pub enum Heard {
    /// All objects follow, and what does not is no more.
    Begin,
    /// An object as it is now.
    Object(Value),
    /// All objects have been told.
    Complete,
    /// An object that is gone, as it was.
    Gone(Value),
    /// The server is heard from here on: what was missed meanwhile comes first.
    Listening,
    /// The server cannot be heard; it is tried again.
    Trouble(ApiError),
}

/// Objects of one answer to a list.
const PAGE: u32 = 500;
/// How long the server keeps a watch open, in seconds.
const WATCH_S: u32 = 290;
/// How long a watch may say nothing: the server sends a mark each minute, also where nothing changes.
const QUIET: Duration = Duration::from_secs(90);
/// The first pause after trouble; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Tells of all objects of a kind, and then of each change, for as long as the server knows the kind.
    pub async fn watch(&self, what: Watched, tell: impl FnMut(Heard)) {
        self.listen(what, QUIET, tell).await;
    }

    /// Does so, and gives up a server that says nothing for too long, also one that never begins to answer.
    async fn listen(&self, what: Watched, quiet: Duration, mut tell: impl FnMut(Heard)) {
        let of = GroupVersionKind::gvk(what.group, what.version, what.kind);
        let resource = ApiResource::from_gvk_with_plural(&of, what.plural);
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let mut at: Option<String> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let step = match &at {
                None => list(&api, quiet, &mut tell).await.map(Some),
                Some(version) => watch(&api, version, quiet, &mut tell).await,
            };
            match step {
                Ok(next) => {
                    at = next;
                    pause = FIRST_PAUSE;
                }
                // Only a list says that there is no such kind: a watch that is lost begins with one.
                Err(error) if error.status() == Some(404) && at.take().is_none() => {
                    tell(Heard::Trouble(error));
                    return;
                }
                Err(error) => {
                    tell(Heard::Trouble(error));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }
}

/// Lists all objects, a page at a time, and gives the version that the list is of.
async fn list(
    api: &Api<DynamicObject>,
    quiet: Duration,
    tell: &mut impl FnMut(Heard),
) -> Result<String, ApiError> {
    let mut page = ListParams::default().limit(PAGE);
    let mut begun = false;
    loop {
        let listed = answered(quiet, api.list(&page)).await?;
        if !begun {
            tell(Heard::Begin);
            begun = true;
        }
        for object in &listed.items {
            tell(Heard::Object(value(object)?));
        }
        match listed.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => page = page.continue_token(&more),
            None => {
                tell(Heard::Complete);
                return Ok(listed.metadata.resource_version.unwrap_or_default());
            }
        }
    }
}

/// Watches until the server ends it, and gives the version to go on from; none where it has forgotten
/// this one, so that all has to be listed again.
async fn watch(
    api: &Api<DynamicObject>,
    version: &str,
    quiet: Duration,
    tell: &mut impl FnMut(Heard),
) -> Result<Option<String>, ApiError> {
    let wanted = WatchParams::default().timeout(WATCH_S);
    let events = match answered(quiet, api.watch(&wanted, version)).await {
        Err(ApiError::Refused { status: 410, .. }) => return Ok(None),
        other => other?,
    };
    tell(Heard::Listening);
    follow(events, version, quiet, tell).await
}

/// Waits for a server that may never begin to answer.
async fn answered<T>(
    quiet: Duration,
    asked: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match timeout(quiet, asked).await {
        Ok(answer) => answer.map_err(fault),
        Err(_) => Err(ApiError::Unreachable {
            why: format!("a request was not answered for {} s", quiet.as_secs()),
        }),
    }
}

/// Tells of events until they end, or nothing is heard for too long: a connection may be dead without an end.
async fn follow(
    events: impl Stream<Item = kube::Result<WatchEvent<DynamicObject>>>,
    version: &str,
    quiet: Duration,
    tell: &mut impl FnMut(Heard),
) -> Result<Option<String>, ApiError> {
    let mut events = pin!(events);
    let mut version = version.to_owned();
    loop {
        let Ok(event) = timeout(quiet, events.next()).await else {
            let why = format!("a watch said nothing for {} s", quiet.as_secs());
            tell(Heard::Trouble(ApiError::Unreachable { why }));
            break;
        };
        match event {
            None => break,
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                version = object.metadata.resource_version.clone().unwrap_or(version);
                tell(Heard::Object(value(&object)?));
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                version = object.metadata.resource_version.clone().unwrap_or(version);
                tell(Heard::Gone(value(&object)?));
            }
            Some(Ok(WatchEvent::Bookmark(mark))) => version = mark.metadata.resource_version,
            // Whatever the server complains of, a new list puts it right.
            Some(Ok(WatchEvent::Error(status))) => {
                if status.code != 410 {
                    tell(Heard::Trouble(fault(kube::Error::Api(status))));
                }
                return Ok(None);
            }
            // The connection broke off: what came after this version is asked for again.
            Some(Err(error)) => {
                tell(Heard::Trouble(fault(error)));
                break;
            }
        }
    }
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use futures::{StreamExt as _, stream};
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::sync::Semaphore;

    use super::{Heard, Watched, follow};
    use crate::{Client, Cluster};

    const PODS: Watched = Watched { group: "", version: "v1", kind: "Pod", plural: "pods" };

    /// Hears from a server that gives these answers in turn, and at last knows the kind no more. Gives what
    /// was told, and the versions that the server was asked to go on from.
    async fn heard(answers: &[(u16, String)]) -> (Vec<String>, Vec<String>) {
        let answers = Arc::new(Mutex::new(answers.iter().cloned().collect::<VecDeque<_>>()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let version = query.split('&').find_map(|it| it.strip_prefix("resourceVersion="));
            log.lock().unwrap().extend(version.map(str::to_owned));
            let next = answers.lock().unwrap().pop_front();
            let (status, text) = next.unwrap_or_else(|| (404, status(404)));
            let answer = Response::builder().status(status).body(Body::from(text.into_bytes()));
            std::future::ready(Ok::<_, Infallible>(answer.unwrap()))
        });
        let client = Client::new(service, "default");
        let cluster = Cluster { client, kinds: Mutex::default(), turns: Semaphore::new(1) };
        let mut told = Vec::new();
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
        let tell = |heard: Heard| {
            told.push(match heard {
                Heard::Begin => "begin".to_owned(),
                Heard::Object(object) => name(&object),
                Heard::Complete => "complete".to_owned(),
                Heard::Gone(object) => format!("no {}", name(&object)),
                Heard::Listening => "listening".to_owned(),
                Heard::Trouble(error) => format!("{:?}", error.status()),
            });
        };
        cluster.watch(PODS, tell).await;
        let asked = asked.lock().unwrap().clone();
        (told, asked)
    }

    fn status(code: u16) -> String {
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code})
            .to_string()
    }

    fn object(name: &str, version: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "resourceVersion": version}})
    }

    fn page(version: &str, more: &str, names: &[&str]) -> (u16, String) {
        let items: Vec<Value> = names.iter().map(|name| object(name, version)).collect();
        let metadata = json!({"resourceVersion": version, "continue": more});
        let list =
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items});
        (200, list.to_string())
    }

    fn events(events: &[(&str, Value)]) -> (u16, String) {
        let line = |(kind, object): &(&str, Value)| {
            format!("{}\n", json!({"type": kind, "object": object}))
        };
        (200, events.iter().map(line).collect())
    }

    /// The end of everything that is told here: the watch is lost, and the list as well.
    const END: [&str; 2] = ["Some(404)", "Some(404)"];

    #[tokio::test]
    async fn what_was_missed_is_asked_for_from_where_hearing_broke_off() {
        let answers = [
            page("5", "", &["one"]),
            events(&[("ADDED", object("two", "6")), ("DELETED", object("one", "7"))]),
            events(&[("MODIFIED", object("two", "8")), ("BOOKMARK", object("", "9"))]),
        ];
        let (told, asked) = heard(&answers).await;
        let expected =
            ["begin", "one", "complete", "listening", "two", "no one", "listening", "two"];
        assert_eq!(told, [&expected[..], &END].concat());
        assert_eq!(asked, ["5", "7", "9"]);
    }

    #[tokio::test]
    async fn a_watch_that_says_nothing_is_given_up_and_goes_on_from_its_last_mark() {
        let mark = json!({"type": "BOOKMARK", "object": {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "9"},
        }});
        let mark = serde_json::from_value(mark).unwrap();
        let silent = stream::iter([Ok(mark)]).chain(stream::pending());
        let mut told = Vec::new();
        let mut tell = |heard| told.push(heard);
        let next = follow(silent, "5", Duration::from_millis(10), &mut tell).await;
        assert_eq!(next.unwrap().as_deref(), Some("9"));
        assert!(matches!(told[..], [Heard::Trouble(_)]), "{told:?}");
    }

    #[tokio::test]
    async fn a_request_that_is_never_answered_is_given_up_and_made_again() {
        // The first list hangs, and so does the first watch.
        let asked = Arc::new(Mutex::new(0));
        let count = asked.clone();
        let service = tower::service_fn(move |_: Request<Body>| {
            let mut asked = count.lock().unwrap();
            *asked += 1;
            let (hangs, (status, text)) = match *asked {
                1 | 3 => (true, (500, String::new())),
                2 => (false, page("5", "", &["one"])),
                _ => (false, (404, status(404))),
            };
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                let answer = Response::builder().status(status).body(Body::from(text.into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        let client = Client::new(service, "default");
        let cluster = Cluster { client, kinds: Mutex::default(), turns: Semaphore::new(1) };
        let (mut told, mut silences) = (0, 0);
        let tell = |heard: Heard| match heard {
            Heard::Trouble(error) => silences += usize::from(error.status().is_none()),
            _ => told += 1,
        };
        cluster.listen(PODS, Duration::from_millis(20), tell).await;
        // Begin, one and complete.
        assert_eq!((told, silences), (3, 2));
    }

    #[tokio::test]
    async fn where_the_server_has_forgotten_all_is_listed_again() {
        let expected = ["begin", "one", "complete"];
        let again = ["begin", "two", "complete"];
        let gone: Value = serde_json::from_str(&status(410)).unwrap();
        let lost = [(410, status(410)), events(&[("ERROR", gone)])];
        for (answer, between) in lost.into_iter().zip([&[][..], &["listening"]]) {
            let answers = [page("5", "", &["one"]), answer, page("9", "", &["two"])];
            let (told, asked) = heard(&answers).await;
            assert_eq!(told, [&expected[..], between, &again, &END].concat());
            assert_eq!(asked, ["5", "9"]);
        }
    }

    #[tokio::test]
    async fn a_list_that_breaks_off_is_never_complete_and_begins_anew() {
        let answers = [
            page("5", "more", &["one"]),
            (500, status(500)),
            page("6", "more", &["one"]),
            page("6", "", &["two"]),
        ];
        let (told, _) = heard(&answers).await;
        let expected = ["begin", "one", "Some(500)", "begin", "one", "two", "complete"];
        assert_eq!(told, [&expected[..], &END].concat());
    }
}
