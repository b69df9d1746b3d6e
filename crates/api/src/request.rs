//! One request to an API server, as it is written.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use ringfort_model::api_object::ObjectKey;

use crate::{ApiError, FIELD_MANAGER, shape};

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Read or list.
    Get,
    /// Create.
    Create,
    /// Change by a JSON merge patch (RFC 7386).
    Merge,
    /// Delete, with what belongs to it.
    Delete,
}

/// What it is done to.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// One object.
    Object(&'a ObjectKey),
    /// The objects of the kind, and in the namespace, of this one.
    KindOf(&'a Value),
    /// All objects of a kind, in one namespace or in all.
    Kind {
        /// Group and version.
        api_version: &'a str,
        /// Kind.
        kind: &'a str,
        /// Namespace, or all.
        namespace: Option<&'a str>,
    },
    /// A path.
    Path(&'a str),
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is done.
    pub method: Method,
    /// To what.
    pub target: Target<'a>,
    /// With what.
    pub body: Option<&'a Value>,
    /// Whether the server only says what it would do.
    pub dry_run: bool,
    /// In whose name, by user and groups, if not in the conversation's own.
    pub user: Option<&'a (String, Vec<String>)>,
}

impl Request<'_> {
    pub(crate) fn write(&self, path: &str) -> Result<http::Request<Vec<u8>>, ApiError> {
        let method = match self.method {
            Method::Get => http::Method::GET,
            Method::Create => http::Method::POST,
            Method::Merge => http::Method::PATCH,
            Method::Delete => http::Method::DELETE,
        };
        let mark = if path.contains('?') { '&' } else { '?' };
        let query = match (self.dry_run, self.method) {
            (true, Method::Delete) => format!("{mark}dryRun=All"),
            (true, _) => format!("{mark}dryRun=All&fieldManager={FIELD_MANAGER}"),
            (false, _) => String::new(),
        };
        let body = match (self.body, self.method) {
            (Some(body), _) => serde_json::to_vec(body).map_err(|e| shape(&e))?,
            // Where a deletion has a body, what the address says of it is not read at all.
            (None, Method::Delete) if self.dry_run => {
                br#"{"propagationPolicy":"Background","dryRun":["All"]}"#.to_vec()
            }
            (None, Method::Delete) => br#"{"propagationPolicy":"Background"}"#.to_vec(),
            (None, _) => Vec::new(),
        };
        let request = http::Request::builder().method(method).uri(format!("{path}{query}"));
        let mut request = request.body(body).map_err(|e| shape(&e))?;
        self.head(request.headers_mut())?;
        Ok(request)
    }

    fn head(&self, headers: &mut HeaderMap) -> Result<(), ApiError> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = match self.method {
            Method::Merge => "application/merge-patch+json",
            _ => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(form));
        let Some((user, groups)) = self.user else { return Ok(()) };
        let value = |text: &str| HeaderValue::from_str(text).map_err(|e| shape(&e));
        headers.insert("Impersonate-User", value(user)?);
        for group in groups {
            headers.append("Impersonate-Group", value(group)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Method, Request, Target};

    #[test]
    fn a_dry_run_in_anothers_name_says_both() {
        let user = ("system:node:w1".to_owned(), vec!["system:nodes".to_owned()]);
        let body = json!({"kind": "Pod"});
        let (target, user) = (Target::Path("/api/v1/pods"), Some(&user));
        let request =
            Request { method: Method::Create, target, body: Some(&body), dry_run: true, user };
        let written = request.write("/api/v1/pods").unwrap();
        assert_eq!(written.uri(), "/api/v1/pods?dryRun=All&fieldManager=ringfort");
        assert_eq!(written.headers()["Impersonate-User"], "system:node:w1");
        assert_eq!(written.headers()["Impersonate-Group"], "system:nodes");
    }

    #[test]
    fn a_deletion_that_is_only_tried_says_so_in_its_body() {
        let check = |path: &str, expected: &str| {
            let request = Request {
                method: Method::Delete,
                target: Target::Path(path),
                body: None,
                dry_run: true,
                user: None,
            };
            let written = request.write(path).unwrap();
            assert_eq!(written.uri(), expected);
            let body: serde_json::Value = serde_json::from_slice(written.body()).unwrap();
            assert_eq!(body["dryRun"], json!(["All"]));
        };
        check("/api/v1/nodes/w1", "/api/v1/nodes/w1?dryRun=All");
        check("/api/v1/pods?labelSelector=a", "/api/v1/pods?labelSelector=a&dryRun=All");
    }
}
