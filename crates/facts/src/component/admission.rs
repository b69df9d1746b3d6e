//! Which admission plugins an API server runs, and what `PodSecurity` asks by default.
//!
//! Never here: what namespaces ask by their labels.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Json;

use ringfort_model::judgement::Gap;
use ringfort_model::pod_security::{Level, Policy, Version};
use ringfort_model::version::Minor;

use super::files::{Files, unseen};

/// What `PodSecurity` asks of Pods in namespaces that say nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PodSecurity {
    /// What is refused.
    pub enforce: Policy,
    /// What is told to the audit log.
    pub audit: Policy,
    /// What is told to the user.
    pub warn: Policy,
    /// Who and what is let through unseen.
    pub exemptions: Exemptions,
}

/// Who and what `PodSecurity` lets through unseen.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Exemptions {
    /// Users.
    pub usernames: BTreeSet<String>,
    /// Runtime classes.
    pub runtime_classes: BTreeSet<String>,
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Defaults {
    enforce: Option<Level>,
    enforce_version: Option<Version>,
    audit: Option<Level>,
    audit_version: Option<Version>,
    warn: Option<Level>,
    warn_version: Option<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whole {
    #[serde(rename = "apiVersion")]
    _api_version: Json,
    #[serde(rename = "kind")]
    _kind: Json,
    defaults: Defaults,
    exemptions: Exemptions,
}

impl PodSecurity {
    /// Gives what is asked where nothing is configured: nothing.
    pub fn unset() -> Self {
        Self::of(Whole::default())
    }

    /// Reads what an `AdmissionConfiguration` says of it; its own file may be named there.
    ///
    /// # Errors
    /// A file is missing, or is not what an API server would have started with.
    pub fn read(files: &Files, path: &str) -> Result<Self, Gap> {
        match configuration(files, path, "PodSecurity")? {
            Some((own, document)) => Self::parse(&own, document),
            None => Ok(Self::unset()),
        }
    }

    fn parse(path: &str, document: Json) -> Result<Self, Gap> {
        if document["kind"] != "PodSecurityConfiguration" {
            return Err(unseen(path, "holds no PodSecurityConfiguration"));
        }
        serde_json::from_value(document)
            .map(Self::of)
            .map_err(|error| unseen(path, &format!("cannot be read: {error}")))
    }

    /// What is left out is `privileged`, and `latest` (pod-security-admission, SetDefaults).
    fn of(Whole { defaults, exemptions, .. }: Whole) -> Self {
        let standard = |level: Option<Level>, version: Option<Version>| Policy {
            level: level.unwrap_or(Level::Privileged),
            version: version.unwrap_or(Version::Latest),
        };
        Self {
            enforce: standard(defaults.enforce, defaults.enforce_version),
            audit: standard(defaults.audit, defaults.audit_version),
            warn: standard(defaults.warn, defaults.warn_version),
            exemptions,
        }
    }
}

/// Gives the directory from which a plugin loads policies that are files, if an `AdmissionConfiguration` names one.
///
/// # Errors
/// A file is missing, or is not what an API server would have started with.
pub(super) fn static_manifests(
    files: &Files,
    path: &str,
    plugin: &str,
) -> Result<Option<String>, Gap> {
    let Some((own, document)) = configuration(files, path, plugin)? else { return Ok(None) };
    match &document["staticManifestsDir"] {
        Json::Null => Ok(None),
        Json::String(directory) => Ok(Some(directory.clone()).filter(|it| !it.is_empty())),
        _ => Err(unseen(&own, "names a directory of policies that is no text")),
    }
}

/// Gives what an `AdmissionConfiguration` says of a plugin, with the file that says it: its own may be named there.
fn configuration(files: &Files, path: &str, plugin: &str) -> Result<Option<(String, Json)>, Gap> {
    const GROUP: &str = "apiserver.config.k8s.io";
    let document = files.document(path, GROUP, "AdmissionConfiguration")?;
    let plugins = match document.get("plugins") {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Array(plugins)) => plugins,
        Some(_) => return Err(unseen(path, "has plugins that are no list")),
    };
    // The first that is called so counts.
    let Some(found) = plugins.iter().find(|it| it["name"] == plugin) else { return Ok(None) };
    match (&found["configuration"], &found["path"]) {
        (Json::Null, Json::Null) => Ok(None),
        (Json::Null, Json::String(own)) if own.is_empty() => Ok(None),
        (Json::Null, Json::String(own)) => {
            let own = beside(path, own);
            let document = files.settings(&own)?;
            Ok(Some((own, document)))
        }
        (configuration, _) => Ok(Some((path.to_owned(), configuration.clone()))),
    }
}

