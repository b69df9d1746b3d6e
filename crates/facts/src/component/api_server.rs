//! What an API server's flags and files come to together.
//!
//! Never here: whether that is good.

use std::collections::BTreeSet;

use serde::Deserialize;

use ringfort_model::judgement::Gap;
use ringfort_model::version::Minor;

use super::admission::{self, PodSecurity};
use super::authentication::{self, Anonymous};
use super::encryption::Encryption;
use super::files::unseen;
use super::settings::{Release, Settings};
use super::value::Value;
use crate::fact::{Fact, Seen, Source};

const GROUP: &str = "apiserver.config.k8s.io";

/// Who decides whether a request is let through, in its order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorizer {
    /// What kubelets may, by their Pods.
    Node,
    /// Roles and bindings.
    Rbac,
    /// Another server.
    Webhook {
        /// Its name; empty where flags say so.
        name: String,
    },
    /// A file of rules.
    Abac,
    /// Everything is let through.
    AlwaysAllow,
    /// Nothing is.
    AlwaysDeny,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
}

/// Gives how requests without a name are taken.
pub fn anonymous(server: &Settings) -> Fact<Anonymous> {
    read_anonymous(server).into()
}

/// Gives who decides whether a request is let through.
pub fn authorizers(server: &Settings) -> Fact<Vec<Authorizer>> {
    read_authorizers(server).into()
}

/// Gives the admission plugins that run.
pub fn admission_plugins(server: &Settings) -> Fact<BTreeSet<String>> {
    read_plugins(server).into()
}

/// Says whether an admission plugin runs. Without a minor it is known where that is the same in every one.
pub fn runs_plugin(server: &Settings, name: &str) -> Fact<bool> {
    read_runs(server, name).into()
}

/// Gives what `PodSecurity` asks of Pods in namespaces that say nothing; where the plugin does not run,
/// nothing is asked.
pub fn pod_security(server: &Settings) -> Fact<PodSecurity> {
    read_pod_security(server).into()
}

/// Gives the directory from which a plugin loads policies that are files; none where it is told none.
pub fn static_manifests(server: &Settings, plugin: &str) -> Fact<Option<String>> {
    read_static_manifests(server, plugin).into()
}

/// Gives how objects are written to etcd.
pub fn encryption(server: &Settings) -> Fact<Encryption> {
    read_encryption(server).into()
}

fn read_anonymous(server: &Settings) -> Result<Seen<Anonymous>, Gap> {
    if let Some(path) = named(server, "authentication-config")? {
        let document = server.files.document(&path, GROUP, "AuthenticationConfiguration")?;
        if let Some(value) = authentication::anonymous(&path, document)? {
            // With both, an API server does not start.
            return match server.is_given("anonymous-auth")? {
                true => Err(unseen(&path, "says what --anonymous-auth says as well")),
                false => Ok(Seen { value, source: Source::File(path) }),
            };
        }
    }
    let Seen { value, source } = server.alone("anonymous-auth")?;
    let value = match value != Value::Boolean(false) && !allows_everything(server)? {
        true => Anonymous::Everywhere,
        false => Anonymous::Off,
    };
    Ok(Seen { value, source })
}

/// Says whether flags let everything through: an API server takes no requests without a name then
/// (pkg/kubeapiserver/options/authentication.go, `ApplyAuthorization`).
fn allows_everything(server: &Settings) -> Result<bool, Gap> {
    if named(server, "authorization-config")?.is_some() {
        return Ok(false);
    }
    let modes = server.texts("authorization-mode").known()?.value.clone();
    Ok(modes.iter().any(|mode| mode == "AlwaysAllow"))
}

fn read_authorizers(server: &Settings) -> Result<Seen<Vec<Authorizer>>, Gap> {
    let Some(path) = named(server, "authorization-config")? else {
        let modes = server.texts("authorization-mode");
        let read = modes.then(|modes| {
            let written = modes.into_iter().map(|kind| Written { kind, name: String::new() });
            let read: Option<_> = written.map(authorizer).collect();
            read.ok_or_else(|| unseen("--authorization-mode", "names what is not known here"))
        });
        return read.known().cloned();
    };
    if server.is_given("authorization-mode")? {
        return Err(unseen(&path, "says what --authorization-mode says as well"));
    }
    let document = server.files.document(&path, GROUP, "AuthorizationConfiguration")?;
    let written: Vec<Written> = serde_json::from_value(document["authorizers"].clone())
        .map_err(|error| unseen(&path, &format!("cannot be read: {error}")))?;
    let value: Option<Vec<_>> = written.into_iter().map(authorizer).collect();
    match value.filter(|value| !value.is_empty()) {
        Some(value) => Ok(Seen { value, source: Source::File(path) }),
        None => Err(unseen(&path, "names no authorizer that is known here")),
    }
}

