//! `cluster.yaml` as it is written: the one type behind the parser, the JSON Schema and the
//! reference. A value is absent where it was not written or could not be read; the reader has said
//! so by then.
//!
//! Never here: defaults that depend on other fields, rules across fields.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::version::KubeVersion;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::audit;
use crate::endpoint::Endpoint;
use crate::format;
use crate::integrity;
use crate::settings::{Admin, HostRuntime, Network, Runtime, Transport};

/// A list in which an entry is absent where it could not be read.
pub(crate) type List<T> = Vec<Option<T>>;

/// One Kubernetes cluster, as it should be.
///
/// Only `name`, `kubernetes`, `controlPlanes` and `workers` have to be given. Every other field has
/// a secure default, and what loosens a default needs an entry in `waivers`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "cluster.yaml")]
pub(crate) struct Written {
    /// The version of this format.
    #[schemars(required)]
    pub api_version: Option<ApiVersion>,
    /// What the file describes.
    #[schemars(required)]
    pub kind: Option<Kind>,
    /// The name of the cluster: 1 to 40 lower-case letters, digits and `-`. It stands in
    /// kubeconfigs and in the operator's files and cannot change.
    #[schemars(required, schema_with = "format::cluster_name")]
    pub name: Option<ClusterName>,
    /// The version of Kubernetes: a supported minor (`"1.37"`, `"1.36"`, `"1.35"`), which means the
    /// bundle's patch, or a full version (`"1.37.2"`).
    #[schemars(required, schema_with = "format::kubernetes")]
    pub kubernetes: Option<KubeVersion>,
    /// The machines of the control plane, by address. An odd number, and at least 3 unless
    /// `ha/three-control-planes` is waived. Of which family the first one is, IPv4 or IPv6, all addresses and ranges
    /// of the file are.
    #[schemars(required, schema_with = "control_planes")]
    pub control_planes: Option<List<Host>>,
    /// The machines that run workloads, by address. At least 3 unless `ha/three-workers` is waived.
    #[schemars(required, schema_with = "workers")]
    pub workers: Option<List<Host>>,
    /// Host and port under which the API is reached from outside, such as a load balancer's; an address of IPv6 in
    /// brackets. It
    /// goes into the API servers' certificates and the kubeconfig. Without it the kubeconfig has a
    /// context for each control plane.
    #[serde(default)]
    #[schemars(schema_with = "format::endpoint")]
    pub endpoint: Option<Endpoint>,
    /// How the machines are entered.
    #[serde(default)]
    pub ssh: Ssh,
    /// The cluster's networks.
    #[serde(default)]
    pub network: Network,
    /// The cluster's DNS.
    #[serde(default)]
    pub dns: Dns,
    /// Who can open the cluster's keyring: age recipients (`age1…`), one for each operator. Without
    /// any, the operator's own key opens it.
    #[serde(default)]
    #[schemars(schema_with = "recipients")]
    pub operators: List<String>,
    /// The identity that is handed over when everything is proved.
    #[serde(default)]
    pub admin: Admin,
    /// How containers meet the machines' kernel. A machine may differ.
    #[serde(default)]
    pub runtime: Runtime,
    /// How long what API servers log is kept, what is looked for in it, and where it is told.
    #[serde(default)]
    pub audit: audit::Written,
    /// How files of machines stay as they are.
    #[serde(default)]
    pub integrity: integrity::Written,
    /// Whether the API server accepts privileged containers at all. `true` needs a waiver of
    /// `access/no-privileged-containers`; Pod Security still applies.
    #[serde(default)]
    pub allow_privileged: bool,
    /// Manifests that `ringfort up` applies under its own identity and keeps as they are, such as those
    /// of a network of your own (`network.provider: none`). What an add-on's pods need beyond the
    /// restricted standard is opened by a waiver with `scope: { addon: NAME }`.
    #[serde(default)]
    #[schemars(with = "Vec<Addon>")]
    pub addons: List<Addon>,
    /// Decisions against a control, each with an owner, a reason and an end. They stand in every
    /// report.
    #[serde(default)]
    #[schemars(with = "Vec<Waiver>")]
    pub waivers: List<Waiver>,
}

/// The version of this format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum ApiVersion {
    #[serde(rename = "ringfort.dev/v1")]
    V1,
}

/// What the file describes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    Cluster,
}

/// A machine: its address, or a map when there is more to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Host {
    Address(IpAddr),
    Described(DescribedHost),
}

/// A machine with more than its address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Host")]
pub(crate) struct DescribedHost {
    /// The address under which operator and cluster reach the machine: of IPv4, or of IPv6 in a cluster that has
    /// nothing else.
    #[schemars(required, schema_with = "format::address")]
    pub address: Option<IpAddr>,
    /// The name of the node: up to 63 lower-case letters, digits and `-`. Without it, `cp-` or `w-`
    /// and the address (`cp-10-0-0-11`), so that removing one machine renames no other. It cannot
    /// change while the node is in the cluster.
    #[serde(default)]
    #[schemars(schema_with = "format::node_name")]
    pub name: Option<NodeName>,
    /// What is different about entering this machine.
    #[serde(default)]
    pub ssh: HostSsh,
    /// What is different about this machine's kernel.
    #[serde(default)]
    pub runtime: HostRuntime,
}

