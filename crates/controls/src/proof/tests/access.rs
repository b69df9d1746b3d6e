//! Ways in which identities could be more than they should, one at a time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, CertFile, Seen, Sending, Speaker};
use ringfort_model::certificate::{Authority, CertSeen, ECDSA_P256, Subject, Usage};
use ringfort_model::digest::Digest;
use ringfort_model::judgement::Decided;

use super::refusals::{REVIEW, reviewed};
use super::{case, judge, scene};
use crate::proof::Scene;

#[test]
fn the_handed_over_identity_may_not_become_more() {
    let control = "access/admin-is-narrow";
    // Guards refuse the objects all the same.
    for verb in ["impersonate", "escalate", "bind", "sign"] {
        let judgement = judge(&case(control), |act| right(act, verb));
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{verb}: {judgement:?}");
    }
}

/// The certificates of a machine, of which one is of a group.
pub(super) fn certificates(group: &str) -> Seen {
    let of = |group: &str, authority: Authority| CertFile {
        path: "/root/.kube/config".to_owned(),
        certificate: Some(CertSeen {
            authority_key_id: authority.common_name().to_owned(),
            subject: Subject::member("somebody", group),
            usages: [Usage::ClientAuth].into(),
            names: BTreeSet::new(),
            public_key: Digest::of(b"its own"),
            key_kind: ECDSA_P256.to_owned(),
            not_before: scene().now_s - 3_600,
            not_after: scene().now_s + 86_400,
        }),
    };
    // What etcd's authority signed says nothing to the API.
    let others = of("system:masters", Authority::EtcdClient);
    Seen::Certificates(vec![others, of(group, Authority::Cluster)])
}

/// The bindings of a new cluster, or some of them, and one that somebody made.
fn bindings() -> Seen {
    let of = |name: &str, role: &str, kind: &str, who: &str| {
        json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": kind, "name": who}],
        })
    };
    let mut own = of("team", "view", "Group", "team");
    own["kind"] = "RoleBinding".into();
    own["metadata"]["namespace"] = "team".into();
    Seen::Objects(vec![
        of("cluster-admin", "cluster-admin", "Group", "system:masters"),
        of("system:discovery", "system:discovery", "Group", "system:authenticated"),
        of("ringfort:admin", "ringfort:admin", "User", "ringfort:admin"),
        own,
    ])
}

/// The roles or the bindings that are there.
pub(super) fn given(ask: &Ask) -> Seen {
    if *ask == Ask::Roles { roles() } else { bindings() }
}

/// Some of the roles of a new cluster, and one that somebody made.
fn roles() -> Seen {
    let of = |name: &str, rule: Value| json!({"kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]});
    let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
    let some = json!({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]});
    let mut sum = of("view", json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}));
    let own = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    sum["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": own}]});
    let speaks =
        json!({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]});
    let part = of("system:aggregate-to-edit", speaks);
    Seen::Objects(vec![of("cluster-admin", all), sum, of("team", some), part])
}

/// Names that a guard keeps are no excuse: who made something of such a name is told, and how to get past the guard.
#[test]
fn what_has_a_name_of_the_system_is_judged_and_named() {
    let check = |control: &str, of: &Ask, more: &[Value], said: &str, fix: &str| {
        let judgement = judge(&case(control), |act| match act {
            Act::Ask { ask, .. } if ask == of => {
                let Seen::Objects(mut all) = given(ask) else { return None };
                all.extend(more.iter().cloned());
                Some(Seen::Objects(all))
            }
            _ => None,
        });
        let Ok(Decided::Fail(finding)) = judgement else { panic!("{control}: {judgement:?}") };
        assert_eq!(finding.said, said);
        assert!(finding.fix.contains(fix), "{}", finding.fix);
    };
    let group = "rbac.authorization.k8s.io";
    let binds = json!([{"apiGroups": [group], "resources": ["clusterroles"], "verbs": ["bind"]}]);
    // It adds to a role of Kubernetes: where it comes from is named.
    let evil = json!({"kind": "ClusterRole", "metadata": {"name": "system:evil"}, "rules": binds});
    let label = json!({"rbac.authorization.k8s.io/aggregate-to-admin": "true"});
    let sum = json!({
        "kind": "ClusterRole", "metadata": {"name": "admin"}, "rules": binds,
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": label}]},
    });
    let fix = "kubectl delete clusterrole system:evil --as=ringfort:keeper";
    let said = "ClusterRole system:evil hands out bind";
    check("access/no-escalating-roles", &Ask::Roles, &[sum, evil], said, fix);
    let bound = json!({
        "kind": "ClusterRoleBinding", "metadata": {"name": "ringfort:evil"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "team", "name": "eve"}],
    });
    let fix = "kubectl delete clusterrolebinding ringfort:evil --as=ringfort:keeper";
    let said = "ClusterRoleBinding ringfort:evil binds team/eve to cluster-admin";
    check("access/no-cluster-admin", &Ask::Bindings, &[bound], said, fix);
}

