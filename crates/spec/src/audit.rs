//! The section `audit`: how long what API servers log is kept, what a site adds to what is looked for in it, and
//! where findings are told.
//!
//! Never here: what stands in the files that it names.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ringfort_model::receiver::HttpsUrl;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::format;
use crate::written::List;

/// How long what API servers log is kept, what is looked for in it, and where it is told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// For how many days the API server keeps a rotated file.
    pub max_age_days: u32,
    /// How many rotated files it keeps.
    pub max_backups: u32,
    /// At how many megabytes it rotates a file.
    pub max_size_megabytes: u32,
    /// For how many days events are kept on their control plane.
    pub keep_days: u32,
    /// How many MiB of events are kept there at most.
    pub keep_mebibytes: u32,
    /// The directory of feeds as written. See [`crate::on_disk`].
    pub feeds: Option<PathBuf>,
    /// The file of own detections as written.
    pub own: Option<PathBuf>,
    /// The file of waivers of findings as written.
    pub waivers: Option<PathBuf>,
    /// Who may change what, and when; empty where nothing is said of it here.
    pub changes: Vec<Change>,
    /// Where findings are told.
    pub tell: Tell,
}

/// Where findings are told, beside the machine's journal.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tell {
    /// Whether they are written to the machine's own log.
    pub machine_log: bool,
    /// Whether numbers of them are written for Prometheus.
    pub metrics: bool,
    /// The webhook that they are sent to.
    pub webhook: Option<Webhook>,
    /// The syslog server that they are sent to.
    pub syslog: Option<Syslog>,
}

impl Tell {
    /// Whether they are told anywhere.
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

/// A webhook that findings are sent to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where it is.
    pub url: HttpsUrl,
    /// The address that is connected to.
    pub address: IpAddr,
    /// The file with the authorities of its certificate, as written.
    pub ca: PathBuf,
    /// The file with the token that it asks for, as written.
    pub token: Option<PathBuf>,
}

/// A syslog server that findings are sent to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Syslog {
    /// Where it is.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub over: Over,
}

/// How a syslog server is spoken to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Over {
    /// By TLS (RFC 5425).
    Tls {
        /// The name or address that its certificate is for.
        name: String,
        /// The file with the authorities of its certificate, as written.
        ca: PathBuf,
    },
    /// By datagrams, which anybody on the way reads and nobody acknowledges.
    Udp,
}

/// Some who may change something.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// Users; a `*` at the end stands for any rest.
    pub who: Vec<String>,
    /// Resources as `RESOURCE.GROUP`, or `RESOURCE` of the core group; `*` stands for any.
    pub what: Vec<String>,
    /// Namespaces; everywhere where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Days, in UTC; every day where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// From when to when, in UTC; at any time where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// How long what API servers log is kept, what a site adds to what is looked for in it, and where findings are told.
/// CIS 1.2.17 to 1.2.19 ask for the defaults of `maxAgeDays`, `maxBackups` and `maxSizeMegabytes`; more is allowed,
/// less is not. Relative paths start beside this file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Audit")]
pub(crate) struct Written {
    /// For how many days the API server keeps a rotated file: 30 to 3650.
    #[schemars(range(min = 30, max = 3650))]
    pub max_age_days: u32,
    /// How many rotated files it keeps: 10 to 1000.
    #[schemars(range(min = 10, max = 1000))]
    pub max_backups: u32,
    /// At how many megabytes it rotates a file: 100 to 10000.
    #[schemars(range(min = 100, max = 10000))]
    pub max_size_megabytes: u32,
    /// For how many days each control plane keeps the events of its server, packed and signed: 1 to 3650.
    #[schemars(range(min = 1, max = 3650))]
    pub keep_days: u32,
    /// How many MiB of them it keeps at most: 256 to 1048576. The oldest go first.
    #[schemars(range(min = 256, max = 1_048_576))]
    pub keep_mebibytes: u32,
    /// A directory of what some detections have to be told, as `ringfort audit test --feeds` reads it.
    #[schemars(schema_with = "format::words", example = &"audit/feeds")]
    pub feeds: Option<String>,
    /// A file of your own detections, as `ringfort audit test --own` reads it. The audit policy feeds them.
    #[schemars(schema_with = "format::words", example = &"audit/own.yaml")]
    pub own: Option<String>,
    /// A file of waivers of findings, as `ringfort audit test --waivers` reads it. What is waived is kept and counted,
    /// and not told.
    #[schemars(schema_with = "format::words", example = &"audit/waivers.yaml")]
    pub waivers: Option<String>,
    /// Who may change what, and when: what is changed otherwise is a finding. Instead of `changes.yaml` among the
    /// feeds.
    #[schemars(with = "Vec<WrittenChange>")]
    pub changes: List<WrittenChange>,
    /// Where findings are told, beside the journals of control planes.
    pub tell: WrittenTell,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            max_age_days: 30,
            max_backups: 10,
            max_size_megabytes: 100,
            keep_days: 90,
            keep_mebibytes: 4096,
            feeds: None,
            own: None,
            waivers: None,
            changes: List::new(),
            tell: WrittenTell::default(),
        }
    }
}

/// Some who may change something.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Change")]
pub(crate) struct WrittenChange {
    /// Users by name; a `*` at the end stands for any rest.
    #[schemars(required, schema_with = "users")]
    pub who: Option<List<String>>,
    /// Resources: `RESOURCE.GROUP`, `RESOURCE` of the core group, `*.GROUP`, or `*` for any.
    #[schemars(required, schema_with = "resources")]
    pub what: Option<List<String>>,
    /// Namespaces; a `*` at the end stands for any rest. Default: everywhere.
    #[serde(default)]
    #[schemars(schema_with = "namespaces")]
    pub namespaces: List<String>,
    /// Days, in UTC. Default: every day.
    #[serde(default)]
    #[schemars(with = "Vec<Day>")]
    pub days: List<Day>,
    /// From when to when, in UTC; it may go over midnight. Default: at any time.
    #[serde(default)]
    #[schemars(schema_with = "format::hours")]
    pub hours: Option<String>,
}

