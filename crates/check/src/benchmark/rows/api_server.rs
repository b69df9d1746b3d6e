//! Section 1.2: how API servers are started.

use std::time::Duration;

use ringfort_facts::component::Component;
use ringfort_facts::component::api_server::{
    Authorizer, anonymous, authorizers, encryption, runs_plugin,
};
use ringfort_facts::component::authentication::Anonymous;
use ringfort_facts::component::encryption::Provider;
use ringfort_facts::component::settings::Settings;
use ringfort_model::judgement::{Decided, Judgement};

use super::{Ask, Kept, Needs, Of, Row, automated, manual, second};
use crate::benchmark::say::{all, decide};
use crate::benchmark::whole;

const KUBELETS: &str = "access/kubelet-authorization";
const AUTHORIZE: &str = "access/node-and-rbac";
const AUDIT: &str = "audit/policy-is-set";
const TOKENS: &str = "access/service-account-tokens";
const ETCD: &str = "data/etcd-mutual-tls";
const AT_REST: &str = "data/encryption-at-rest";

/// The rows.
#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    manual("1.2.1", "Requests without a name are refused", Kept::By("access/anonymous-is-shut"), ask(no_anonymous)),
    automated("1.2.2", "No file of tokens lets anybody in", Kept::By("access/anonymous-is-shut"), ask(|s| unset(s, "token-auth-file"))),
    manual("1.2.3", "Services may not name addresses outside the cluster", Kept::By("access/no-external-ips"), ask(|s| plugin(s, "DenyServiceExternalIPs", Runs::Yes))),
    automated("1.2.4", "API servers show kubelets a certificate", Kept::By(KUBELETS), ask(|s| set(s, &["kubelet-client-certificate", "kubelet-client-key"]))),
    automated("1.2.5", "API servers check kubelets' certificates", Kept::By(KUBELETS), ask(|s| set(s, &["kubelet-certificate-authority"]))),
    automated("1.2.6", "Not everything is authorised", Kept::By(AUTHORIZE), ask(|s| authorizer(s, "AlwaysAllow", Runs::No))),
    automated("1.2.7", "Kubelets reach only what their pods need", Kept::By(AUTHORIZE), ask(|s| authorizer(s, "Node", Runs::Yes))),
    automated("1.2.8", "Roles decide who may do what", Kept::By(AUTHORIZE), ask(|s| authorizer(s, "RBAC", Runs::Yes))),
    manual("1.2.9", "Nobody floods API servers with events", Kept::By("access/event-rate-limit"), ask(|s| plugin(s, "EventRateLimit", Runs::Yes))),
    automated("1.2.10", "Admission does not let everything through", Kept::By("access/pod-security"), ask(|s| plugin(s, "AlwaysAdmit", Runs::No))),
    manual("1.2.11", "Private images need their credentials on every start", Kept::Otherwise("access/image-credentials", "kubelets ask for credentials themselves, so that pods start while a registry is away"), Ask::Whole(Needs::Machines, &[], Of::Nothing, whole::images_need_credentials)),
    second(automated("1.2.12", "Pods get their service accounts", Kept::Not("on by default; nothing switches it off"), ask(|s| plugin(s, "ServiceAccount", Runs::Yes)))),
    second(automated("1.2.13", "Nothing is made in namespaces that are not there or going away", Kept::Not("on by default; nothing switches it off"), ask(|s| plugin(s, "NamespaceLifecycle", Runs::Yes)))),
    second(automated("1.2.14", "Kubelets change only what is their own", Kept::By(AUTHORIZE), ask(|s| plugin(s, "NodeRestriction", Runs::Yes)))),
    automated("1.2.15", "API servers are not profiled", Kept::By("access/no-profiling"), ask(|s| off(s, "profiling"))),
    automated("1.2.16", "API servers write an audit log", Kept::By(AUDIT), ask(|s| set(s, &["audit-log-path"]))),
    automated("1.2.17", "Audit logs are kept for 30 days at least", Kept::By(AUDIT), ask(|s| of_audit_log(s, "audit-log-maxage", 30))),
    automated("1.2.18", "Ten old audit logs at least are kept", Kept::By(AUDIT), ask(|s| of_audit_log(s, "audit-log-maxbackup", 10))),
    automated("1.2.19", "Audit logs grow to 100 megabytes at least", Kept::By(AUDIT), ask(|s| of_audit_log(s, "audit-log-maxsize", 100))),
    manual("1.2.20", "Requests end after a time that fits", Kept::Not("the default of a minute stays"), ask(timeout)),
    automated("1.2.21", "Tokens of deleted service accounts are refused", Kept::By(TOKENS), ask(|s| on(s, "service-account-lookup"))),
    automated("1.2.22", "Tokens are checked with keys of their own", Kept::By(TOKENS), ask(token_keys)),
    automated("1.2.23", "API servers show etcd a certificate", Kept::By(ETCD), ask(|s| set(s, &["etcd-certfile", "etcd-keyfile"]))),
    automated("1.2.24", "API servers show a certificate that was made for them", Kept::By("network/tls-1-3"), ask(|s| set(s, &["tls-cert-file", "tls-private-key-file"]))),
    automated("1.2.25", "An authority says whose client certificates count", Kept::By("access/anonymous-is-shut"), ask(|s| set(s, &["client-ca-file"]))),
    automated("1.2.26", "API servers check etcd's certificate", Kept::By(ETCD), ask(|s| set(s, &["etcd-cafile"]))),
    manual("1.2.27", "Something says how objects are encrypted in etcd", Kept::By(AT_REST), ask(|s| set(s, &["encryption-provider-config"]))),
    manual("1.2.28", "Secrets are written to etcd by a strong cipher", Kept::By(AT_REST), ask(encrypted)),
    manual("1.2.29", "API servers speak strong ciphers only", Kept::By("network/tls-1-3"), ask(ciphers)),
    automated("1.2.30", "Tokens of pods live no longer than was asked for", Kept::By(TOKENS), ask(|s| off(s, "service-account-extend-token-expiration"))),
];

