//! What is kept of an answer: evidence is read by others, and is to hold nothing of a cluster that no proof needs.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Seen, Speaker};

/// Takes of what somebody else than ringfort was let read only that it was granted: proofs want to know no more,
/// and evidence of a right that is too wide must not hold what it gives.
pub(crate) fn only_whether(speaker: &Speaker, ask: &Ask, seen: Seen) -> Seen {
    // What comes back of what is made is what was sent, and the answer where that is a question of one's rights.
    let makes = matches!(ask, Ask::Create(_) | Ask::WouldCreate(_));
    match seen {
        Seen::Object(_) | Seen::Objects(_) | Seen::Text(_) | Seen::Lines(_)
            if !makes && *speaker != Speaker::Keeper =>
        {
            Seen::Done
        }
        other => other,
    }
}

/// Takes of a pod where it is and whose it is.
pub(crate) fn whereabouts(pod: &Value) -> Value {
    let mut taken = json!({});
    for path in [
        &["metadata", "name"][..],
        &["metadata", "namespace"],
        &["metadata", "labels", "tier"],
        &["metadata", "annotations", "kubernetes.io/config.mirror"],
        &["spec", "nodeName"],
    ] {
        let found = path.iter().fold(pod, |part, key| &part[*key]);
        if !found.is_null() {
            let place = path.iter().fold(&mut taken, |part, key| &mut part[*key]);
            *place = found.clone();
        }
    }
    taken
}

/// Takes of a role or a binding of this kind whose it is and what it gives.
pub(crate) fn of_role(kind: &str, item: &Value) -> Value {
    let mut taken = json!({"kind": kind, "metadata": {"name": item["metadata"]["name"]}});
    let namespace = &item["metadata"]["namespace"];
    if !namespace.is_null() {
        taken["metadata"]["namespace"] = namespace.clone();
    }
    take(item, ["roleRef", "subjects", "aggregationRule"], &mut taken);
    if let Some(rules) = item["rules"].as_array() {
        taken["rules"] = rules.iter().map(of_rule).collect();
    }
    taken
}

/// Takes of a rule what it lets do with what kinds of things. With which of them by their names no proof judges, and
/// names of Secrets are nobody's business.
fn of_rule(rule: &Value) -> Value {
    let mut taken = json!({});
    take(rule, ["apiGroups", "resources", "verbs"], &mut taken);
    taken
}

fn take(from: &Value, parts: [&str; 3], into: &mut Value) {
    for part in parts {
        if !from[part].is_null() {
            into[part] = from[part].clone();
        }
    }
}

