//! The fields of `KubeletConfiguration` that are read: their flags, their defaults, and what empty means.
//!
//! Never here: a field whose default is not the same in every minor.

use serde_json::{Value as Json, json};

use super::Kind;

/// A field of `KubeletConfiguration`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) path: &'static str,
    pub(super) flag: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    pub(super) empty: Empty,
    /// What it is by default where the kubelet has no file at all.
    pub(super) legacy: Option<&'static str>,
}

/// What the empty value of a field means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Empty {
    /// It is a value like others; `/configz` always shows the field.
    Kept,
    /// It is the default, and `/configz` leaves the field out.
    Same,
    /// It counts as not set, so that the default holds.
    Unset,
}

/// Fields, and their defaults: pkg/kubelet/apis/config/v1beta1/defaults.go, which for these fields says
/// the same in 1.35, 1.36 and 1.37. Flags: cmd/kubelet/app/options/options.go, `AddKubeletConfigFlags`.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    field("address", "address", Kind::Address, "0.0.0.0", Empty::Unset),
    field("allowedUnsafeSysctls", "allowed-unsafe-sysctls", Kind::List, "", Empty::Same),
    fileless(field("authentication.anonymous.enabled", "anonymous-auth", Kind::Boolean, "false", Empty::Kept), "true"),
    fileless(field("authentication.webhook.enabled", "authentication-token-webhook", Kind::Boolean, "true", Empty::Kept), "false"),
    field("authentication.x509.clientCAFile", "client-ca-file", Kind::Text, "", Empty::Same),
    fileless(field("authorization.mode", "authorization-mode", Kind::Text, "Webhook", Empty::Unset), "AlwaysAllow"),
    field("enableDebuggingHandlers", "enable-debugging-handlers", Kind::Boolean, "true", Empty::Kept),
    flagless(field("enableProfilingHandler", "", Kind::Boolean, "true", Empty::Kept)),
    field("enableServer", "enable-server", Kind::Boolean, "true", Empty::Kept),
    flagless(field("enableSystemLogHandler", "", Kind::Boolean, "true", Empty::Kept)),
    field("eventRecordQPS", "event-qps", Kind::Number32, "50", Empty::Kept),
    field("featureGates", "feature-gates", Kind::Gates, "", Empty::Same),
    field("healthzBindAddress", "healthz-bind-address", Kind::Address, "127.0.0.1", Empty::Unset),
    field("healthzPort", "healthz-port", Kind::Number32, "10248", Empty::Kept),
    flagless(field("imagePullCredentialsVerificationPolicy", "", Kind::Text, "NeverVerifyPreloadedImages", Empty::Unset)),
    field("makeIPTablesUtilChains", "make-iptables-util-chains", Kind::Boolean, "true", Empty::Kept),
    field("podPidsLimit", "pod-max-pids", Kind::Number64, "-1", Empty::Kept),
    field("port", "port", Kind::Number32, "10250", Empty::Unset),
    field("protectKernelDefaults", "protect-kernel-defaults", Kind::Boolean, "false", Empty::Same),
    fileless(field("readOnlyPort", "read-only-port", Kind::Number32, "0", Empty::Same), "10255"),
    field("rotateCertificates", "rotate-certificates", Kind::Boolean, "false", Empty::Same),
    field("seccompDefault", "seccomp-default", Kind::Boolean, "false", Empty::Kept),
    field("serverTLSBootstrap", "rotate-server-certificates", Kind::Boolean, "false", Empty::Same),
    field("staticPodPath", "pod-manifest-path", Kind::Text, "", Empty::Same),
    field("staticPodURL", "manifest-url", Kind::Text, "", Empty::Same),
    field("streamingConnectionIdleTimeout", "streaming-connection-idle-timeout", Kind::Duration, "4h", Empty::Unset),
    field("tlsCertFile", "tls-cert-file", Kind::Text, "", Empty::Same),
    field("tlsCipherSuites", "tls-cipher-suites", Kind::List, "", Empty::Same),
    field("tlsMinVersion", "tls-min-version", Kind::Text, "", Empty::Same),
    field("tlsPrivateKeyFile", "tls-private-key-file", Kind::Text, "", Empty::Same),
];

const fn field(
    path: &'static str,
    flag: &'static str,
    kind: Kind,
    default: &'static str,
    empty: Empty,
) -> Field {
    Field { path, flag: Some(flag), kind, default, empty, legacy: None }
}

const fn fileless(field: Field, legacy: &'static str) -> Field {
    Field { legacy: Some(legacy), ..field }
}

const fn flagless(field: Field) -> Field {
    Field { flag: None, ..field }
}

/// What drop-ins are laid over where there is no file (cmd/kubelet/app/options/options.go,
/// `applyLegacyDefaults`).
pub(super) fn legacy() -> Json {
    json!({
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "readOnlyPort": 10255,
    })
}
