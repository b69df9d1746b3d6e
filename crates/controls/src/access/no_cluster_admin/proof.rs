//! Nobody binds `cluster-admin`, or gives everybody a role: not even who holds every right.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};

use crate::proof::Scene;
use crate::proof::tries::{GUARD, Try, all_refused};

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let one = |what: &str, object: Value| Try::create(what, Speaker::Unbound, object, GUARD);
    let user = subject("User", "canary");
    let tries = [
        one(
            "bind a user to cluster-admin",
            binding(scene, "ClusterRoleBinding", "cluster-admin", &user),
        ),
        one(
            "bind a user to cluster-admin in a namespace",
            binding(scene, "RoleBinding", "cluster-admin", &user),
        ),
        one(
            "bind a user to system:masters by a group",
            binding(scene, "ClusterRoleBinding", "view", &subject("Group", "system:masters")),
        ),
        one(
            "bind everybody with a name",
            binding(scene, "ClusterRoleBinding", "view", &subject("Group", "system:authenticated")),
        ),
        one(
            "bind everybody without a name",
            binding(
                scene,
                "ClusterRoleBinding",
                "view",
                &subject("Group", "system:unauthenticated"),
            ),
        ),
        one(
            "bind nobody's user",
            binding(scene, "RoleBinding", "view", &subject("User", "system:anonymous")),
        ),
        one(
            "bind every service account",
            binding(
                scene,
                "ClusterRoleBinding",
                "view",
                &subject("Group", "system:serviceaccounts"),
            ),
        ),
    ];
    let good = Ask::WouldCreate(binding(scene, "RoleBinding", "view", &user));
    let said = "nobody binds cluster-admin or gives everybody a role";
    all_refused(scene, transcript, &[(Speaker::Unbound, good)], &tries, said)
}

fn subject(kind: &str, name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name})
}

fn binding(scene: &Scene, kind: &str, role: &str, subject: &Value) -> Value {
    let mut binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
        "metadata": {"name": "canary-binding"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    });
    if kind == "RoleBinding" {
        binding["metadata"]["namespace"] = scene.namespace.clone().into();
    }
    binding
}
