//! `cluster.yaml`: from text to a checked [`Spec`], or to a [`Report`] of everything wrong with it.
//!
//! ```text
//! text ─parse─▶ Parsed ─check─▶ Spec      yaml: the tree with places
//!                  │        └─▶ Report    shape: the tree against the schema of `written`
//!                  └ also carries what could not be read, so that one report holds it all
//! ```
//!
//! Pure: the day and the known controls are arguments. Never here: reading files, and what a spec
//! leads to on machines.

mod audit;
mod endpoint;
mod format;
mod integrity;
mod known;
mod parsed;
mod pod_ranges;
mod report;
mod resolve;
mod rules;
mod settings;
mod shape;
mod spec;
mod template;
mod written;
mod yaml;

pub use crate::audit::{Audit, Change, Day, Over, Syslog, Tell, Webhook};
pub use crate::endpoint::{Endpoint, EndpointHost, NotAnEndpoint};
pub use crate::integrity::{Integrity, Repair};
pub use crate::known::{Known, Limit};
pub use crate::parsed::{Parsed, check, parse, read, schema};
pub use crate::pod_ranges::PodRangesError;
pub use crate::report::{Grade, Paint, Problem, Report};
pub use crate::rules::{
    APPARMOR, NO_PRIVILEGED_CONTAINERS, POD_ENCRYPTION, THREE_CONTROL_PLANES, THREE_WORKERS,
};
pub use crate::settings::{
    Admin, CgroupDriver, Encryption, Network, Provider, Routes, Runtime, Transport,
};
pub use crate::shape::nearest;
pub use crate::spec::{Addon, Node, Scope, Spec, Ssh, Waiver, on_disk};
pub use crate::template::template;
