//! Who may ask an API server without saying who he is.
//!
//! Never here: whether that is good.

use serde::Deserialize;
use serde_json::Value as Json;

use ringfort_model::judgement::Gap;

use super::files::unseen;

/// How requests without a name are taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Anonymous {
    /// They are refused.
    Off,
    /// They are taken for these paths only.
    Only(Vec<String>),
    /// They are taken wherever authorisers let them.
    Everywhere,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Section {
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Whole {
    #[serde(rename = "apiVersion")]
    _api_version: Json,
    #[serde(rename = "kind")]
    _kind: Json,
    #[serde(rename = "jwt", default)]
    _jwt: Json,
    anonymous: Option<Section>,
}

/// Reads the anonymous section of an `AuthenticationConfiguration`; `None` where it has none, and the
/// flag holds.
///
/// # Errors
/// It is not what an API server would have started with.
pub fn anonymous(path: &str, document: Json) -> Result<Option<Anonymous>, Gap> {
    let whole: Whole = serde_json::from_value(document)
        .map_err(|error| unseen(path, &format!("cannot be read: {error}")))?;
    let Some(section) = whole.anonymous else { return Ok(None) };
    match (section.enabled, section.conditions.is_empty()) {
        (false, true) => Ok(Some(Anonymous::Off)),
        (false, false) => Err(unseen(path, "has conditions for what is switched off")),
        (true, true) => Ok(Some(Anonymous::Everywhere)),
        (true, false) => {
            let paths = section.conditions.into_iter().map(|condition| condition.path);
            Ok(Some(Anonymous::Only(paths.collect())))
        }
    }
}
