//! An audit policy, tried on requests that matter: the first rule that fits decides.
//!
//! What a rule says wrongly, or in words that are not known here, is a gap of the whole policy.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use ringfort_model::judgement::Gap;

/// A policy (`audit.k8s.io`, `Policy`).
#[derive(Debug)]
pub(super) struct Policy {
    rules: Vec<Rule>,
    omitted: Vec<String>,
}

/// How much is written down.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
enum Level {
    None,
    Metadata,
    Request,
    RequestResponse,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<Resources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs", default)]
    paths: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<String>,
    #[serde(rename = "omitManagedFields", default)]
    _omit_managed_fields: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Resources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Whole {
    #[serde(rename = "apiVersion")]
    _api_version: Value,
    #[serde(rename = "kind")]
    _kind: Value,
    #[serde(rename = "metadata", default)]
    _metadata: Value,
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<String>,
    #[serde(rename = "omitManagedFields", default)]
    _omit_managed_fields: bool,
}

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    /// As whom.
    pub(super) user: String,
    /// The groups that count for them.
    pub(super) groups: Vec<String>,
}

impl Who {
    /// Somebody who signed in and whom no policy names.
    fn stranger() -> Self {
        Self { user: String::new(), groups: vec![EVERYBODY.to_owned()] }
    }
}

/// A request that matters.
struct Request {
    verb: &'static str,
    group: &'static str,
    /// With its subresource behind a slash.
    resource: &'static str,
    /// The least and the most that should be written down.
    levels: (Level, Level),
}

impl Request {
    /// Whether what is asked for lives beside all namespaces.
    fn is_beside_namespaces(&self) -> bool {
        let kind = self.resource.split('/').next().unwrap_or_default();
        matches!(kind, "nodes" | "namespaces" | "tokenreviews")
            || kind.starts_with("clusterrole")
            || kind.starts_with("validatingwebhook")
            || kind.starts_with("certificatesigning")
    }

    /// Names the namespaces in which it is tried; an empty name where it is in none.
    fn places(&self) -> &'static [&'static str] {
        if self.is_beside_namespaces() { &[""] } else { &NAMESPACES }
    }

    /// Whether it goes on for as long as somebody wants: only of such an API server says that it has begun to
    /// answer (cmd/kube-apiserver, `BasicLongRunningRequestCheck`).
    fn goes_on(&self) -> bool {
        let part = self.resource.split_once('/').map_or("", |(_, part)| part);
        self.verb == "watch" || LASTING.contains(&part)
    }

    /// Names the stages of which one is enough to know of it.
    fn stages(&self) -> &'static [&'static str] {
        if self.goes_on() {
            &["ResponseComplete", "ResponseStarted"]
        } else {
            &["ResponseComplete"]
        }
    }
}

/// What goes on below pods, services and nodes.
const LASTING: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

const fn request(verb: &'static str, group: &'static str, resource: &'static str) -> Request {
    Request { verb, group, resource, levels: (Level::Metadata, Level::RequestResponse) }
}

