//! Lists of any length, a page at a time: no more than one is held.

use kube::api::{Api, DynamicObject, ListParams};
use serde_json::Value;

use crate::error::fault;
use crate::{ApiError, Cluster, value};

/// How many objects are asked for at a time.
const PAGE: u32 = 500;

/// How much of each object is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its name, labels and the like: of secrets, nothing else is.
    Metadata,
}

impl Cluster {
    /// Gives all objects of a kind to a reader, in every namespace, a page at a time.
    ///
    /// # Errors
    /// The server did not answer or refused, also in the middle: then what was read is not all.
    pub async fn each_of(
        &self,
        api_version: &str,
        kind: &str,
        part: Part,
        mut read: impl FnMut(Value),
    ) -> Result<(), ApiError> {
        let api = self.api(api_version, kind, None).await?;
        let mut wanted = ListParams::default().limit(PAGE);
        loop {
            let _turn = self.turn().await;
            let (items, next) = page(&api, &wanted, part).await?;
            for mut item in items {
                // Lists say it once for all.
                item["apiVersion"] = api_version.into();
                item["kind"] = kind.into();
                read(item);
            }
            match next.filter(|next| !next.is_empty()) {
                Some(next) => wanted = ListParams::default().limit(PAGE).continue_token(&next),
                None => return Ok(()),
            }
        }
    }
}

async fn page(
    api: &Api<DynamicObject>,
    wanted: &ListParams,
    part: Part,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let shape = |error: serde_json::Error| ApiError::Shape { why: error.to_string() };
    match part {
        Part::Whole => {
            let page = api.list(wanted).await.map_err(fault)?;
            let items: Result<_, _> = page.items.iter().map(value).collect();
            Ok((items?, page.metadata.continue_))
        }
        Part::Metadata => {
            let page = api.list_metadata(wanted).await.map_err(fault)?;
            let items: Result<_, _> = page.items.iter().map(serde_json::to_value).collect();
            Ok((items.map_err(shape)?, page.metadata.continue_))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::Client;
    use kube::client::Body;
    use tokio::sync::Semaphore;

    use super::Part;
    use crate::{ApiError, Cluster};

    const KINDS: &str = r#"{"kind": "APIResourceList", "groupVersion": "v1", "resources":
        [{"name": "pods", "kind": "Pod", "singularName": "pod", "namespaced": true, "verbs": ["list"]}]}"#;

    /// A server with two pages, of which the second may be gone.
    fn server(second: u16) -> Cluster {
        let service = tower::service_fn(move |request: Request<Body>| {
            let uri = request.uri().to_string();
            let (status, text) = match () {
                () if !uri.contains("/pods") => (200, KINDS.to_owned()),
                () if uri.contains("continue=more") && second != 200 => (second, gone(second)),
                () if uri.contains("continue=more") => (200, list("b", "")),
                () => (200, list("a", "more")),
            };
            let answer = Response::builder().status(status).body(Body::from(text.into_bytes()));
            std::future::ready(Ok::<_, Infallible>(answer.expect("a status and a text")))
        });
        let client = Client::new(service, "default");
        Cluster { client, kinds: std::sync::Mutex::default(), turns: Semaphore::new(1) }
    }

    fn gone(code: u16) -> String {
        format!(
            r#"{{"kind": "Status", "apiVersion": "v1", "metadata": {{}}, "status": "Failure",
                "reason": "Expired", "message": "too old", "code": {code}}}"#
        )
    }

    fn list(name: &str, next: &str) -> String {
        format!(
            r#"{{"kind": "PodList", "apiVersion": "v1", "metadata": {{"continue": "{next}"}},
                "items": [{{"metadata": {{"name": "{name}"}}, "spec": {{}}}}]}}"#
        )
    }

    #[tokio::test]
    async fn every_page_is_read_and_half_a_list_is_none() {
        let mut names = Vec::new();
        let mut read = |it: serde_json::Value| {
            assert_eq!((it["kind"].as_str(), it["apiVersion"].as_str()), (Some("Pod"), Some("v1")));
            names.push(it["metadata"]["name"].as_str().map(str::to_owned));
        };
        server(200).each_of("v1", "Pod", Part::Whole, &mut read).await.unwrap();
        assert_eq!(names, [Some("a".to_owned()), Some("b".to_owned())]);
        let broken = server(410).each_of("v1", "Pod", Part::Whole, |_| ()).await;
        assert!(matches!(broken, Err(ApiError::Refused { status: 410, .. })), "{broken:?}");
    }
}