/// Where findings are told, beside the journals of control planes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Tell")]
pub(crate) struct WrittenTell {
    /// Whether they are also messages of the machine's own log, of log audit.
    pub machine_log: bool,
    /// Whether numbers of them are written for Prometheus, to be read by node exporter's textfile collector from
    /// `/var/lib/ringfort-metrics`.
    pub metrics: bool,
    /// A webhook that they are sent to, in the order in which they were found.
    #[schemars(with = "WrittenWebhook")]
    pub webhook: Option<WrittenWebhook>,
    /// A syslog server that they are sent to (RFC 5424).
    #[schemars(with = "WrittenSyslog")]
    pub syslog: Option<WrittenSyslog>,
}

/// A webhook that findings are sent to, by TLS 1.3.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Webhook")]
pub(crate) struct WrittenWebhook {
    /// Where it is. No secret belongs in it.
    #[schemars(required, schema_with = "format::https_url")]
    pub url: Option<HttpsUrl>,
    /// The address that is connected to, where the URL names none: control planes ask no name server.
    #[serde(default)]
    #[schemars(schema_with = "format::address")]
    pub address: Option<IpAddr>,
    /// The file with the authorities that may have signed its certificate, in PEM.
    #[schemars(required, schema_with = "format::words", example = &"audit/siem-ca.pem")]
    pub ca: Option<String>,
    /// The file with the token that it asks for (`Authorization: Bearer`), which only its owner may read. It goes to
    /// control planes and nowhere else.
    #[serde(default)]
    #[schemars(schema_with = "format::words", example = &"audit/siem-token")]
    pub token: Option<String>,
}

/// A syslog server that findings are sent to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Syslog")]
pub(crate) struct WrittenSyslog {
    /// The address and port that are connected to; an address of IPv6 in brackets.
    #[schemars(required, schema_with = "format::socket_address")]
    pub address: Option<SocketAddr>,
    /// How it is spoken to.
    #[serde(default)]
    pub transport: SyslogTransport,
    /// The name that its certificate is for. Default: its address.
    #[serde(default)]
    #[schemars(schema_with = "format::dns_name")]
    pub name: Option<String>,
    /// The file with the authorities that may have signed its certificate, in PEM. Needed for `tls`.
    #[serde(default)]
    #[schemars(schema_with = "format::words", example = &"audit/syslog-ca.pem")]
    pub ca: Option<String>,
}

/// How a syslog server is spoken to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyslogTransport {
    /// By TLS 1.3 over TCP (RFC 5425).
    #[default]
    Tls,
    /// By datagrams: anybody on the way reads and forges them, and what is lost is not known.
    Udp,
}

/// Gives what was written; `None` only if something was wrong with it.
pub(crate) fn resolve(written: &Written) -> Option<Audit> {
    let path = |text: &Option<String>| text.as_ref().map(PathBuf::from);
    let tell = &written.tell;
    Some(Audit {
        max_age_days: written.max_age_days,
        max_backups: written.max_backups,
        max_size_megabytes: written.max_size_megabytes,
        keep_days: written.keep_days,
        keep_mebibytes: written.keep_mebibytes,
        feeds: path(&written.feeds),
        own: path(&written.own),
        waivers: path(&written.waivers),
        changes: written.changes.iter().map(|one| change(one.as_ref()?)).collect::<Option<_>>()?,
        tell: Tell {
            machine_log: tell.machine_log,
            metrics: tell.metrics,
            webhook: match &tell.webhook {
                Some(written) => Some(webhook(written)?),
                None => None,
            },
            syslog: match &tell.syslog {
                Some(written) => Some(syslog(written)?),
                None => None,
            },
        },
    })
}

fn change(written: &WrittenChange) -> Option<Change> {
    Some(Change {
        who: written.who.iter().flatten().cloned().collect::<Option<_>>()?,
        what: written.what.iter().flatten().cloned().collect::<Option<_>>()?,
        namespaces: written.namespaces.iter().cloned().collect::<Option<_>>()?,
        days: written.days.iter().copied().collect::<Option<_>>()?,
        hours: written.hours.clone(),
    })
}

fn webhook(written: &WrittenWebhook) -> Option<Webhook> {
    let url = written.url.clone()?;
    Some(Webhook {
        address: url.address().or(written.address)?,
        url,
        ca: written.ca.as_ref()?.into(),
        token: written.token.as_ref().map(PathBuf::from),
    })
}

fn syslog(written: &WrittenSyslog) -> Option<Syslog> {
    let address = written.address?;
    let over = match written.transport {
        SyslogTransport::Udp => Over::Udp,
        SyslogTransport::Tls => Over::Tls {
            name: written.name.clone().unwrap_or_else(|| address.ip().to_string()),
            ca: written.ca.as_ref()?.into(),
        },
    };
    Some(Syslog { address, over })
}

fn users(generator: &mut SchemaGenerator) -> Schema {
    words(generator, "system:serviceaccount:flux-system:*")
}

fn resources(generator: &mut SchemaGenerator) -> Schema {
    words(generator, "deployments.apps")
}

fn namespaces(generator: &mut SchemaGenerator) -> Schema {
    words(generator, "shop")
}

fn words(generator: &mut SchemaGenerator, example: &str) -> Schema {
    json_schema!({ "type": "array", "items": format::words(generator), "examples": [[example]] })
}
