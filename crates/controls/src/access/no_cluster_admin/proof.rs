//! Nobody binds `cluster-admin`, or gives everybody a role: not even who holds every right. And no certificate
//! on any machine makes somebody hold every right by the group that needs no binding. Nor is anybody bound already:
//! what was made while the guard was away stays when it is back.

use serde_json::{Value, json};

use ringfort_model::act::{Ask, Next, Speaker, Transcript};
use ringfort_model::certificate::{Authority, CertSeen, Usage};

use super::bound::none_is_bound;
use crate::proof::certificates::certificates;
use crate::proof::tries::{GUARD, Try, refused};
use crate::proof::{Course, Gaps, Scene, course, fail, pass};

/// The group that may do everything, whatever roles say.
const MASTERS: &str = "system:masters";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let tries = tries(scene);
        let good = binding(scene, "RoleBinding", "view", &subject("User", "canary"));
        let granted = [(Speaker::Unbound, Ask::WouldCreate(good))];
        refused(course, scene, &granted, &tries)?;
        let bound = none_is_bound(course, scene)?;
        let count = no_masters(course, scene)?;
        let said = format!(
            "nobody binds cluster-admin or gives everybody a role ({} tries on each of {} servers), none of {bound} bindings does, and none of {count} certificates on {} machines is one of {MASTERS}",
            tries.len(),
            scene.control_planes.len(),
            scene.machines().count(),
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Looks at every certificate on every machine, and gives how many the cluster's authority signed.
fn no_masters(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    let authority = scene.authorities.get(&Authority::Cluster).map_or("", |mark| &mark.key_id);
    let mut gaps = Gaps::default();
    let count = certificates(course, scene, &mut gaps, |node, path, certificate| {
        if speaks_for_masters(certificate, authority, scene.now_s) {
            return Err(fail(
                format!("{node}: {path} speaks for {}", certificate.subject),
                "take it away; who has copied it may do everything until it ends, or the authority is replaced",
            ));
        }
        Ok(certificate.authority_key_id == authority)
    })?;
    gaps.close()?;
    Ok(count)
}

/// One that names no authority may be of the cluster's.
fn speaks_for_masters(certificate: &CertSeen, authority: &str, now_s: i64) -> bool {
    let signed = &certificate.authority_key_id;
    let is_client =
        certificate.usages.is_empty() || certificate.usages.contains(&Usage::ClientAuth);
    certificate.subject.organizations.contains(MASTERS)
        && (signed == authority || signed.is_empty())
        && is_client
        && certificate.not_after > now_s
}

fn tries(scene: &Scene) -> Vec<Try> {
    let one = |what: &str, object: Value| Try::create(what, Speaker::Unbound, object, GUARD);
    let user = subject("User", "canary");
    vec![
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
    ]
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