/// A request whose body is a secret.
const fn secret(verb: &'static str, group: &'static str, resource: &'static str) -> Request {
    Request { levels: (Level::Metadata, Level::Metadata), ..request(verb, group, resource) }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// What the benchmark calls key concerns: secrets, pods and what is done in them, rights, and who passes
/// through to other servers.
#[rustfmt::skip]
const REQUESTS: &[Request] = &[
    secret("get", "", "secrets"),
    secret("list", "", "secrets"),
    secret("create", "", "secrets"),
    secret("update", "", "secrets"),
    request("delete", "", "secrets"),
    secret("create", "authentication.k8s.io", "tokenreviews"),
    // The token is in the answer alone.
    Request {
        levels: (Level::Metadata, Level::Request),
        ..request("create", "", "serviceaccounts/token")
    },
    secret("patch", "", "secrets"),
    // What was deleted is in the answer.
    Request {
        levels: (Level::Metadata, Level::Request),
        ..request("deletecollection", "", "secrets")
    },
    request("create", "", "configmaps"),
    request("update", "", "configmaps"),
    request("patch", "", "configmaps"),
    request("create", "", "pods"),
    request("update", "", "pods"),
    request("patch", "", "pods"),
    request("delete", "", "pods"),
    request("deletecollection", "", "pods"),
    request("update", "", "pods/ephemeralcontainers"),
    request("patch", "", "pods/ephemeralcontainers"),
    request("create", "", "pods/exec"),
    request("get", "", "pods/exec"),
    request("create", "", "pods/attach"),
    request("create", "", "pods/portforward"),
    request("get", "", "pods/proxy"),
    request("get", "", "services/proxy"),
    request("get", "", "nodes/proxy"),
    request("create", "apps", "deployments"),
    request("update", "apps", "deployments"),
    request("patch", "apps", "deployments"),
    request("create", "apps", "daemonsets"),
    request("patch", "apps", "daemonsets"),
    request("create", RBAC, "roles"),
    request("update", RBAC, "roles"),
    request("patch", RBAC, "roles"),
    request("create", RBAC, "rolebindings"),
    request("update", RBAC, "rolebindings"),
    request("patch", RBAC, "rolebindings"),
    request("deletecollection", RBAC, "rolebindings"),
    request("create", RBAC, "clusterroles"),
    request("update", RBAC, "clusterroles"),
    request("patch", RBAC, "clusterroles"),
    request("create", RBAC, "clusterrolebindings"),
    request("update", RBAC, "clusterrolebindings"),
    request("patch", RBAC, "clusterrolebindings"),
    request("delete", RBAC, "clusterrolebindings"),
    request("update", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    request("patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    request("delete", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    request("create", "certificates.k8s.io", "certificatesigningrequests"),
    request("delete", "", "namespaces"),
];

/// Where requests are made: in the namespace that rules spare most, and in another.
const NAMESPACES: [&str; 2] = ["default", "kube-system"];

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// It is none that an API server would have started with.
    pub(super) fn read(path: &str, document: &Value) -> Result<Self, Gap> {
        let read = serde_json::from_value(document.clone());
        let whole: Whole = read.map_err(|error| Gap {
            said: format!("{path} cannot be read: {error}"),
            closes: format!("an audit policy at {path} as API servers read it"),
        })?;
        Ok(Self { rules: whole.rules, omitted: whole.omit_stages })
    }

    /// Counts the rules.
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Says of which requests too little is written down, or too much.
    pub(super) fn faults(&self) -> Vec<String> {
        REQUESTS.iter().filter_map(|request| self.fault(request)).collect()
    }

    /// Names a request that matters and is not written down where somebody makes it: a rule for one namespace hides
    /// what is done there.
    pub(super) fn hides(&self, who: &Who) -> Option<String> {
        let named: BTreeSet<&str> =
            self.rules.iter().flat_map(|rule| &rule.namespaces).map(String::as_str).collect();
        REQUESTS.iter().find_map(|request| {
            let more = named.iter().copied().filter(|_| !request.is_beside_namespaces());
            let mut places = request.places().iter().copied().chain(more);
            let namespace =
                places.find(|namespace| self.level(request, namespace, who) == Level::None)?;
            let Request { verb, resource, .. } = request;
            Some(format!("{verb} {resource}{}", within(namespace)))
        })
    }

    /// Names for each rule the users and the groups that it is for; none where it is for all of them.
    pub(super) fn named(&self) -> impl Iterator<Item = (&[String], &[String])> {
        self.rules.iter().map(|rule| (rule.users.as_slice(), rule.user_groups.as_slice()))
    }

    fn fault(&self, request: &Request) -> Option<String> {
        let Request { verb, resource, levels: (least, most), .. } = request;
        request.places().iter().find_map(|namespace| {
            let fault = match self.level(request, namespace, &Who::stranger()) {
                level if level < *least => "is not written down",
                level if level > *most => "is written down with the secret in it",
                _ => return None,
            };
            Some(format!("{verb} {resource}{} {fault}", within(namespace)))
        })
    }

    /// A rule that names objects fits others than those that matter. No rule, and nothing is written.
    fn level(&self, request: &Request, namespace: &str, who: &Who) -> Level {
        let Some(rule) = self.rules.iter().find(|rule| rule.fits(request, namespace, who)) else {
            return Level::None;
        };
        let omitted =
            |stage: &str| self.omitted.iter().chain(&rule.omit_stages).any(|it| it == stage);
        match request.stages().iter().all(|stage| omitted(stage)) {
            true => Level::None,
            false => rule.level,
        }
    }
}

/// Says where a request is made, if it is made in a namespace.
fn within(namespace: &str) -> String {
    if namespace.is_empty() { String::new() } else { format!(" in {namespace}") }
}

/// The group that everybody who signed in is of.
pub(super) const EVERYBODY: &str = "system:authenticated";

impl Rule {
    fn fits(&self, request: &Request, namespace: &str, who: &Who) -> bool {
        let is_for_them = (self.users.is_empty() || self.users.contains(&who.user))
            && (self.user_groups.is_empty()
                || self.user_groups.iter().any(|it| who.groups.contains(it)));
        // What is not said in a rule about paths is about no resource.
        let is_about_paths = !self.paths.is_empty() && self.resources.is_empty();
        is_for_them
            && !is_about_paths
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|it| it == namespace))
            && (self.verbs.is_empty()
                || self.verbs.iter().any(|it| it == request.verb || it == "*"))
            && (self.resources.is_empty() || self.resources.iter().any(|it| it.fits(request)))
    }
}

