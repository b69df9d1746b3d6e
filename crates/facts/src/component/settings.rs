//! What one flag comes to: as given, by the environment, by a configuration file, or by default.
//!
//! Never here: the kubelet's configuration, which has a room of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use ringfort_model::judgement::Gap;
use ringfort_model::version::Minor;

use super::Component;
use super::command_line::CommandLine;
use super::files::{Files, unseen};
use super::flag;
use super::merge;
use super::value::{COVERED, Kind, Value};
use crate::fact::{Fact, Seen, Source};

/// The minor of a component, as far as it is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Release {
    /// This one.
    Of(Seen<Minor>),
    /// Nothing tells of it. It may be any that is known here.
    Unseen(Gap),
    /// It was seen, and is none that is known here: neither is what it takes where nothing is set.
    Foreign(Gap),
}

impl From<Fact<Minor>> for Release {
    fn from(minor: Fact<Minor>) -> Self {
        match minor {
            Fact::Known(seen) => Self::Of(seen),
            Fact::Missing(gap) => Self::Unseen(gap),
        }
    }
}

impl Release {
    /// Gives the minor.
    ///
    /// # Errors
    /// It is not known.
    pub fn known(&self) -> Result<&Seen<Minor>, Gap> {
        match self {
            Self::Of(seen) => Ok(seen),
            Self::Unseen(gap) | Self::Foreign(gap) => Err(gap.clone()),
        }
    }

    /// Says that what is the same in every minor that is known here is so of this one.
    ///
    /// # Errors
    /// It is of none of them.
    pub(super) fn is_not_foreign(&self) -> Result<(), Gap> {
        match self {
            Self::Of(_) | Self::Unseen(_) => Ok(()),
            Self::Foreign(gap) => Err(gap.clone()),
        }
    }
}

/// What was observed of a component that runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Which it is.
    pub component: Component,
    /// The minor of Kubernetes that it is of.
    pub minor: Release,
    /// Its command line.
    pub command_line: Fact<CommandLine>,
    /// Its environment; only etcd takes settings from there.
    pub environment: Fact<BTreeMap<String, String>>,
    /// The files of its machine.
    pub files: Files,
}

impl Settings {
    /// Gives what a flag comes to.
    pub fn value(&self, name: &str) -> Fact<Value> {
        match self.configuration() {
            Err(gap) if is_shadowed(self.component, name) => Fact::Missing(gap),
            Ok(Some(path)) if is_shadowed(self.component, name) => self.in_file(&path, name).into(),
            _ => match self.decides_instead(name) {
                Ok(None) => self.alone(name).into(),
                Ok(Some(gap)) | Err(gap) => Fact::Missing(gap),
            },
        }
    }

    /// Gives a boolean.
    pub fn boolean(&self, name: &str) -> Fact<bool> {
        self.read(name, |value| match value {
            Value::Boolean(on) => Some(on),
            _ => None,
        })
    }

    /// Gives a number.
    pub fn number(&self, name: &str) -> Fact<i64> {
        self.read(name, |value| match value {
            Value::Number(number) => Some(number),
            _ => None,
        })
    }

    /// Gives a time span; one that is negative is a gap.
    pub fn duration(&self, name: &str) -> Fact<Duration> {
        self.read(name, |value| match value {
            Value::Nanoseconds(span) => u64::try_from(span).ok().map(Duration::from_nanos),
            _ => None,
        })
    }

    /// Gives a text; it is empty where nothing is set.
    pub fn text(&self, name: &str) -> Fact<String> {
        self.read(name, |value| match value {
            Value::Text(text) => Some(text),
            Value::Address(address) => Some(address.to_string()),
            _ => None,
        })
    }

    /// Gives texts in their order.
    pub fn texts(&self, name: &str) -> Fact<Vec<String>> {
        self.read(name, |value| match value {
            Value::List(texts) => Some(texts),
            _ => None,
        })
    }

    /// Gives the feature gates that were set; of others, their defaults hold.
    pub fn gates(&self) -> Fact<BTreeMap<String, bool>> {
        self.read("feature-gates", |value| match value {
            Value::Gates(gates) => Some(gates),
            _ => None,
        })
    }

    /// Says whether a flag stands on the command line.
    ///
    /// # Errors
    /// The command line was not seen, or cannot be read to its end.
    pub fn is_given(&self, name: &str) -> Result<bool, Gap> {
        Ok(self.command_line.known()?.value.given(name)?.is_some())
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(Value) -> Option<T>) -> Fact<T> {
        self.value(name).then(|value| read(value).ok_or_else(|| self.unreadable(name)))
    }

