//! Hearing of every object of a kind, from a list on and for ever.
//!
//! kube-rs has a room for this as well; it brings twenty packages for what is a list, a watch, and
//! another list where the server has forgotten where the watch was.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::Value;

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
/// The first pause after trouble; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Tells of all objects of a kind, and then of each change, for as long as the server knows the kind.
    pub async fn watch(&self, what: Watched, mut tell: impl FnMut(Heard)) {
        let of = GroupVersionKind::gvk(what.group, what.version, what.kind);
        let resource = ApiResource::from_gvk_with_plural(&of, what.plural);
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let mut at: Option<String> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let step = match &at {
                None => list(&api, &mut tell).await.map(Some),
                Some(version) => watch(&api, version, &mut tell).await,
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
async fn list(api: &Api<DynamicObject>, tell: &mut impl FnMut(Heard)) -> Result<String, ApiError> {
    let mut page = ListParams::default().limit(PAGE);
    let mut begun = false;
    loop {
        let listed = api.list(&page).await.map_err(fault)?;
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
    tell: &mut impl FnMut(Heard),
) -> Result<Option<String>, ApiError> {
    let wanted = WatchParams::default().timeout(WATCH_S);
    let events = match api.watch(&wanted, version).await.map_err(fault) {
        Err(ApiError::Refused { status: 410, .. }) => return Ok(None),
        other => other?,
    };
    tell(Heard::Listening);
    let mut events = pin!(events);
    let mut version = version.to_owned();
    while let Some(event) = events.next().await {
        match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                version = object.metadata.resource_version.clone().unwrap_or(version);
                tell(Heard::Object(value(&object)?));
            }
            Ok(WatchEvent::Deleted(object)) => {
                version = object.metadata.resource_version.clone().unwrap_or(version);
                tell(Heard::Gone(value(&object)?));
            }
            Ok(WatchEvent::Bookmark(mark)) => version = mark.metadata.resource_version,
            // Whatever the server complains of, a new list puts it right.
            Ok(WatchEvent::Error(status)) => {
                if status.code != 410 {
                    tell(Heard::Trouble(fault(kube::Error::Api(status))));
                }
                return Ok(None);
            }
            // The connection broke off: what came after this version is asked for again.
            Err(error) => {
                tell(Heard::Trouble(fault(error)));
                break;
            }
        }
    }
    Ok(Some(version))
}
