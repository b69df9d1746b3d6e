//! How an API server writes objects to etcd: by the first provider for their resource.
//!
//! Never here: keys. They are dropped as they are read.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use ringfort_model::judgement::Gap;

use super::files::unseen;

/// What writes objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Provider {
    /// AES in GCM, with a key of the file.
    AesGcm,
    /// AES in CBC, with a key of the file.
    AesCbc,
    /// XSalsa20 and Poly1305, with a key of the file.
    Secretbox,
    /// A key service.
    Kms {
        /// Its name.
        name: String,
        /// The version of its interface: `v1` or `v2`.
        version: String,
    },
    /// Nothing: as plain text.
    Identity,
}

/// Providers by resource.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Encryption {
    /// Each resource as `(group, resource)`, either may be `*`, with its providers in their order.
    providers: BTreeMap<(String, String), Vec<Provider>>,
}

impl Encryption {
    /// Gives what writes objects of a resource; the core group is the empty text.
    pub fn writes(&self, group: &str, resource: &str) -> &Provider {
        [(group, resource), (group, "*"), ("*", "*")]
            .into_iter()
            .find_map(|(group, resource)| {
                self.providers.get(&(group.to_owned(), resource.to_owned()))
            })
            .and_then(|providers| providers.first())
            .unwrap_or(&Provider::Identity)
    }

    /// Reads an `EncryptionConfiguration`.
    ///
    /// # Errors
    /// It is not what an API server would have started with.
    pub fn read(path: &str, document: &Json) -> Result<Self, Gap> {
        let mut read = Self::default();
        let rules = array(path, document, "resources")?;
        for rule in rules {
            let providers: Vec<_> = array(path, rule, "providers")?
                .iter()
                .map(|provider| self::provider(path, provider))
                .collect::<Result<_, _>>()?;
            for name in array(path, rule, "resources")? {
                let name = name.as_str().ok_or_else(|| unseen(path, "names no resource"))?;
                read.add(path, name, &providers)?;
            }
        }
        Ok(read)
    }

    /// Adds a rule. One that an earlier rule hides is refused by the API server.
    fn add(&mut self, path: &str, name: &str, providers: &[Provider]) -> Result<(), Gap> {
        let (resource, group) = name.split_once('.').unwrap_or((name, ""));
        let every = |group: &str| (group.to_owned(), "*".to_owned());
        if self.providers.contains_key(&every(group)) || self.providers.contains_key(&every("*")) {
            return Err(unseen(path, &format!("hides its rule of {name:?}")));
        }
        let at = (group.to_owned(), resource.to_owned());
        self.providers.entry(at).or_default().extend_from_slice(providers);
        Ok(())
    }
}

fn array<'a>(path: &str, object: &'a Json, name: &str) -> Result<&'a Vec<Json>, Gap> {
    let found = object.get(name).and_then(Json::as_array).filter(|found| !found.is_empty());
    found.ok_or_else(|| unseen(path, &format!("has no {name} where they are needed")))
}

/// Reads a provider: an object with one field, which names it.
fn provider(path: &str, object: &Json) -> Result<Provider, Gap> {
    let unclear = || unseen(path, "has a provider that cannot be read");
    let fields = object.as_object().filter(|fields| fields.len() == 1).ok_or_else(unclear)?;
    let (name, inner) = fields.iter().next().ok_or_else(unclear)?;
    let inner = inner.as_object().ok_or_else(unclear)?;
    match name.as_str() {
        "aesgcm" => Ok(Provider::AesGcm),
        "aescbc" => Ok(Provider::AesCbc),
        "secretbox" => Ok(Provider::Secretbox),
        "identity" => Ok(Provider::Identity),
        "kms" => {
            let text = |field: &str| inner.get(field).and_then(Json::as_str).map(str::to_owned);
            // Without a version, v1 is meant (apis/apiserver/v1/defaults.go).
            let version = text("apiVersion").unwrap_or_else(|| "v1".to_owned());
            Ok(Provider::Kms { name: text("name").ok_or_else(unclear)?, version })
        }
        _ => Err(unclear()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Encryption, Provider};

    /// What writes secrets by these rules; `None` where that is a gap.
    fn secrets(rules: &serde_json::Value) -> Option<Provider> {
        let read = Encryption::read("/e", &json!({ "resources": rules })).ok()?;
        Some(read.writes("", "secrets").clone())
    }

    #[test]
    fn the_first_provider_of_a_resource_writes() {
        let check = |rules: serde_json::Value, expected: Option<Provider>| {
            assert_eq!(secrets(&rules), expected, "{rules}");
        };
        let strong = json!({"secretbox": {"keys": []}});
        let plain = json!({"identity": {}});
        let rule = |names: &[&str], providers: &[&serde_json::Value]| json!({"resources": names, "providers": providers});
        check(json!([rule(&["secrets"], &[&strong, &plain])]), Some(Provider::Secretbox));
        check(json!([rule(&["secrets"], &[&plain, &strong])]), Some(Provider::Identity));
        check(json!([rule(&["configmaps"], &[&strong])]), Some(Provider::Identity));
        // What is said of one resource twice is one list.
        check(
            json!([rule(&["secrets"], &[&plain]), rule(&["secrets"], &[&strong])]),
            Some(Provider::Identity),
        );
        // A resource by its name goes before those by `*`.
        check(
            json!([rule(&["secrets"], &[&plain]), rule(&["*.*"], &[&strong])]),
            Some(Provider::Identity),
        );
        check(json!([rule(&["*."], &[&strong])]), Some(Provider::Secretbox));
        check(json!([rule(&["*.apps"], &[&strong])]), Some(Provider::Identity));
        check(json!([rule(&["*.*"], &[&strong])]), Some(Provider::Secretbox));
        // Hidden rules are refused.
        check(json!([rule(&["*.*"], &[&plain]), rule(&["secrets"], &[&strong])]), None);
        check(json!([rule(&["secrets"], &[&json!({"identity": null})])]), None);
        check(json!([rule(&["secrets"], &[&json!({"newer": {}})])]), None);
        check(json!([rule(&["secrets"], &[])]), None);
        check(json!([]), None);
    }
}