/// Takes from an event what it holds of others: where a log has bodies that it should not have, a list has everybody's.
pub(crate) fn without_others(line: &str, holding: &str) -> String {
    let Ok(mut event) = serde_json::from_str::<Value>(line) else {
        return "an event that cannot be read".to_owned();
    };
    let mut lists = 0;
    for body in ["/requestObject/items", "/responseObject/items"] {
        if let Some(Value::Array(items)) = event.pointer_mut(body) {
            items.retain(|item| item.to_string().contains(holding));
            lists += 1;
        }
    }
    if lists == 0 { line.to_owned() } else { event.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use ringfort_model::act::{Ask, Seen, Speaker};
    use ringfort_model::api_object::ObjectKey;
    use ringfort_model::name::NodeName;

    use super::{of_role, only_whether, whereabouts, without_others};

    #[test]
    fn nothing_of_what_others_were_let_read_is_kept() {
        let secret =
            || json!({"kind": "Secret", "metadata": {"name": "a"}, "data": {"b": "c2VjcmV0"}});
        let list = Ask::List { api_version: "v1".into(), kind: "Secret".into(), namespace: None };
        let key = ObjectKey {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some("n".to_owned()),
            name: "a".to_owned(),
        };
        let asked = [
            (list, Seen::Objects(vec![secret()])),
            (Ask::Get(key.clone()), Seen::Object(secret())),
            (Ask::WouldPatch { of: key.clone(), patch: json!({}) }, Seen::Object(secret())),
            (Ask::Read { path: "/api/v1/secrets".into() }, Seen::Text(secret().to_string())),
            (
                Ask::Logs { namespace: "n".into(), pod: "a".into() },
                Seen::Text("c2VjcmV0".to_owned()),
            ),
            (Ask::Whereabouts, Seen::Objects(vec![secret()])),
            (Ask::Roles, Seen::Objects(vec![secret()])),
            (Ask::Bindings, Seen::Objects(vec![secret()])),
            (Ask::Approve(key.clone()), Seen::Object(secret())),
            (Ask::Described, Seen::Lines(vec![secret().to_string()])),
            (Ask::Metrics { beginning: String::new() }, Seen::Lines(vec![secret().to_string()])),
        ];
        let others = [
            Speaker::Admin,
            Speaker::Anonymous,
            Speaker::Unbound,
            Speaker::Node(NodeName::new("w1").unwrap()),
            Speaker::Account { namespace: "n".to_owned(), name: "a".to_owned() },
            Speaker::Component("system:kube-scheduler".to_owned()),
        ];
        for (ask, seen) in &asked {
            for speaker in &others {
                assert_eq!(
                    only_whether(speaker, ask, seen.clone()),
                    Seen::Done,
                    "{speaker:?} {ask:?}"
                );
            }
            assert_eq!(only_whether(&Speaker::Keeper, ask, seen.clone()), *seen, "{ask:?}");
        }
        // What was not granted, or is not there, is told as it was.
        let refused = Seen::Refused { status: 403, message: "no".to_owned() };
        for seen in [refused, Seen::Absent, Seen::Failed { why: "silent".to_owned() }] {
            assert_eq!(only_whether(&Speaker::Admin, &Ask::Get(key.clone()), seen.clone()), seen);
        }
        // An answer to the question of one's own rights is what was asked for.
        let review = Seen::Object(json!({"status": {"allowed": false}}));
        let ask = Ask::WouldCreate(json!({"kind": "SelfSubjectAccessReview"}));
        assert_eq!(only_whether(&Speaker::Admin, &ask, review.clone()), review);
    }

    #[test]
    fn of_a_role_or_binding_its_kind_is_told_and_what_it_gives() {
        let (role, who) = (json!({"name": "view"}), json!([{"kind": "User", "name": "eve"}]));
        let item =
            |meta: &serde_json::Value| json!({"metadata": meta, "roleRef": role, "subjects": who});
        let meta = json!({"name": "a", "namespace": "b", "annotations": {"c": "d"}, "uid": "e"});
        let told = json!({
            "kind": "RoleBinding", "metadata": {"name": "a", "namespace": "b"},
            "roleRef": role, "subjects": who,
        });
        assert_eq!(of_role("RoleBinding", &item(&meta)), told);
        let told = json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "a"}, "roleRef": role, "subjects": who,
        });
        assert_eq!(of_role("ClusterRoleBinding", &item(&json!({"name": "a"}))), told);
    }

    #[test]
    fn of_a_role_it_is_told_what_it_lets_do_and_not_with_which_by_their_names() {
        let rule = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
        let mut named = rule.clone();
        named["resourceNames"] = json!(["token-of-the-bank"]);
        let beside = json!({"nonResourceURLs": ["/own"], "verbs": ["get"]});
        let meta =
            json!({"name": "a", "namespace": "b", "annotations": {"c": "token-of-the-bank"}});
        let told = json!({
            "kind": "Role", "metadata": {"name": "a", "namespace": "b"},
            "rules": [rule, {"verbs": ["get"]}],
        });
        assert_eq!(of_role("Role", &json!({"metadata": meta, "rules": [named, beside]})), told);
        let sum = json!({"clusterRoleSelectors": [{"matchLabels": {"c": "d"}}]});
        let told =
            json!({"kind": "ClusterRole", "metadata": {"name": "a"}, "aggregationRule": sum});
        let item = json!({"metadata": {"name": "a"}, "aggregationRule": sum, "rules": null});
        assert_eq!(of_role("ClusterRole", &item), told);
    }

    #[test]
    fn of_an_event_only_what_is_of_the_canary_is_kept() {
        let own = json!({"metadata": {"name": "canary-1"}, "data": {"x": "bm9uY2U="}});
        let other = json!({"metadata": {"name": "root"}, "data": {"x": "c2VjcmV0"}});
        let event = json!({
            "level": "RequestResponse", "verb": "list", "requestURI": "/api/v1/secrets",
            "responseObject": {"kind": "SecretList", "items": [other, own]},
        });
        let kept = without_others(&event.to_string(), "canary-1");
        assert!(kept.contains("bm9uY2U=") && kept.contains("SecretList"), "{kept}");
        assert!(!kept.contains("c2VjcmV0"), "{kept}");
        assert!(!without_others("{\"torn\": \"c2VjcmV0", "canary-1").contains("c2VjcmV0"));
        let plain = json!({"verb": "get", "objectRef": {"name": "canary-1"}});
        assert_eq!(without_others(&plain.to_string(), "canary-1"), plain.to_string());
    }

    #[test]
    fn of_a_pod_only_its_whereabouts_are_told() {
        let pod = json!({
            "metadata": {
                "name": "a", "namespace": "b", "labels": {"tier": "c", "app": "d"},
                "annotations": {"kubernetes.io/config.mirror": "e", "note": "f"},
            },
            "spec": {"nodeName": "g", "containers": [{"env": [{"name": "h", "value": "secret"}]}]},
        });
        let told = json!({
            "metadata": {
                "name": "a", "namespace": "b", "labels": {"tier": "c"},
                "annotations": {"kubernetes.io/config.mirror": "e"},
            },
            "spec": {"nodeName": "g"},
        });
        assert_eq!(whereabouts(&pod), told);
        assert_eq!(whereabouts(&json!({"spec": {}})), json!({}));
    }
}
