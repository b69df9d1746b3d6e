//! Leaves secrets where they are: of arguments, of variables, of configuration files.

use ringfort_facts::component::value::{self, COVERED};
use serde_json::{Map, Value, json};

/// Words of names whose values are not told. What names a file says no secret.
const SECRET: [&str; 5] = ["password", "secret", "token", "credential", "passphrase"];
const HARMLESS: [&str; 16] = [
    "-file",
    "-lookup",
    "-ttl",
    "-audiences",
    "-issuer",
    "-expiration",
    "-dir",
    "-max-expiration",
    "-metrics",
    "token-auth",
    "secret-resources",
    "-webhook",
    "-version",
    "-syncs",
    "-period",
    "verificationpolicy",
];

/// Covers what arguments say that nobody else should know.
pub(super) fn arguments(words: Vec<String>) -> Vec<String> {
    let mut covers_next = false;
    let mut covered = |word: String| {
        if std::mem::take(&mut covers_next) && !word.starts_with('-') {
            return COVERED.to_owned();
        }
        let Some((name, value)) = word.split_once('=') else {
            covers_next = word.starts_with('-') && is_secret(&word);
            return without_user(&word);
        };
        // A switch that is called like a secret is none.
        let is_switch = value::boolean(value).is_some();
        match name.starts_with('-') && is_secret(name) && !is_switch {
            true => format!("{name}={COVERED}"),
            false => without_user(&word),
        }
    };
    words.into_iter().map(&mut covered).collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.replace('_', "-").to_ascii_lowercase();
    let is_harmless = HARMLESS.iter().any(|end| name.ends_with(end));
    !is_harmless && SECRET.iter().any(|word| name.contains(word))
}

/// Covers who speaks in an address, such as `https://user:password@host`.
fn without_user(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', ',']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{COVERED}{}", &rest[at..]),
        None => word.to_owned(),
    }
}

/// Keeps the names of variables, and the values of those that etcd takes for flags.
pub(super) fn variable(name: &str, value: &str) -> (String, Option<String>) {
    let is_setting = name.starts_with("ETCD_") && !is_secret(name);
    (name.to_owned(), is_setting.then(|| without_user(value)))
}

/// Keeps of an encryption configuration which provider stands where.
pub(super) fn encryption(document: &Value) -> Value {
    let mut kept = json!({"apiVersion": document["apiVersion"], "kind": document["kind"]});
    let Some(rules) = document.get("resources").and_then(Value::as_array) else { return kept };
    let rules: Vec<Value> = rules.iter().map(rule).collect();
    kept["resources"] = rules.into();
    kept
}

fn rule(rule: &Value) -> Value {
    let mut kept = Map::new();
    if let Some(names) = rule.get("resources") {
        kept.insert("resources".to_owned(), names.clone());
    }
    if let Some(providers) = rule.get("providers").and_then(Value::as_array) {
        let providers: Vec<Value> = providers.iter().map(provider).collect();
        kept.insert("providers".to_owned(), providers.into());
    }
    kept.into()
}

/// Keeps a provider's name, and of a key service its own.
fn provider(provider: &Value) -> Value {
    let Some(fields) = provider.as_object() else { return Value::Null };
    let kept = fields.iter().map(|(name, inner)| {
        let inner = match inner.as_object() {
            Some(of) => {
                let told = of.iter().filter(|(name, value)| {
                    matches!(name.as_str(), "name" | "apiVersion") && value.is_string()
                });
                Value::Object(told.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            // Whether it is an object decides whether a server starts with it.
            None => Value::Null,
        };
        (name.clone(), inner)
    });
    Value::Object(kept.collect())
}

/// Covers in a configuration what may be a secret by its name.
pub(super) fn configuration(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().map(|(name, value)| {
                let lower = name.to_ascii_lowercase();
                let is_covered = lower.ends_with("keydata")
                    || lower == "staticpodurlheader"
                    || value.is_string() && is_secret(&name);
                let value = if is_covered { COVERED.into() } else { configuration(value) };
                (name, value)
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => items.into_iter().map(configuration).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{arguments, configuration, encryption, variable};

    #[test]
    fn arguments_keep_their_shape_and_lose_their_secrets() {
        let check = |line: &str, expected: &str| {
            let words = line.split(' ').map(str::to_owned).collect();
            assert_eq!(arguments(words).join(" "), expected);
        };
        check("kubelet --config=/a --token=abc", "kubelet --config=/a --token=…");
        check("kubelet --client_secret abc --v 2", "kubelet --client_secret … --v 2");
        check("etcd --discovery-proxy=http://u:p@h/x", "etcd --discovery-proxy=http://…@h/x");
        check(
            "a --etcd-servers=https://h:1,https://h:2",
            "a --etcd-servers=https://h:1,https://h:2",
        );
        check(
            "m --use-service-account-credentials=true",
            "m --use-service-account-credentials=true",
        );
        let plain = "a --token-auth-file=/t --service-account-lookup=true --service-account-extend-token-expiration=false";
        check(plain, plain);
    }

    #[test]
    fn only_settings_of_etcd_keep_their_values() {
        assert_eq!(variable("HOME", "/root").1, None);
        assert_eq!(variable("ETCD_AUTO_TLS", "true").1.as_deref(), Some("true"));
        assert_eq!(variable("ETCD_ROOT_PASSWORD", "x").1, None);
        assert_eq!(variable("AWS_SECRET_ACCESS_KEY", "x").1, None);
    }

    #[test]
    fn keys_of_an_encryption_configuration_stay_where_they_are() {
        let written = json!({"apiVersion": "a/v1", "kind": "E", "more": "kept not", "resources": [{
            "resources": ["secrets"],
            "providers": [
                {"secretbox": {"keys": [{"name": "one", "secret": "c2VjcmV0"}]}},
                {"kms": {"name": "k", "apiVersion": "v2", "endpoint": "unix:///x"}},
                {"identity": {}},
            ],
        }]});
        let kept = encryption(&written);
        assert_eq!(kept["resources"][0]["providers"][0], json!({"secretbox": {}}));
        assert_eq!(
            kept["resources"][0]["providers"][1]["kms"],
            json!({"name": "k", "apiVersion": "v2"})
        );
        assert!(!kept.to_string().contains("c2VjcmV0") && kept.get("more").is_none());
    }

    #[test]
    fn configurations_lose_what_may_be_a_secret() {
        let kept = configuration(json!({
            "staticPodURLHeader": {"Authorization": ["Bearer abc"]},
            "extenders": [{"tlsConfig": {"keyData": "abc", "certFile": "/c"}}],
            "initial-cluster-token": "abc",
            "authentication": {"webhook": {"cacheTTL": "2m"}},
            "imagePullCredentialsVerificationPolicy": "AlwaysVerify",
        }));
        assert!(!kept.to_string().contains("abc"), "{kept}");
        assert_eq!(kept["extenders"][0]["tlsConfig"]["certFile"], "/c");
        assert_eq!(kept["authentication"]["webhook"]["cacheTTL"], "2m");
        assert_eq!(kept["imagePullCredentialsVerificationPolicy"], "AlwaysVerify");
    }
}
