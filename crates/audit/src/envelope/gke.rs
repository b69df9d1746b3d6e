//! An entry of Google's Cloud Audit Logs, read as the event that it was made of.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Found;
use crate::event::{Event, Level, ObjectRef, Status, Text, User};
use crate::fault::Why;

/// What the service of Kubernetes' API is called.
const SERVICE: &str = "k8s.io";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow, default)]
    service_name: Text<'a>,
    #[serde(borrow, default)]
    method_name: Text<'a>,
    #[serde(borrow, default)]
    resource_name: Text<'a>,
    #[serde(borrow, default)]
    authentication_info: Option<Caller<'a>>,
    #[serde(borrow, default)]
    authorization_info: Option<Vec<Right<'a>>>,
    #[serde(borrow, default)]
    request_metadata: Option<Origin<'a>>,
    #[serde(default)]
    status: Option<Ended>,
    #[serde(borrow, default)]
    request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caller<'a> {
    #[serde(borrow, default)]
    principal_email: Text<'a>,
    #[serde(borrow, default)]
    authority_selector: Text<'a>,
}

#[derive(Deserialize)]
struct Right<'a> {
    #[serde(default)]
    granted: Option<bool>,
    #[serde(borrow, default)]
    resource: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Origin<'a> {
    #[serde(borrow, default, alias = "callerIP")]
    caller_ip: Text<'a>,
    #[serde(borrow, default)]
    caller_supplied_user_agent: Text<'a>,
}

#[derive(Deserialize)]
struct Ended {
    #[serde(default)]
    code: Option<i64>,
}

/// Reads an entry, with the time that stands beside it.
pub(super) fn open(entry: &RawValue, time: &str, visit: &mut dyn FnMut(Found<'_>)) {
    match serde_json::from_str::<Entry<'_>>(entry.get()) {
        Ok(entry) if entry.is_kubernetes() => {
            let event = Event { request_received_timestamp: time.into(), ..entry.event() };
            visit(Found::Event(&event));
        }
        Ok(_) => visit(Found::Other),
        Err(error) => visit(Found::Fault(Why::of(&error, entry.get().len()))),
    }
}

impl<'a> Entry<'a> {
    /// Whether it is of Kubernetes' API; some exports leave the name of the service out.
    fn is_kubernetes(&self) -> bool {
        let is_unsaid = self.service_name.is_empty() && self.method_name.starts_with("io.k8s.");
        &*self.service_name == SERVICE || is_unsaid
    }

    fn event(&'a self) -> Event<'a> {
        let caller = self.authentication_info.as_ref();
        let username = caller.map_or("", |caller| match caller.principal_email.is_empty() {
            true => &caller.authority_selector,
            false => &caller.principal_email,
        });
        let origin = self.request_metadata.as_ref();
        let address = origin.map_or("", |origin| &origin.caller_ip);
        let (verb, object_ref) = self.about();
        Event {
            level: match (self.request, self.response) {
                (_, Some(_)) => Level::RequestResponse,
                (Some(_), None) => Level::Request,
                (None, None) => Level::Metadata,
            },
            verb: verb.into(),
            user: User { username: username.into(), ..User::default() },
            source_ips: if address.is_empty() { Vec::new() } else { vec![address.into()] },
            user_agent: origin.map_or("", |it| &*it.caller_supplied_user_agent).into(),
            request_uri: match object_ref {
                Some(_) => Text::default(),
                None => Text(Cow::Owned(self.path())),
            },
            object_ref,
            response_status: Status {
                code: self.code(),
                status: self.said_failure(),
                ..Status::default()
            },
            request_object: self.request,
            response_object: self.response,
            ..Event::default()
        }
    }

    /// The code of HTTP for that of gRPC. What was not granted was forbidden, whatever it says.
    fn code(&self) -> u16 {
        let is_denied = |right: &Right<'_>| right.granted == Some(false);
        if self.authorization_info.iter().flatten().any(is_denied) {
            return 403;
        }
        match self.status.as_ref().and_then(|status| status.code).unwrap_or(0) {
            0 if self.is_failure() => 0,
            0 => 200,
            5 => 404,
            6 | 10 => 409,
            7 => 403,
            16 => 401,
            other => u16::try_from(other).ok().filter(|code| *code >= 400).unwrap_or(500),
        }
    }

    fn is_failure(&self) -> bool {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow, default)]
            status: Option<&'a RawValue>,
        }
        let answer = self.response.and_then(|it| serde_json::from_str::<Answer<'_>>(it.get()).ok());
        answer.and_then(|it| it.status).is_some_and(|status| status.get() == "\"Failure\"")
    }

    fn said_failure(&self) -> Text<'static> {
        if self.is_failure() { "Failure".into() } else { Text::default() }
    }

    /// What is done to what: the method names the verb, the resource the object.
    fn about(&'a self) -> (&'a str, Option<ObjectRef<'a>>) {
        let verb = self.method_name.rsplit('.').next().unwrap_or_default();
        let of_right = self.authorization_info.iter().flatten().map(|right| &*right.resource);
        let named = [&*self.resource_name].into_iter().chain(of_right).find(|it| !it.is_empty());
        let mut parts = named.unwrap_or_default().split('/');
        let (Some(group), Some(version), Some(first)) = (parts.next(), parts.next(), parts.next())
        else {
            return (if self.path().is_empty() { verb } else { "get" }, None);
        };
        let mut rest: Vec<&str> = parts.collect();
        let mut object = ObjectRef {
            api_group: if group == "core" { "" } else { group }.into(),
            api_version: version.into(),
            resource: first.into(),
            ..ObjectRef::default()
        };
        // `namespaces/NAME/RESOURCE` is inside of a namespace, `namespaces/NAME` is the namespace.
        if first == "namespaces" && rest.len() >= 2 {
            object.namespace = rest[0].into();
            object.resource = rest[1].into();
            rest.drain(..2);
        }
        object.name = rest.first().copied().unwrap_or_default().into();
        object.subresource = rest.get(1).copied().unwrap_or_default().into();
        (verb, Some(object))
    }

    /// The path, for what is no resource: `io.k8s.readyz`.
    fn path(&self) -> String {
        match self.resource_name.starts_with('/') {
            true => self.resource_name.to_string(),
            false => match self.method_name.strip_prefix("io.k8s.") {
                Some(path) if !path.contains('.') => format!("/{path}"),
                _ => String::new(),
            },
        }
    }
}