/// A path that is not absolute is meant from the directory of the file that names it.
fn beside(path: &str, own: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, _)) if !own.starts_with('/') => format!("{directory}/{own}"),
        _ => own.to_owned(),
    }
}

/// Gives the plugins that run when these are switched on and off: those on by default, without what is
/// switched off, and what is switched on in any case.
pub fn plugins(minor: Minor, on: &[String], off: &[String]) -> BTreeSet<String> {
    let by_default = ON_BY_DEFAULT
        .iter()
        .filter(|(_, first, last)| (*first..=*last).contains(&minor.number()))
        .map(|(name, _, _)| (*name).to_owned())
        .filter(|name| !off.contains(name));
    by_default.chain(on.iter().cloned()).collect()
}

/// Plugins that are on by default, with the first and last minor in which they are:
/// pkg/kubeapiserver/options/plugins.go, `DefaultOffAdmissionPlugins`.
const ON_BY_DEFAULT: &[(&str, u32, u32)] = &[
    ("CertificateApproval", 35, 37),
    ("CertificateSigning", 35, 37),
    ("CertificateSubjectRestriction", 35, 37),
    ("ClusterTrustBundleAttest", 35, 37),
    ("DefaultIngressClass", 35, 37),
    ("DefaultStorageClass", 35, 37),
    ("DefaultTolerationSeconds", 35, 37),
    ("JobValidation", 36, 36),
    ("LimitRanger", 35, 37),
    ("MutatingAdmissionPolicy", 35, 37),
    ("MutatingAdmissionWebhook", 35, 37),
    ("NamespaceLifecycle", 35, 37),
    ("NodeDeclaredFeatureValidator", 35, 37),
    ("PersistentVolumeClaimResize", 35, 37),
    ("PodGroupProtection", 36, 37),
    ("PodGroupWorkloadExists", 36, 36),
    ("PodResizeValidator", 36, 37),
    ("PodSecurity", 35, 37),
    ("PodTopologyLabels", 35, 37),
    ("Priority", 35, 37),
    ("ResourceQuota", 35, 37),
    ("RuntimeClass", 35, 37),
    ("ServiceAccount", 35, 37),
    ("StorageObjectInUseProtection", 35, 37),
    ("TaintNodesByCondition", 35, 37),
    ("ValidatingAdmissionPolicy", 35, 37),
    ("ValidatingAdmissionWebhook", 35, 37),
];

#[cfg(test)]
mod tests {
    use super::{Files, Level, PodSecurity};
    use crate::component::files::FileSeen;

    const HEAD: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n";

    #[test]
    fn pod_security_is_read_from_where_it_is_configured() {
        let check = |text: &str, own: Option<&str>, expected: Option<Level>| {
            let mut files = Files::default();
            let text = format!("{HEAD}{text}");
            files.texts.insert("/k/a".to_owned(), FileSeen::Text(text.clone()));
            if let Some(own) = own {
                files.texts.insert("/k/p".to_owned(), FileSeen::Text(own.to_owned()));
            }
            let level = PodSecurity::read(&files, "/k/a").ok().map(|read| read.enforce.level);
            assert_eq!(level, expected, "{text} {own:?}");
        };
        let own = "kind: PodSecurityConfiguration\ndefaults: {enforce: restricted}\n";
        check("", None, Some(Level::Privileged));
        check("plugins: [{name: EventRateLimit, path: p}]", None, Some(Level::Privileged));
        check("plugins: [{name: PodSecurity, path: p}]", Some(own), Some(Level::Restricted));
        check("plugins: [{name: PodSecurity, path: p}]", None, None);
        let inline = "plugins: [{name: PodSecurity, configuration: {kind: PodSecurityConfiguration, defaults: {enforce: baseline}}}]";
        check(inline, None, Some(Level::Baseline));
        check(&inline.replace("enforce", "Enforce"), None, None);
        check(&inline.replace("baseline", "strict"), None, None);
        let version = |version: &str| {
            inline.replace("baseline", &format!("baseline, enforce-version: {version}"))
        };
        check(&version("v1.36"), None, Some(Level::Baseline));
        check(&version("newest"), None, None);
        check("plugins: {}", None, None);
    }
}
