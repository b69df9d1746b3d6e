//! An event as an API server writes it (`audit.k8s.io/v1`), read as far as detections ask. Nothing is
//! copied but what JSON wrote with escapes, and bodies stay text until a detection asks for them.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::moment;

/// How much of a request is written down.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what and when.
    #[default]
    Metadata,
    /// What was sent as well.
    Request,
    /// What was answered as well.
    RequestResponse,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where in a request's life an event was written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Stage {
    /// The request has come.
    RequestReceived,
    /// The head of the answer has left, of a request that goes on.
    ResponseStarted,
    /// The answer has left.
    #[default]
    ResponseComplete,
    /// The server gave up in the middle.
    Panic,
}

/// Text of an event: empty where nothing, or null, stands.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Text<'a>(pub(crate) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Reads null as nothing.
fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// One event.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    #[serde(borrow, default)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) api_version: Text<'a>,
    /// How much of the request it holds.
    #[serde(default, deserialize_with = "or_default")]
    pub level: Level,
    /// Names the request; its sender may choose it, so that it proves nothing.
    #[serde(borrow, default, rename = "auditID")]
    pub audit_id: Text<'a>,
    /// Where in the request's life it was written.
    #[serde(default, deserialize_with = "or_default")]
    pub stage: Stage,
    /// The path that was asked for, with its query.
    #[serde(borrow, default, rename = "requestURI")]
    pub request_uri: Text<'a>,
    /// What was to be done: `get`, `create` and so on.
    #[serde(borrow, default)]
    pub verb: Text<'a>,
    /// Who asked.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub user: User<'a>,
    /// As whom, where somebody asked as somebody else.
    #[serde(borrow, default)]
    pub impersonated_user: Option<User<'a>>,
    /// What else is said of how it was known who asked.
    #[serde(borrow, default)]
    pub authentication_metadata: Option<AuthenticationMetadata<'a>>,
    /// From where: all that a proxy may have written, and last who was connected.
    #[serde(borrow, default, deserialize_with = "or_default", rename = "sourceIPs")]
    pub source_ips: Vec<Text<'a>>,
    /// What program the sender says it is.
    #[serde(borrow, default)]
    pub user_agent: Text<'a>,
    /// What it is about, unless it is a path that is no resource.
    #[serde(borrow, default)]
    pub object_ref: Option<ObjectRef<'a>>,
    /// How it was answered.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub response_status: Status<'a>,
    /// What was sent.
    #[serde(borrow, default)]
    pub request_object: Option<&'a RawValue>,
    /// What was answered.
    #[serde(borrow, default)]
    pub response_object: Option<&'a RawValue>,
    /// When the request came, by the server's clock.
    #[serde(borrow, default)]
    pub request_received_timestamp: Text<'a>,
    /// When the event was written, by the server's clock.
    #[serde(borrow, default)]
    pub stage_timestamp: Text<'a>,
    /// What admission, authentication and authorisation noted.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub annotations: Annotations<'a>,
}

/// How it was known who asked, beside what the credential says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationMetadata<'a> {
    /// The verb of constrained impersonation that allowed to ask as somebody else; nothing for the verb without limits.
    #[serde(borrow, default)]
    pub impersonation_constraint: Text<'a>,
}

/// Who asked.
#[derive(Debug, Default, Deserialize)]
pub struct User<'a> {
    /// The name.
    #[serde(borrow, default)]
    pub username: Text<'a>,
    /// The groups.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub groups: Vec<Text<'a>>,
    /// What the credential says besides.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub extra: Extra<'a>,
}

/// What a credential says of itself.
#[derive(Debug, Default, Deserialize)]
pub struct Extra<'a> {
    /// Names the credential, such as `JTI=…` of a token.
    #[serde(
        borrow,
        default,
        deserialize_with = "or_default",
        rename = "authentication.kubernetes.io/credential-id"
    )]
    pub credential_id: Vec<Text<'a>>,
    /// The pod that a token was made for.
    #[serde(
        borrow,
        default,
        deserialize_with = "or_default",
        rename = "authentication.kubernetes.io/pod-name"
    )]
    pub pod_name: Vec<Text<'a>>,
    /// The node that this pod was on.
    #[serde(
        borrow,
        default,
        deserialize_with = "or_default",
        rename = "authentication.kubernetes.io/node-name"
    )]
    pub node_name: Vec<Text<'a>>,
}

impl Extra<'_> {
    /// Gives the credential's name, where it has one.
    pub fn credential(&self) -> Option<&str> {
        self.credential_id.first().map(|id| &**id)
    }

    /// Gives the pod that the credential was made for.
    pub fn pod(&self) -> Option<&str> {
        self.pod_name.first().map(|name| &**name)
    }

    /// Gives the node that this pod was on.
    pub fn node(&self) -> Option<&str> {
        self.node_name.first().map(|name| &**name)
    }
}

