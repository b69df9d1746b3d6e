//! Fields of an audit event that rules name, and how expressions name them.

/// A field of an event, or of its object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Field {
    /// A field of the event: how expressions name it, and of what kind it is.
    Event(&'static str, Kind),
    /// A path in the object.
    Object(Vec<String>),
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A text that Kubernetes writes in small letters.
    Small,
    /// Any text.
    Text,
    /// A list of texts.
    Texts,
    /// A number.
    Number,
}

impl Field {
    pub(super) const VERB: Self = Self::Event("event.verb", Kind::Small);
    pub(super) const RESOURCE: Self = Self::Event("event.resource", Kind::Small);
    pub(super) const SUBRESOURCE: Self = Self::Event("event.subresource", Kind::Small);
    pub(super) const GROUP: Self = Self::Event("event.group", Kind::Small);
    pub(super) const NAMESPACE: Self = Self::Event("event.namespace", Kind::Small);
    pub(super) const NAME: Self = Self::Event("event.name", Kind::Small);
    pub(super) const USER: Self = Self::Event("event.user.username", Kind::Text);
    pub(super) const GROUPS: Self = Self::Event("event.user.groups", Kind::Texts);
    pub(super) const AGENT: Self = Self::Event("event.userAgent", Kind::Text);
    pub(super) const URI: Self = Self::Event("event.uri", Kind::Text);
    pub(super) const SOURCES: Self = Self::Event("event.sourceIPs", Kind::Texts);
    pub(super) const CODE: Self = Self::Event("event.code", Kind::Number);

    /// Finds the field that a rule names.
    pub(super) fn read(name: &str) -> Result<Self, String> {
        Ok(match name {
            "verb" => Self::VERB,
            "objectRef.resource" | "resource" => Self::RESOURCE,
            "objectRef.subresource" | "subresource" => Self::SUBRESOURCE,
            "objectRef.apiGroup" | "apiGroup" => Self::GROUP,
            "objectRef.namespace" | "namespace" => Self::NAMESPACE,
            "objectRef.name" => Self::NAME,
            "user.username" | "username" => Self::USER,
            "user.groups" | "groups" => Self::GROUPS,
            "userAgent" => Self::AGENT,
            "requestURI" => Self::URI,
            "sourceIPs" | "sourceIPs{}" => Self::SOURCES,
            "responseStatus.code" => Self::CODE,
            _ => {
                let path = ["requestObject.", "responseObject."]
                    .iter()
                    .find_map(|start| name.strip_prefix(start));
                let path = path.ok_or_else(|| {
                    format!("{name} is no field of an audit event that detections can name")
                })?;
                let parts: Vec<String> =
                    path.split('.').map(|part| part.trim_end_matches("[]").to_owned()).collect();
                let is_name = |part: &String| {
                    !part.is_empty() && part.chars().all(|it| it.is_ascii_alphanumeric())
                };
                if !parts.iter().all(is_name) {
                    return Err(format!("{name} is no path in an object"));
                }
                Self::Object(parts)
            }
        })
    }
}

/// Parts of objects that hold lists of objects; of each, one item has to fit.
pub(super) const LISTS: [&str; 11] = [
    "containers",
    "env",
    "ephemeralContainers",
    "initContainers",
    "ports",
    "rules",
    "subjects",
    "tolerations",
    "volumeMounts",
    "volumes",
    "webhooks",
];