    /// Gives what a flag comes to where no file takes its place.
    pub(super) fn alone(&self, name: &str) -> Result<Seen<Value>, Gap> {
        let line = &self.command_line.known()?.value;
        let Some(kind) = flag::kind(self.component, name) else {
            return Err(Gap {
                said: format!("--{name} is no flag of {} that is known here", self.component),
                closes: "a version that is known here".to_owned(),
            });
        };
        let unreadable = || self.unreadable(name);
        if let Some(given) = line.given(name)? {
            uncovered(given.iter(), || format!("--{name}"))?;
            let value = kind.read(given).ok_or_else(unreadable)?;
            if let Some(value) = self.kept(name, value) {
                return Ok(Seen { value, source: Source::Flag(name.to_owned()) });
            }
        } else if self.component == Component::Etcd
            && let Some((variable, text)) = self.variable(name)?
        {
            let value = kind.read(&[text]).ok_or_else(unreadable)?;
            return Ok(Seen { value, source: Source::Environment(variable) });
        }
        self.default(name)
    }

    /// Says that a file of the API server may decide what a flag, which is not given, would.
    fn decides_instead(&self, name: &str) -> Result<Option<Gap>, Gap> {
        let by = DECIDED.iter().find(|decided| decided.0 == name);
        let Some((_, by)) = by.filter(|_| self.component == Component::ApiServer) else {
            return Ok(None);
        };
        let is_named = self.alone(by)?.value != Value::Text(String::new());
        let gap = unseen(name, &format!("is decided by the file of --{by}, if it says so"));
        Ok((is_named && !self.is_given(name)?).then_some(gap))
    }

    /// Takes an empty list of authorisers for none given, as the API server does when it completes its
    /// options: it allows everything then.
    fn kept(&self, name: &str, value: Value) -> Option<Value> {
        let is_none = self.component == Component::ApiServer
            && name == "authorization-mode"
            && value == Value::List(Vec::new());
        (!is_none).then_some(value)
    }

    /// Gives a variable of etcd for a flag that is not given; one that is empty is none.
    fn variable(&self, name: &str) -> Result<Option<(String, String)>, Gap> {
        let variable = format!("ETCD_{}", name.replace('-', "_").to_uppercase());
        let set = self.environment.known()?.value.get(&variable).filter(|text| !text.is_empty());
        Ok(set.cloned().map(|text| (variable, text)))
    }

    fn default(&self, name: &str) -> Result<Seen<Value>, Gap> {
        self.minor.is_not_foreign()?;
        let minor = match flag::default_is_one(self.component, name) {
            true => Minor::V1_37,
            false => self.minor.known()?.value,
        };
        let Some(value) = flag::default(self.component, name, minor) else {
            return Err(Gap {
                said: format!(
                    "--{name} of {} is not given, and its default is not known here",
                    self.component
                ),
                closes: format!("--{name} on its command line"),
            });
        };
        Ok(Seen { value, source: Source::Default(self.component.to_string()) })
    }

    /// Names the configuration file that takes the place of flags; `None` where there is none.
    fn configuration(&self) -> Result<Option<String>, Gap> {
        let name = match self.component {
            Component::Etcd => "config-file",
            Component::Scheduler | Component::Proxy => "config",
            _ => return Ok(None),
        };
        match self.alone(name)?.value {
            Value::Text(path) => Ok((!path.is_empty()).then_some(path)),
            _ => Err(self.unreadable(name)),
        }
    }

    /// Gives what stands in a configuration file in place of a flag.
    fn in_file(&self, path: &str, name: &str) -> Result<Seen<Value>, Gap> {
        let place = PLACES.iter().find(|place| place.0 == self.component && place.1 == name);
        let Some((_, _, field)) = place else {
            return Err(unseen(
                path,
                &format!("takes the place of --{name}, and is not read for it"),
            ));
        };
        let document = self.document(path)?;
        let found = merge::field(&document, field)
            .map_err(|error| unseen(path, &error.to_string()))?
            .filter(|found| found.as_str() != Some(""));
        uncovered(found.and_then(Json::as_str).iter(), || format!("{field} in {path}"))?;
        let Some(found) = found else {
            return match self.component == Component::Proxy && follows_bind_address(&document, name)
            {
                true => Err(unseen(path, &format!("leaves {field} to follow its bindAddress"))),
                false => self.default(name),
            };
        };
        let value = flag::kind(self.component, name)
            .and_then(|kind| merge::decode(field_kind(kind), found))
            .ok_or_else(|| unseen(path, &format!("has a {field} that cannot be read")))?;
        Ok(Seen { value, source: Source::File(path.to_owned()) })
    }

    fn document(&self, path: &str) -> Result<Json, Gap> {
        match self.component {
            Component::Scheduler => self.files.document(
                path,
                "kubescheduler.config.k8s.io",
                "KubeSchedulerConfiguration",
            ),
            Component::Proxy => {
                self.files.document(path, "kubeproxy.config.k8s.io", "KubeProxyConfiguration")
            }
            _ => self.files.settings(path),
        }
    }

    fn unreadable(&self, name: &str) -> Gap {
        Gap {
            said: format!("what --{name} of {} is set to cannot be read", self.component),
            closes: format!("a value of --{name} that can be read"),
        }
    }
}