#[test]
fn no_certificate_on_a_machine_may_do_everything() {
    let control = "access/no-cluster-admin";
    let check = |change: fn(&mut CertFile), well: bool| {
        let judgement = judge(&case(control), |act| match act {
            Act::Certificates { .. } => {
                let Seen::Certificates(mut files) = certificates("system:masters") else {
                    return None;
                };
                change(&mut files[1]);
                files.push(CertFile { path: "/own".to_owned(), ..of_cluster() });
                Some(Seen::Certificates(files))
            }
            _ => None,
        });
        assert_eq!(matches!(judgement, Ok(Decided::Pass(_))), well, "{judgement:?}");
    };
    check(|_| {}, false);
    check(|file| with(file, |it| it.not_after = 1), true);
    check(|file| with(file, |it| it.usages = [Usage::ServerAuth].into()), true);
    check(|file| with(file, |it| it.usages.clear()), false);
    check(|file| with(file, |it| it.authority_key_id.clear()), false);
    check(|file| file.certificate = None, false);
}

fn with(file: &mut CertFile, change: fn(&mut CertSeen)) {
    change(file.certificate.as_mut().unwrap());
}

fn of_cluster() -> CertFile {
    match certificates("system:nodes") {
        Seen::Certificates(mut files) => files.remove(1),
        other => panic!("{other:?}"),
    }
}

/// A request for a certificate that was approved and that nobody signed.
pub(super) fn approved() -> Seen {
    Seen::Object(json!({"status": {"conditions": [{"type": "Approved", "status": "True"}]}}))
}

/// Who was not asked, or not told to go on, has signed nothing and shown nothing.
#[test]
fn requests_that_were_not_taken_or_not_approved_show_nothing() {
    let refused = |status: u16| {
        Some(Seen::Refused { status, message: "a policy of somebody's forbids it".to_owned() })
    };
    let check = |world: &dyn Fn(&Act) -> Option<Seen>| {
        let judgement = judge(&case("access/no-signers"), world);
        assert!(judgement.is_err(), "{judgement:?}");
    };
    let asks = |object: &Value| object["kind"] == "CertificateSigningRequest";
    for status in [403, 422] {
        check(&|act| match act {
            Act::Ask { ask: Ask::Create(object), .. } if asks(object) => refused(status),
            _ => None,
        });
        // One signer of several is not asked.
        check(&|act| match act {
            Act::Ask { ask: Ask::Create(object), .. }
                if asks(object)
                    && object["spec"]["signerName"] == "kubernetes.io/kubelet-serving" =>
            {
                refused(status)
            }
            _ => None,
        });
        check(&|act| match act {
            Act::Ask { ask: Ask::Approve(_), .. } => refused(status),
            Act::Ask { ask: Ask::Get(key), .. } if key.kind == "CertificateSigningRequest" => {
                Some(Seen::Object(json!({"status": {}})))
            }
            _ => None,
        });
    }
}