const fn ask(judge: fn(&Settings) -> Judgement) -> Ask {
    Ask::Settings(Component::ApiServer, judge)
}

/// Whether something is asked to be there.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Runs {
    Yes,
    No,
}

/// Asks that a switch is off.
pub(super) fn off(settings: &Settings, flag: &str) -> Judgement {
    let seen = settings.boolean(flag).known()?.clone();
    let said = format!("--{flag} of {} is {}", settings.component, seen.value);
    decide(&seen, !seen.value, &said, &format!("--{flag}=false"))
}

/// Asks that a switch is on.
pub(super) fn on(settings: &Settings, flag: &str) -> Judgement {
    let seen = settings.boolean(flag).known()?.clone();
    let said = format!("--{flag} of {} is {}", settings.component, seen.value);
    decide(&seen, seen.value, &said, &format!("--{flag}=true"))
}

/// Asks that texts are set, all of them.
pub(super) fn set(settings: &Settings, flags: &[&str]) -> Judgement {
    all(flags.iter().map(|flag| {
        let seen = settings.text(flag).known()?.clone();
        let said = match seen.value.is_empty() {
            true => format!("--{flag} of {} is not set", settings.component),
            false => format!("--{flag} of {} is {}", settings.component, seen.value),
        };
        decide(&seen, !seen.value.is_empty(), &said, &format!("set --{flag}"))
    }))
}

fn unset(settings: &Settings, flag: &str) -> Judgement {
    let seen = settings.text(flag).known()?.clone();
    let said = match seen.value.is_empty() {
        true => format!("--{flag} is not set"),
        false => format!("--{flag} is {}", seen.value),
    };
    decide(&seen, seen.value.is_empty(), &said, &format!("leave --{flag} out"))
}

/// What is kept of a log that nobody writes is nothing, whatever the flag or its default say.
fn of_audit_log(server: &Settings, flag: &str, least: i64) -> Judgement {
    match set(server, &["audit-log-path"])? {
        Decided::Pass(_) => at_least(server, flag, least),
        other => Ok(other),
    }
}

fn at_least(settings: &Settings, flag: &str, least: i64) -> Judgement {
    let seen = settings.number(flag).known()?.clone();
    let said = format!("--{flag} is {}", seen.value);
    decide(&seen, seen.value >= least, &said, &format!("--{flag}={least}"))
}

/// Paths at which an answer tells nobody more than that the server is well.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/healthz"];

fn no_anonymous(server: &Settings) -> Judgement {
    let seen = anonymous(server).known()?.clone();
    let (holds, said) = match &seen.value {
        Anonymous::Off => (true, "requests without a name are refused".to_owned()),
        Anonymous::Everywhere => (false, "requests without a name are taken".to_owned()),
        Anonymous::Only(paths) => (
            paths.iter().all(|path| HEALTH.contains(&path.as_str())),
            format!("requests without a name are taken for {} only", paths.join(", ")),
        ),
    };
    decide(&seen, holds, &said, "--anonymous-auth=false, or conditions for health paths only")
}