fn authorizer(Written { kind, name }: Written) -> Option<Authorizer> {
    Some(match kind.as_str() {
        "Node" => Authorizer::Node,
        "RBAC" => Authorizer::Rbac,
        "Webhook" => Authorizer::Webhook { name },
        "ABAC" => Authorizer::Abac,
        "AlwaysAllow" => Authorizer::AlwaysAllow,
        "AlwaysDeny" => Authorizer::AlwaysDeny,
        _ => return None,
    })
}

fn read_plugins(server: &Settings) -> Result<Seen<BTreeSet<String>>, Gap> {
    let minor = server.minor.known()?.value;
    let listed = server.texts("admission-control");
    if server.is_given("admission-control")? {
        // The old flag names all that run (pkg/kubeapiserver/options/admission.go, ApplyTo).
        return listed.then(|names| Ok(names.into_iter().collect())).known().cloned();
    }
    let on = server.texts("enable-admission-plugins").known()?.clone();
    let off = server.texts("disable-admission-plugins").known()?.clone();
    if let Some(both) = on.value.iter().find(|name| off.value.contains(name)) {
        return Err(unseen(both, "is switched on and off, and no API server starts so"));
    }
    let value = admission::plugins(minor, &on.value, &off.value);
    Ok(Seen { value, source: on.source })
}

fn read_runs(server: &Settings, name: &str) -> Result<Seen<bool>, Gap> {
    server.minor.is_not_foreign()?;
    let mut found: Option<Seen<bool>> = None;
    for minor in Minor::ALL {
        let known = server.minor.known().ok().cloned();
        let minor = known.unwrap_or(Seen { value: minor, source: Source::CommandLine });
        let of_minor = Settings { minor: Release::Of(minor), ..server.clone() };
        let Seen { value, source } = read_plugins(&of_minor)?;
        let runs = value.contains(name);
        if found.as_ref().is_some_and(|before| before.value != runs) {
            return Err(server
                .minor
                .known()
                .err()
                .unwrap_or_else(|| unseen(name, "runs in some minors and not in others")));
        }
        found = Some(Seen { value: runs, source });
    }
    found.ok_or_else(|| unseen(name, "is not known of any minor"))
}

fn read_pod_security(server: &Settings) -> Result<Seen<PodSecurity>, Gap> {
    let plugins = read_plugins(server)?;
    if !plugins.value.contains("PodSecurity") {
        return Ok(Seen { value: PodSecurity::unset(), source: plugins.source });
    }
    match named(server, "admission-control-config-file")? {
        Some(path) => {
            let value = PodSecurity::read(&server.files, &path)?;
            Ok(Seen { value, source: Source::File(path) })
        }
        None => Ok(unset(server, PodSecurity::unset())),
    }
}

fn read_static_manifests(server: &Settings, plugin: &str) -> Result<Seen<Option<String>>, Gap> {
    match named(server, "admission-control-config-file")? {
        Some(path) => {
            let value = admission::static_manifests(&server.files, &path, plugin)?;
            Ok(Seen { value, source: Source::File(path) })
        }
        None => Ok(unset(server, None)),
    }
}

fn read_encryption(server: &Settings) -> Result<Seen<Encryption>, Gap> {
    match named(server, "encryption-provider-config")? {
        Some(path) => {
            let document = server.files.document(&path, GROUP, "EncryptionConfiguration")?;
            let value = Encryption::read(&path, &document)?;
            Ok(Seen { value, source: Source::File(path) })
        }
        None => Ok(unset(server, Encryption::default())),
    }
}

fn unset<T>(server: &Settings, value: T) -> Seen<T> {
    Seen { value, source: Source::Default(server.component.to_string()) }
}

/// Gives the file that a flag names; `None` where it names none.
fn named(server: &Settings, flag: &str) -> Result<Option<String>, Gap> {
    let path = server.text(flag).known()?.value.clone();
    Ok((!path.is_empty()).then_some(path))
}

#[cfg(test)]
mod tests;