/// Before 1.37 guards are objects of the API: each is compared as a whole, and the handed-over identity reaches none.
#[test]
fn guards_in_the_api_are_what_was_written() {
    let guard = |name: &str| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
               "metadata": {"name": name}})
    };
    let scene = Scene {
        guards: BTreeMap::new(),
        api_guards: vec![guard("bindings.ringfort.dev"), guard("roles.ringfort.dev")],
        ..scene()
    };
    let case = case("access/admission-objects");
    let judged = |seen: &dyn Fn(&Act) -> Option<Seen>| {
        let world = &mut |case: &super::Case, round: usize, act: &Act| {
            let lacks = || Seen::Refused {
                status: 403,
                message: "x is forbidden: User \"a\" cannot delete it".to_owned(),
            };
            let of_admin = matches!(act, Act::Ask { speaker: Speaker::Admin, .. });
            let other = || if of_admin { lacks() } else { super::good(case, round, act) };
            seen(act).unwrap_or_else(other)
        };
        super::judge_at(&scene, &case, world)
    };
    let of_roles = |act: &Act, seen: Seen| {
        let is_it = matches!(act, Act::Ask { ask: Ask::AsWritten(object), .. }
            if object["metadata"]["name"] == "roles.ringfort.dev");
        is_it.then_some(seen)
    };
    assert!(matches!(judged(&|_| None), Ok(Decided::Pass(_))), "{:?}", judged(&|_| None));
    let changed =
        judged(&|act| of_roles(act, Seen::Lines(vec![".spec.matchConditions".to_owned()])));
    assert!(matches!(changed, Ok(Decided::Fail(_))), "{changed:?}");
    let gone = judged(&|act| of_roles(act, Seen::Absent));
    assert!(matches!(gone, Ok(Decided::Fail(_))), "{gone:?}");
    let silent = judged(&|act| of_roles(act, Seen::Failed { why: "silent".to_owned() }));
    assert!(silent.is_err(), "{silent:?}");
    let reached = judged(&|act| match act {
        Act::Ask {
            speaker: Speaker::Admin,
            ask: Ask::WouldSend { how: Sending::Delete, .. },
            ..
        } => Some(Seen::Done),
        _ => None,
    });
    assert!(matches!(reached, Ok(Decided::Fail(_))), "{reached:?}");
}

#[test]
fn what_is_like_the_guards_is_taken_away_whatever_was_found() {
    let control = "access/admission-objects";
    let mut left = 0;
    let judgement = judge(&case(control), |act| match act {
        Act::Ask { ask: Ask::Create(_), .. } => {
            left += 1;
            None
        }
        Act::Ask { ask: Ask::Delete(_), .. } => {
            left -= 1;
            None
        }
        act => deletes(act, "bindings/canary.ringfort.dev"),
    });
    assert!(matches!(judgement, Ok(Decided::Fail(_))), "{judgement:?}");
    assert_eq!(left, 0);
}

/// Lets who holds every right delete what is at an address.
fn deletes(act: &Act, part: &str) -> Option<Seen> {
    match act {
        Act::Ask {
            speaker: Speaker::Unbound,
            ask: Ask::WouldSend { how: Sending::Delete, path, .. },
            ..
        } => path.contains(part).then_some(Seen::Done),
        _ => None,
    }
}

fn of_admin(act: &Act) -> Option<&Ask> {
    match act {
        Act::Ask { speaker: Speaker::Admin, ask, .. } => Some(ask),
        _ => None,
    }
}

#[test]
fn no_component_is_more_than_its_task() {
    let control = "access/node-and-rbac";
    let check = |user: &str, verb: &str| {
        let judgement = judge(&case(control), |act| match act {
            Act::Ask {
                speaker: Speaker::Component(name), ask: Ask::WouldCreate(review), ..
            } => {
                let of = &review["spec"]["resourceAttributes"];
                (name == user && of["verb"] == verb).then(|| reviewed(review, true))
            }
            _ => None,
        });
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{user} {verb}: {judgement:?}");
    };
    check("system:kube-controller-manager", "sign");
    check("system:kube-scheduler", "patch");
    check("kube-apiserver-kubelet-client", "list");
}

/// Grants a right where it is asked for.
fn right(act: &Act, verb: &str) -> Option<Seen> {
    let wanted = |review: &Value| review["spec"]["resourceAttributes"]["verb"] == verb;
    match of_admin(act)? {
        Ask::WouldCreate(review) if review["kind"] == REVIEW && wanted(review) => {
            Some(reviewed(review, true))
        }
        _ => None,
    }
}
