//! Has objects stored again as they are. Their contents never leave the server: only names travel.

use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::discovery::{ApiResource, Discovery, verbs};

use crate::error::fault;
use crate::{ApiError, Cluster};

/// A kind whose objects are stored and can be written again.
#[derive(Clone, Debug)]
pub struct StoredKind {
    resource: ApiResource,
}

impl StoredKind {
    /// Gives its name, such as `Secret`.
    pub fn name(&self) -> &str {
        &self.resource.kind
    }
}

/// How many names a server gives at a time.
const PAGE: u32 = 500;

impl Cluster {
    /// Lists the kinds whose objects can be listed and patched, each once in its best version.
    ///
    /// # Errors
    /// The server did not answer or refused, or an API that it passes on is not there.
    pub async fn stored_kinds(&self) -> Result<Vec<StoredKind>, ApiError> {
        let discovery = Discovery::new(self.client.clone()).run().await.map_err(fault)?;
        let all = discovery.groups().flat_map(|group| group.resources_by_stability());
        Ok(all
            .filter(|(_, able)| {
                able.supports_operation(verbs::LIST) && able.supports_operation(verbs::PATCH)
            })
            .map(|(resource, _)| StoredKind { resource })
            .collect())
    }

    /// Has every object of a kind written again, unchanged; gives how many there were. What somebody
    /// else writes or deletes meanwhile needs nothing more.
    ///
    /// # Errors
    /// The server did not answer, or refused an object.
    pub async fn write_again(&self, kind: &StoredKind) -> Result<u64, ApiError> {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind.resource);
        let (mut count, mut next) = (0, None);
        loop {
            let page = ListParams { limit: Some(PAGE), continue_token: next, ..Default::default() };
            let found = all.list_metadata(&page).await.map_err(fault)?;
            for object in &found.items {
                self.write_one_again(kind, object).await?;
                count += 1;
            }
            next = found.metadata.continue_.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(count);
            }
        }
    }

    async fn write_one_again(
        &self,
        kind: &StoredKind,
        object: &PartialObjectMeta<DynamicObject>,
    ) -> Result<(), ApiError> {
        let client = self.client.clone();
        let meta = &object.metadata;
        let api: Api<DynamicObject> = match &meta.namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &kind.resource),
            None => Api::all_with(client, &kind.resource),
        };
        let name = meta.name.as_deref().unwrap_or_default();
        // With both, nothing is made anew, and nothing that is newer is overwritten.
        let (uid, version) = (&meta.uid, &meta.resource_version);
        let same = serde_json::json!({ "metadata": { "uid": uid, "resourceVersion": version } });
        let written = api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&same)).await;
        match written.map_err(fault) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.status(), Some(404 | 409)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