impl Resources {
    fn fits(&self, request: &Request) -> bool {
        let named = |name: &String| {
            let (resource, part) =
                request.resource.split_once('/').unwrap_or((request.resource, ""));
            match name.split_once('/') {
                None => name == request.resource || name == "*",
                Some(("*", of)) => !part.is_empty() && of == part,
                // The resource itself as well: pkg/audit/policy, ruleMatchesResource.
                Some((of, "*")) => of == resource,
                Some(_) => name == request.resource,
            }
        };
        self.group == request.group
            && self.resource_names.is_empty()
            && (self.resources.is_empty() || self.resources.iter().any(named))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Policy;

    fn faults(rules: &Value) -> Option<Vec<String>> {
        let document = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
        Some(Policy::read("/p", &document).ok()?.faults())
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let all = json!({"level": "Metadata"});
        assert_eq!(faults(&json!([all])), Some(vec![]));
        let silent = faults(
            &json!([{"level": "None"}, {"level": "Metadata", "resources": [{"resources": ["secrets"]}]}]),
        );
        assert!(silent.unwrap().contains(&"get secrets in default is not written down".to_owned()));
        let loud = faults(&json!([{"level": "RequestResponse"}])).unwrap();
        assert!(
            loud.contains(
                &"get secrets in default is written down with the secret in it".to_owned()
            )
        );
        assert!(!loud.iter().any(|it| it.contains("pods")), "{loud:?}");
        // Whom a rule names is not the one who matters.
        for narrow in [
            json!({"level": "None", "users": ["system:kube-proxy"]}),
            json!({"level": "None", "userGroups": ["system:nodes"]}),
            json!({"level": "None", "namespaces": ["elsewhere"]}),
            json!({"level": "None", "nonResourceURLs": ["/healthz*"]}),
            json!({"level": "None", "resources": [{"group": "", "resources": ["secrets"], "resourceNames": ["a"]}]}),
        ] {
            assert_eq!(faults(&json!([narrow, all])), Some(vec![]), "{narrow}");
        }
        let system = json!({"level": "None", "namespaces": ["kube-system"]});
        assert!(!faults(&json!([system, all])).unwrap().is_empty());
        let everybody = json!({"level": "None", "userGroups": ["system:authenticated"]});
        assert!(!faults(&json!([everybody, all])).unwrap().is_empty());
        for (named, of_pods, of_exec) in [
            ("pods/*", true, true),
            ("pods/exec", false, true),
            ("*/exec", false, true),
            ("*/*", false, false),
        ] {
            let parts = json!({"level": "None", "resources": [{"resources": [named]}]});
            let found = faults(&json!([parts, all])).unwrap().join("; ");
            assert_eq!(found.contains("create pods in default"), of_pods, "{named}: {found}");
            assert_eq!(found.contains("create pods/exec in default"), of_exec, "{named}: {found}");
        }
        assert_eq!(faults(&json!([])).map(|it| it.is_empty()), Some(false));
    }

    #[test]
    fn every_way_to_change_what_matters_is_tried() {
        let all = json!({"level": "Metadata"});
        let check = |verb: &str, group: &str, resource: &str| {
            let spared = json!({"level": "None", "verbs": [verb],
                "resources": [{"group": group, "resources": [resource]}]});
            let found = faults(&json!([spared, all])).unwrap().join("; ");
            assert!(found.contains(&format!("{verb} {resource}")), "{verb} {resource}: {found}");
        };
        for verb in ["patch", "deletecollection"] {
            for resource in ["pods", "secrets"] {
                check(verb, "", resource);
            }
        }
        for verb in ["create", "update", "patch"] {
            for resource in ["roles", "rolebindings", "clusterroles", "clusterrolebindings"] {
                check(verb, "rbac.authorization.k8s.io", resource);
            }
        }
    }

    #[test]
    fn a_policy_that_writes_no_stage_or_is_not_understood_covers_nothing() {
        let stages =
            json!({"level": "Metadata", "omitStages": ["ResponseStarted", "ResponseComplete"]});
        assert!(!faults(&json!([stages])).unwrap().is_empty());
        // Of what is over at once, the answer's end is all that is ever written.
        let ends = json!({"level": "Metadata", "omitStages": ["ResponseComplete"]});
        let found = faults(&json!([ends])).unwrap();
        assert!(found.contains(&"create pods in default is not written down".to_owned()));
        assert!(!found.iter().any(|it| it.contains("pods/exec")), "{found:?}");
        let begins = json!({"level": "Metadata", "omitStages": ["ResponseStarted"]});
        assert_eq!(faults(&json!([begins])), Some(vec![]));
        assert_eq!(faults(&json!([{"level": "Everything"}])), None);
        assert_eq!(faults(&json!([{"level": "None", "user": ["a"]}])), None);
        assert_eq!(faults(&json!({})), None);
    }
}
