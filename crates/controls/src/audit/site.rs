//! What a site adds to what is looked for in logs, and what it takes to tell findings: files beside `cluster.yaml`, as
//! they are put on control planes.

use std::collections::BTreeMap;

use ringfort_audit::detection::Detection;
use ringfort_model::digest::Digest;

/// The files of a site, read and tried.
#[derive(Debug, Default)]
pub struct SiteFiles {
    /// Their texts, by their places on control planes.
    pub texts: BTreeMap<String, String>,
    /// The detections that are in one of them. They live as long as the program.
    pub own: Vec<&'static Detection>,
    /// The digest of the token that a webhook asks for: of 32 characters at least, so that it tells nothing.
    pub token: Option<Digest>,
}

/// A site without files.
pub static NONE: SiteFiles = SiteFiles { texts: BTreeMap::new(), own: Vec::new(), token: None };

/// The directory of feeds, in [`crate::paths::AUDIT_SITE`].
pub const FEEDS: &str = "/etc/kubernetes/audit-site/feeds";
/// The file of the machines' addresses. It follows from the spec.
pub const MACHINES: &str = "/etc/kubernetes/audit-site/feeds/machines.txt";
/// The file of own detections.
pub const OWN: &str = "/etc/kubernetes/audit-site/own.yaml";
/// The file of waivers of findings.
pub const WAIVERS: &str = "/etc/kubernetes/audit-site/waivers.yaml";
/// The file with the authorities of the webhook's certificate.
pub const WEBHOOK_CA: &str = "/etc/kubernetes/audit-site/webhook-ca.pem";
/// The file with the authorities of the syslog server's certificate.
pub const SYSLOG_CA: &str = "/etc/kubernetes/audit-site/syslog-ca.pem";