/// Says that none of these texts stands for a secret that was not taken.
///
/// # Errors
/// One does: what it is, nobody can judge.
pub(super) fn uncovered<T: AsRef<str>>(
    mut texts: impl Iterator<Item = T>,
    at: impl Fn() -> String,
) -> Result<(), Gap> {
    match texts.any(|text| text.as_ref() == COVERED) {
        false => Ok(()),
        true => Err(Gap {
            said: format!("what {} is set to was covered as a secret when facts were taken", at()),
            closes: format!("{} as a file that is named, or judged by hand", at()),
        }),
    }
}

/// Says whether a configuration file, where one is named, is asked instead of a flag.
///
/// etcd ignores all flags then (etcdmain/config.go, parse); the scheduler those of the fields of its
/// file (cmd/kube-scheduler/app/options, ApplyTo); kube-proxy all but a few (cmd/kube-proxy/app/options.go,
/// Complete).
fn is_shadowed(component: Component, name: &str) -> bool {
    match component {
        Component::Etcd => name != "config-file",
        Component::Scheduler => SCHEDULER_FIELDS.contains(&name),
        Component::Proxy => !PROXY_FLAGS.contains(&name),
        _ => false,
    }
}

/// Says whether kube-proxy would take an address of IPv6 by default, since it binds to one
/// (pkg/proxy/apis/config/v1alpha1/defaults.go).
fn follows_bind_address(document: &Json, name: &str) -> bool {
    let is_v4 = match merge::field(document, "bindAddress") {
        Ok(None) => true,
        Ok(Some(found)) => found.as_str().is_some_and(|text| !text.contains(':')),
        Err(_) => false,
    };
    name.ends_with("bind-address") && !is_v4
}

/// A file writes numbers and booleans as such, and addresses as texts.
fn field_kind(kind: Kind) -> Kind {
    match kind {
        Kind::Switches | Kind::Map | Kind::Array => Kind::Opaque,
        kind => kind,
    }
}

/// Flags of the API server, and those that name files which may decide in their place: what comes of
/// both is told by [`super::api_server`].
const DECIDED: &[(&str, &str)] =
    &[("anonymous-auth", "authentication-config"), ("authorization-mode", "authorization-config")];

const SCHEDULER_FIELDS: &[&str] = &[
    "contention-profiling",
    "kube-api-burst",
    "kube-api-content-type",
    "kube-api-qps",
    "kubeconfig",
    "profiling",
];

const PROXY_FLAGS: &[&str] =
    &["cleanup", "config", "help", "hostname-override", "init-only", "v", "version", "vmodule"];

/// Where in a configuration file stands what a flag would set.
const PLACES: &[(Component, &str, &str)] = &[
    (Component::Etcd, "auto-tls", "client-transport-security.auto-tls"),
    (Component::Etcd, "cert-file", "client-transport-security.cert-file"),
    (Component::Etcd, "client-cert-auth", "client-transport-security.client-cert-auth"),
    (Component::Etcd, "client-cert-file", "client-transport-security.client-cert-file"),
    (Component::Etcd, "client-key-file", "client-transport-security.client-key-file"),
    (Component::Etcd, "enable-pprof", "enable-pprof"),
    (Component::Etcd, "key-file", "client-transport-security.key-file"),
    (Component::Etcd, "listen-client-urls", "listen-client-urls"),
    (Component::Etcd, "listen-metrics-urls", "listen-metrics-urls"),
    (Component::Etcd, "listen-peer-urls", "listen-peer-urls"),
    (Component::Etcd, "peer-auto-tls", "peer-transport-security.auto-tls"),
    (Component::Etcd, "peer-cert-file", "peer-transport-security.cert-file"),
    (Component::Etcd, "peer-client-cert-auth", "peer-transport-security.client-cert-auth"),
    (Component::Etcd, "peer-client-cert-file", "peer-transport-security.client-cert-file"),
    (Component::Etcd, "peer-client-key-file", "peer-transport-security.client-key-file"),
    (Component::Etcd, "peer-key-file", "peer-transport-security.key-file"),
    (Component::Etcd, "peer-trusted-ca-file", "peer-transport-security.trusted-ca-file"),
    (Component::Etcd, "trusted-ca-file", "client-transport-security.trusted-ca-file"),
    (Component::Proxy, "profiling", "enableProfiling"),
    (Component::Proxy, "metrics-bind-address", "metricsBindAddress"),
    (Component::Proxy, "healthz-bind-address", "healthzBindAddress"),
    (Component::Proxy, "proxy-mode", "mode"),
    (Component::Proxy, "kubeconfig", "clientConnection.kubeconfig"),
    (Component::Scheduler, "contention-profiling", "enableContentionProfiling"),
    (Component::Scheduler, "kubeconfig", "clientConnection.kubeconfig"),
    (Component::Scheduler, "profiling", "enableProfiling"),
];

#[cfg(test)]
mod tests;
