//! No role is made that is a second `cluster-admin` or hands out the ways to become more: not even by who
//! holds every right. Nor is one there already: what was made while the guard was away stays when it is back.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use super::there::none_escalates;
use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{Scene, course, pass};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let rule = |group: &str, resource: &str, verb: &str| json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    let rbac = "rbac.authorization.k8s.io";
    let one = |what: &str, rule: Value| {
        Try::create(
            format!("make a role to {what}"),
            Speaker::Unbound,
            role(scene, "ClusterRole", &rule),
            GUARD,
        )
    };
    let own = |what: &str, rule: Value| {
        Try::create(
            format!("make a role in a namespace to {what}"),
            Speaker::Unbound,
            role(scene, "Role", &rule),
            GUARD,
        )
    };
    let tries = [
        one("do everything", rule("*", "*", "*")),
        one("impersonate users", rule("", "users", "impersonate")),
        one("impersonate service accounts", rule("", "serviceaccounts", "impersonate")),
        one("do anything with service accounts", rule("", "serviceaccounts", "*")),
        one("escalate roles", rule(rbac, "clusterroles", "escalate")),
        one("bind roles", rule(rbac, "clusterroles", "bind")),
        one("do anything with roles", rule(rbac, "clusterroles", "*")),
        own("escalate roles", rule(rbac, "roles", "escalate")),
        own("do everything", rule("*", "*", "*")),
    ];
    let good = Ask::WouldCreate(role(scene, "ClusterRole", &rule("", "pods", "get")));
    course(transcript, |course| {
        refused(course, scene, &[(Speaker::Unbound, good.clone())], &tries)?;
        let count = none_escalates(course, scene)?;
        let said = format!(
            "nobody makes a role that does everything, impersonates, escalates or binds ({} tries on each of {} servers), and none of {count} roles that are there does, but for what Kubernetes' own need",
            tries.len(),
            scene.control_planes.len(),
        );
        Ok(pass(said, course.so_far()))
    })
}

fn role(scene: &Scene, kind: &str, rule: &Value) -> Value {
    let mut role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": "canary-role"}, "rules": [rule],
    });
    if kind == "Role" {
        role["metadata"]["namespace"] = scene.namespace.clone().into();
    }
    role
}