/// What a request is about.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef<'a> {
    /// The kind of objects, in the plural.
    #[serde(borrow, default)]
    pub resource: Text<'a>,
    /// Their namespace.
    #[serde(borrow, default)]
    pub namespace: Text<'a>,
    /// The object's name, where one is named.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// The group of the kind.
    #[serde(borrow, default)]
    pub api_group: Text<'a>,
    /// Its version; providers are known to put the group before it.
    #[serde(borrow, default)]
    pub api_version: Text<'a>,
    /// The part of the object.
    #[serde(borrow, default)]
    pub subresource: Text<'a>,
}

impl ObjectRef<'_> {
    /// Gives the group of the kind, empty for the oldest.
    pub fn group(&self) -> &str {
        match self.api_version.split_once('/') {
            Some((group, _)) if self.api_group.is_empty() => group,
            _ => &self.api_group,
        }
    }
}

/// How a request was answered.
#[derive(Debug, Default, Deserialize)]
pub struct Status<'a> {
    /// The code of HTTP, 0 where none was written down.
    #[serde(default, deserialize_with = "or_default")]
    pub code: u16,
    /// `Failure`, where it failed,
    #[serde(borrow, default)]
    pub status: Text<'a>,
    /// and why.
    #[serde(borrow, default)]
    pub message: Text<'a>,
}

/// What was noted beside an event.
#[derive(Debug, Default)]
pub struct Annotations<'a>(pub(crate) Vec<(Text<'a>, Text<'a>)>);

impl Annotations<'_> {
    /// Gives their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Gives the value of one, empty where it is not there.
    pub fn value(&self, key: &str) -> &str {
        self.0.iter().find(|(name, _)| &**name == key).map_or("", |(_, value)| value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Annotations<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all: Vec<(Text<'de>, Text<'de>)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    if all.iter().any(|(known, _)| *known == key) {
                        return Err(A::Error::custom("duplicate field of annotations"));
                    }
                    all.push((key, value));
                }
                Ok(Annotations(all))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The name of those who gave none.
pub const ANONYMOUS: &str = "system:anonymous";

impl Event<'_> {
    /// Whether it says that it is one: other things are called events as well.
    pub(crate) fn is_one(&self) -> bool {
        let version = &*self.api_version;
        let is_unsaid =
            || version.is_empty() && (!self.verb.is_empty() || !self.audit_id.is_empty());
        &*self.kind == "Event" && (version.starts_with("audit.k8s.io/") || is_unsaid())
    }

    /// Gives as whom the request was judged: whom somebody asked as, or else who asked.
    pub fn actor(&self) -> &User<'_> {
        self.impersonated_user.as_ref().unwrap_or(&self.user)
    }

    /// Gives the verb of constrained impersonation that allowed to ask as somebody else; none where that was not limited.
    pub fn impersonation_constraint(&self) -> &str {
        self.authentication_metadata.as_ref().map_or("", |it| &it.impersonation_constraint)
    }

    /// Gives who was connected: the last address, since those before it are what somebody claims.
    pub fn source(&self) -> &str {
        self.source_ips.last().map_or("", |last| last)
    }

    /// Gives it as an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.source().parse().ok()
    }

    /// Gives when the request came, or else when this was written.
    pub fn time(&self) -> &str {
        match self.request_received_timestamp.is_empty() {
            true => &self.stage_timestamp,
            false => &self.request_received_timestamp,
        }
    }

    /// Gives it in microseconds of the Unix epoch; nothing where no time can be read.
    pub fn microseconds(&self) -> Option<i64> {
        moment::microseconds(self.time())
    }

    /// Gives when this was written, or else when the request came, in microseconds of the Unix epoch.
    pub fn written(&self) -> Option<i64> {
        moment::microseconds(&self.stage_timestamp).or_else(|| self.microseconds())
    }

    /// Gives the path that was asked for, without its query.
    pub fn path(&self) -> &str {
        self.request_uri.split('?').next().unwrap_or_default()
    }

    /// Gives the values of a parameter in the query of the address, as the server decodes them.
    pub fn parameters(&self, name: &str) -> Vec<String> {
        let query = self.request_uri.split_once('?').map_or("", |(_, query)| query);
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    }

    /// Gives the resource, empty where the request is about none.
    pub fn resource(&self) -> &str {
        self.object_ref.as_ref().map_or("", |of| &of.resource)
    }

    /// Gives the part of the object, empty where it is about the whole.
    pub fn subresource(&self) -> &str {
        self.object_ref.as_ref().map_or("", |of| &of.subresource)
    }

    /// Gives the namespace, empty where there is none.
    pub fn namespace(&self) -> &str {
        self.object_ref.as_ref().map_or("", |of| &of.namespace)
    }

    /// Gives the object's name, empty where none is named.
    pub fn name(&self) -> &str {
        self.object_ref.as_ref().map_or("", |of| &of.name)
    }

    /// Whether it is known that the request was refused or failed.
    pub fn failed(&self) -> bool {
        let code = self.response_status.code;
        (code >= 400)
            || (code == 0 && &*self.response_status.status == "Failure")
            || self.annotations.value("authorization.k8s.io/decision") == "forbid"
    }

    /// Whether the server left both bodies out since they were too large.
    pub fn truncated(&self) -> bool {
        self.annotations.value("audit.k8s.io/truncated") == "true"
    }
}
