//! Nobody changes the roles and bindings of the system: not even who holds every right.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;

use crate::proof::Scene;
use crate::proof::tries::{GUARD, Try, all_refused};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let key = |kind: &str, name: &str| ObjectKey {
        api_version: RBAC.to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    };
    let one = |what: &str, ask: Ask| Try {
        what: what.to_owned(),
        speaker: Speaker::Unbound,
        ask,
        by: GUARD,
    };
    let more = json!({"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]});
    let everybody = json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "canary"}]});
    let patch = |kind: &str, name: &str, patch: &Value| Ask::WouldPatch {
        of: key(kind, name),
        patch: patch.clone(),
    };
    let tries = [
        one("give more to everybody's role", patch("ClusterRole", "system:basic-user", &more)),
        one("give more to nodes", patch("ClusterRole", "system:node", &more)),
        one("give more to the handed-over identity", patch("ClusterRole", "ringfort:admin", &more)),
        one(
            "bind more users to the scheduler's role",
            patch("ClusterRoleBinding", "system:kube-scheduler", &everybody),
        ),
        one(
            "bind more users to the handed-over identity's role",
            patch("ClusterRoleBinding", "ringfort:admin", &everybody),
        ),
        one(
            "delete a binding of the system",
            Ask::WouldDelete(key("ClusterRoleBinding", "system:kube-dns")),
        ),
    ];
    let good = Ask::Get(key("ClusterRole", "system:basic-user"));
    let said = "nobody changes roles and bindings of the system";
    all_refused(scene, transcript, &[(Speaker::Unbound, good)], &tries, said)
}