/// How the machines are entered.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Ssh {
    /// The user there. Default: root.
    #[schemars(schema_with = "format::words", example = &"root")]
    pub user: Option<String>,
    /// The port there, 1 to 65535. Default: 22.
    #[schemars(schema_with = "port")]
    pub port: Option<u16>,
    /// The file of the private key, where `~/` is your home directory and other relative paths
    /// start beside this file. Default: the keys that your agent holds.
    #[schemars(schema_with = "format::words", example = &"~/.ssh/id_ed25519")]
    pub identity: Option<String>,
    /// The file of known host keys, with paths as in `identity`. A machine whose key is in neither
    /// place is not entered. Default: ~/.ssh/known_hosts.
    #[schemars(schema_with = "format::words", example = &"~/.ssh/known_hosts")]
    pub known_hosts: Option<String>,
    /// The host keys of machines, by address: each the line of its `.pub` file. They go before
    /// `knownHosts`.
    #[schemars(schema_with = "host_keys")]
    pub host_keys: BTreeMap<String, String>,
    /// Whether the user becomes root with `sudo`, which must not ask for a password. Needed for any
    /// user but root.
    pub sudo: bool,
    /// Who speaks SSH.
    pub transport: Transport,
}

/// What is different about entering one machine; what is absent is as for all of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HostSsh {
    /// The user there.
    #[schemars(schema_with = "format::words", example = &"root")]
    pub user: Option<String>,
    /// The port there, 1 to 65535.
    #[schemars(schema_with = "port")]
    pub port: Option<u16>,
    /// The file of the private key.
    #[schemars(schema_with = "format::words", example = &"~/.ssh/id_ed25519")]
    pub identity: Option<String>,
    /// The host key: the line of its `.pub` file.
    #[schemars(schema_with = "format::host_key")]
    pub host_key: Option<String>,
    /// Whether the user becomes root with `sudo`.
    #[schemars(with = "bool")]
    pub sudo: Option<bool>,
    /// Who speaks SSH.
    #[schemars(with = "Transport")]
    pub transport: Option<Transport>,
}

/// The cluster's DNS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Dns {
    /// The servers that answer for names outside the cluster, by addresses of the cluster's family. Default: none,
    /// so that only names of the cluster are answered.
    #[schemars(schema_with = "addresses")]
    pub upstream: List<IpAddr>,
}

/// Manifests that belong together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Addon {
    /// What the add-on is called: up to 63 lower-case letters, digits and `-`.
    #[schemars(required, schema_with = "format::addon_name")]
    pub name: Option<String>,
    /// The files of its manifests, applied in this order. Relative paths start beside this file. A
    /// Secret in them is refused.
    #[schemars(required, schema_with = "files")]
    pub files: Option<List<String>>,
}

/// A decision against a control.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Waiver {
    /// The id of the control, such as `access/pod-security`.
    #[schemars(required, schema_with = "format::words", example = &"access/pod-security")]
    pub control: Option<String>,
    /// What the waiver is limited to. Default: the whole cluster.
    #[serde(default)]
    #[schemars(with = "Scope")]
    pub scope: Option<Scope>,
    /// Why this is right, in words for the person who reads the report.
    #[schemars(
        required,
        schema_with = "format::words",
        example = &"the new rack arrives in January"
    )]
    pub reason: Option<String>,
    /// The person who answers for it.
    #[schemars(required, schema_with = "format::words", example = &"ann@example.com")]
    pub owner: Option<String>,
    /// The last day on which it holds. From the day after it is as if it did not stand here, and
    /// `ringfort up` takes back what it allowed; it is an error where that cannot be taken back, as
    /// with a machine that is missing.
    #[schemars(required, schema_with = "format::date")]
    pub expires: Option<Date>,
}

/// What a waiver is limited to: namespaces with a label, made by one identity; those of an add-on;
/// some namespaces; or some nodes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Scope {
    /// The key of a label; namespaces that carry it are meant. Only `user` makes such namespaces,
    /// and nobody else runs pods in them. Needs `user`.
    #[schemars(schema_with = "format::label_key")]
    pub namespace_label: Option<String>,
    /// The user that may use the waiver: up to 63 lower-case letters, digits and `-`.
    /// `ringfort kubeconfig --waiver NAME` issues its kubeconfig. Needs `namespaceLabel`.
    #[schemars(schema_with = "format::user_name")]
    pub user: Option<String>,
    /// The name of an add-on; the namespaces in its manifests are meant. Nobody but `ringfort up`
    /// writes pods there.
    #[schemars(schema_with = "format::addon_name")]
    pub addon: Option<String>,
    /// The names of the namespaces that are meant. For what no identity has to be kept to.
    #[schemars(schema_with = "namespace_names")]
    pub namespaces: List<String>,
    /// The names of the nodes that are meant.
    #[schemars(schema_with = "node_names")]
    pub nodes: List<NodeName>,
}

fn control_planes(generator: &mut SchemaGenerator) -> Schema {
    hosts(generator, ["10.0.0.11", "10.0.0.12", "10.0.0.13"])
}

fn workers(generator: &mut SchemaGenerator) -> Schema {
    hosts(generator, ["10.0.0.21", "10.0.0.22", "10.0.0.23"])
}

fn hosts(generator: &mut SchemaGenerator, example: [&str; 3]) -> Schema {
    let address = format::address(generator);
    let described = generator.subschema_for::<DescribedHost>();
    let items = json_schema!({ "anyOf": [address, described] });
    json_schema!({ "type": "array", "items": items, "examples": [example] })
}

fn addresses(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": format::address(generator) })
}

fn files(generator: &mut SchemaGenerator) -> Schema {
    let items = format::words(generator);
    json_schema!({ "type": "array", "items": items, "examples": [["addons/network.yaml"]] })
}

fn namespace_names(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": format::namespace_name(generator) })
}

fn node_names(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": format::node_name(generator) })
}

fn recipients(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": format::age_recipient(generator) })
}

fn host_keys(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": format::host_key(generator) })
}

fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 })
}