fn authorizer(server: &Settings, name: &str, runs: Runs) -> Judgement {
    let seen = authorizers(server).known()?.clone();
    let named = |it: &Authorizer| match it {
        Authorizer::Node => "Node",
        Authorizer::Rbac => "RBAC",
        Authorizer::Webhook { .. } => "Webhook",
        Authorizer::Abac => "ABAC",
        Authorizer::AlwaysAllow => "AlwaysAllow",
        Authorizer::AlwaysDeny => "AlwaysDeny",
    };
    let names: Vec<&str> = seen.value.iter().map(named).collect();
    let holds = names.contains(&name) == (runs == Runs::Yes);
    let fix = match runs {
        Runs::Yes => format!("add {name} to the authorisers"),
        Runs::No => format!("take {name} from the authorisers"),
    };
    decide(&seen, holds, &format!("{} authorise", names.join(", ")), &fix)
}

fn plugin(server: &Settings, name: &str, runs: Runs) -> Judgement {
    let seen = runs_plugin(server, name).known()?.clone();
    let (said, fix) = match seen.value {
        true => (
            format!("the admission plugin {name} runs"),
            format!("--disable-admission-plugins={name}"),
        ),
        false => (
            format!("the admission plugin {name} does not run"),
            format!("--enable-admission-plugins={name}"),
        ),
    };
    decide(&seen, seen.value == (runs == Runs::Yes), &said, &fix)
}

/// The longest that a request may take: what the benchmark names as an example of more than the default.
const LONGEST: Duration = Duration::from_secs(300);

fn timeout(server: &Settings) -> Judgement {
    let seen = server.duration("request-timeout").known()?.clone();
    let holds = !seen.value.is_zero() && seen.value <= LONGEST;
    let said = format!("--request-timeout is {} s", seen.value.as_secs());
    decide(&seen, holds, &said, "--request-timeout=1m0s, and 5m0s at most")
}

fn token_keys(server: &Settings) -> Judgement {
    let seen = server.texts("service-account-key-file").known()?.clone();
    let said = format!("--service-account-key-file names {} files", seen.value.len());
    let holds = !seen.value.is_empty() && seen.value.iter().all(|path| !path.is_empty());
    decide(&seen, holds, &said, "name the public halves with --service-account-key-file")
}

fn encrypted(server: &Settings) -> Judgement {
    let seen = encryption(server).known()?.clone();
    let (holds, by) = match seen.value.writes("", "secrets") {
        Provider::Secretbox => (true, "secretbox"),
        Provider::AesCbc => (true, "aescbc"),
        Provider::Kms { .. } => (true, "a key service"),
        Provider::AesGcm => (false, "aesgcm, which one key serves for few writes only"),
        Provider::Identity => (false, "nothing: as plain text"),
    };
    let fix = "name secretbox, kms or aescbc first for secrets in the encryption configuration";
    decide(&seen, holds, &format!("secrets are written by {by}"), fix)
}

fn ciphers(server: &Settings) -> Judgement {
    let least = server.text("tls-min-version").known()?.clone();
    if least.value == "VersionTLS13" {
        return decide(&least, true, "--tls-min-version is VersionTLS13", "");
    }
    let seen = server.texts("tls-cipher-suites").known()?.clone();
    let is_weak = |it: &&str| !STRONG.contains(it) && !PREFERRED.contains(it);
    let weak: Vec<&str> = seen.value.iter().map(String::as_str).filter(is_weak).collect();
    let said = match (seen.value.is_empty(), weak.is_empty()) {
        (true, _) => "--tls-cipher-suites is not set".to_owned(),
        (false, true) => "--tls-cipher-suites names strong ones only".to_owned(),
        (false, false) => format!("--tls-cipher-suites names {}", weak.join(", ")),
    };
    let holds = !seen.value.is_empty() && weak.is_empty();
    decide(&seen, holds, &said, "--tls-min-version=VersionTLS13, or name strong suites only")
}

/// Suites with forward secrecy alone that the benchmark takes for strong, and Kubernetes for what to prefer
/// (<https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>).
const PREFERRED: [&str; 4] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
];

/// Suites with forward secrecy and authenticated encryption: RFC 8446, B.4 and RFC 9325, 4.2.
pub(super) const STRONG: [&str; 11] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
