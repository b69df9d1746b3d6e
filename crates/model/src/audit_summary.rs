//! What the newest part of an API server's audit log comes to: who asked, by what credential, how often.
//!
//! It tells of callers and of nothing that they asked for, so that it can be handed on where the log cannot.

use serde::{Deserialize, Serialize};

/// A part of a log, summed up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AuditSummary {
    /// Where the log lies, as the server names it.
    pub path: String,
    /// When the first request came that is summed up, by the server's clock.
    pub from: String,
    /// When the last one came.
    pub until: String,
    /// How many events were read.
    pub events: u64,
    /// How many lines could not be read as events.
    pub unread: u64,
    /// Who asked, each once.
    pub callers: Vec<Caller>,
}

/// Somebody who asked.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Caller {
    /// Whom the server took it for; empty for requests that it did not take.
    pub user: String,
    /// By what it was taken for that.
    pub credential: Credential,
    /// Whether it acted with the group `system:masters`, as itself or as somebody else.
    pub masters: bool,
    /// The pod that the token was made for, if it was made for one.
    pub pod: Option<String>,
    /// What the program calls itself, without its version.
    pub agent: String,
    /// Whether it came from the server's own machine by loopback.
    pub local: bool,
    /// How many of its requests were seen.
    pub requests: u64,
}

/// By what somebody was taken for who they are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// A client certificate.
    Certificate,
    /// A token.
    Token,
    /// The log does not say.
    Unsaid,
}
