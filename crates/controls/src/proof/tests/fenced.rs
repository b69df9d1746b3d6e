//! What pods tell that try what they reach, and what else is seen of policies.

use ringfort_model::act::{Act, Ask, Seen};
use ringfort_model::judgement::{Decided, Judgement};
use serde_json::{Value, json};

use super::machines::enforced;
use super::{Case, Scene, case, good, judge, judge_at, scene};

/// Pods that try what they reach.
pub(super) const FENCED: [&str; 3] = ["canary-closed", "canary-caller", "canary-named"];

/// What a pod tells that reaches nothing.
pub(super) const CLOSED: &str = "\
resolve kubernetes.default.svc.cluster.local 10.96.0.1
dial 10.96.0.1:443 silent
dial 169.254.169.254:80 silent
dial 169.254.169.254:4711 silent
dial 10.244.3.7:8080 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
dial 10.0.0.11:2379 silent
dial 10.0.0.12:2379 silent
dial 10.0.0.13:2379 silent
dial 10.0.0.11:6443 silent
dial 10.0.0.12:6443 silent
dial 10.0.0.13:6443 silent
tried
";

/// What a pod tells that reaches what it may.
pub(super) const OPEN: &str = "\
dial 10.244.3.7:8080 open
dial 10.244.3.7:8081 silent
dial 169.254.169.254:4711 refused
dial 10.244.3.9:8080 silent
dial 10.96.0.1:443 silent
dial 10.0.0.11:10250 silent
dial 10.0.0.12:10250 silent
dial 10.0.0.13:10250 silent
dial 10.0.0.21:10250 silent
dial 10.0.0.22:10250 silent
dial 10.0.0.23:10250 silent
tried
";

/// What is not understood would look as if it held, and nobody enforces it.
#[test]
fn cluster_wide_policies_that_are_not_understood_are_unknown() {
    let with = |version: &str, kind: &str, policies: Value| {
        judge(&case("network/network-policy"), |act| {
            let Act::Ask { ask: Ask::Read { path }, .. } = act else { return None };
            let path = path.strip_prefix("/apis/policy.networking.k8s.io")?;
            let said = match path {
                "" => json!({"versions": [{"version": version}]}),
                path if path.matches('/').count() == 1 => json!({"resources": [
                    {"name": "wide", "kind": kind}, {"name": "wide/status", "kind": kind},
                ]}),
                _ => json!({"items": policies}),
            };
            Some(Seen::Text(said.to_string()))
        })
    };
    let policy = |peer: Value| {
        json!([{"metadata": {"name": "tenants"}, "spec": {
            "tier": "Admin", "priority": 1, "subject": {"namespaces": {}},
            "egress": [{"action": "Accept", "to": [peer]}],
        }}])
    };
    let (kind, known) = ("ClusterNetworkPolicy", policy(json!({"namespaces": {}})));
    assert!(matches!(with("v1alpha2", kind, json!([])), Ok(Decided::Pass(_))));
    assert!(matches!(with("v1alpha2", kind, known.clone()), Ok(Decided::Pass(_))));
    let unknown = |version, kind, policies, part: &str| {
        let gap = with(version, kind, policies).unwrap_err();
        assert!(gap.said.contains(part), "{gap:?}");
    };
    let names = policy(json!({"domainNames": ["example.org"]}));
    unknown("v1alpha2", kind, names, "ClusterNetworkPolicy tenants: domainNames are not supported");
    let nodes = policy(json!({"nodes": {}}));
    unknown(
        "v1beta1",
        kind,
        nodes,
        "ClusterNetworkPolicy tenants: nodes as peers are not supported",
    );
    unknown("v9", kind, known.clone(), "1 wide of v9");
    unknown("v1alpha2", "TenantNetworkPolicy", known, "1 wide of v1alpha2");
    assert!(with("v1alpha2", kind, Value::Null).is_err(), "a list that is none says nothing");
    // What the API names and does not have is no absence of policies.
    let judgement = judge(&case("network/network-policy"), |act| match act {
        Act::Ask { ask: Ask::Read { path }, .. } if path.ends_with("policy.networking.k8s.io") => {
            Some(Seen::Text(json!({"versions": [{"version": "v1alpha2"}]}).to_string()))
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}

/// A cluster whose network is the user's own.
fn brought() -> Scene {
    let mut scene = scene();
    scene.files.values_mut().for_each(|files| {
        files.remove(crate::paths::NETWORK_POLICY);
    });
    scene
}

/// Judges where the pods of a stem tell one thing otherwise.
fn told(scene: &Scene, case: &Case, stem: &str, log: &str) -> Judgement {
    judge_at(scene, case, &mut |case, round, act| match act {
        Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod.starts_with(stem) => {
            Seen::Text(log.to_owned())
        }
        Act::Enforced { .. } if scene.files.values().all(|files| files.len() < 2) => {
            panic!("nobody has ringfort's enforcer")
        }
        act => good(case, round, act),
    })
}

#[test]
fn a_network_of_ones_own_is_proved_by_what_pods_reach_and_its_owner_told_what_to_make() {
    let check = |id: &str, stem: &str, good: &str, open: [&str; 2], remedies: [&str; 2]| {
        let case = case(id);
        let log = good.replace(open[0], open[1]);
        assert_ne!(log, good);
        for (scene, remedy) in [(scene(), remedies[0]), (brought(), remedies[1])] {
            let proved = told(&scene, &case, stem, good);
            assert!(matches!(proved, Ok(Decided::Pass(_))), "{proved:?}");
            let Ok(Decided::Fail(finding)) = told(&scene, &case, stem, &log) else {
                panic!("{id}: {stem} is no failure")
            };
            assert!(format!("{finding:?}").contains(remedy), "{finding:?}");
        }
    };
    let (ours, theirs) = ("journalctl -u ringfort-policy", "or waive network/");
    let maker = "whoever brings the network makes the policy";
    let open = |target: &str| [format!("{target} silent"), format!("{target} open")];
    for target in ["10.96.0.1:443", "10.0.0.12:10250", "169.254.169.254:80"] {
        let [silent, open] = open(target);
        let open = [silent.as_str(), open.as_str()];
        check("network/default-deny", "canary-closed", CLOSED, open, [ours, maker]);
    }
    let unnamed = ["local 10.96.0.1", "local silent"];
    check("network/default-deny", "canary-closed", CLOSED, unnamed, [ours, maker]);
    let [silent, heard] = open("10.244.3.9:8080");
    let reached = [silent.as_str(), heard.as_str()];
    check("network/default-deny", "canary-caller", OPEN, reached, [ours, maker]);
    let [silent, heard] = open("10.96.0.1:443");
    let reached = [silent.as_str(), heard.as_str()];
    check("network/network-policy", "canary-named", OPEN, reached, [ours, theirs]);
}

/// A network that opens late is told from one that is open.
#[test]
fn a_name_that_is_found_at_a_later_try_is_told_with_the_time_that_it_took() {
    let name = "resolve kubernetes.default.svc.cluster.local";
    let judged = |log: String| {
        judge(&case("network/default-deny"), |act| match act {
            Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod == "canary-closed-w2" => {
                Some(Seen::Text(log.clone()))
            }
            _ => None,
        })
    };
    let said = |log: String| match judged(log) {
        Ok(Decided::Pass(evidence)) => evidence.to_string(),
        other => panic!("{other:?}"),
    };
    let late = CLOSED.replace("10.96.0.1\n", &format!("10.96.0.1\nwaited {name} 15\n"));
    assert_ne!(late, CLOSED);
    let late = said(late);
    assert!(late.contains("find names (asked again, that of w2 after 15 s) and reach"), "{late}");
    let soon = said(CLOSED.to_owned());
    assert!(soon.contains("find names and reach nothing else"), "{soon}");
    // Whoever waited and found nothing has found nothing.
    let silent = CLOSED.replace("local 10.96.0.1\n", "local silent\n");
    assert!(matches!(judged(silent), Ok(Decided::Fail(_))));
}

/// One pod that reaches what it must not is a failure, whatever another has not told.
#[test]
fn what_is_reached_outweighs_what_is_not_told() {
    let log = |pod: &str| match pod {
        "canary-closed-w1" => CLOSED.replace("dial 10.96.0.1:443 silent\n", ""),
        _ => CLOSED.replace("10.0.0.12:10250 silent", "10.0.0.12:10250 refused"),
    };
    let closed = |reaches: bool| {
        judge(&case("network/default-deny"), |act| match act {
            Act::Ask { ask: Ask::Logs { pod, .. }, .. } if pod.starts_with("canary-closed") => {
                let pod = if reaches { pod.as_str() } else { "canary-closed-w1" };
                Some(Seen::Text(log(pod)))
            }
            _ => None,
        })
    };
    assert!(matches!(closed(true), Ok(Decided::Fail(_))));
    assert!(closed(false).is_err());
}

/// Who is let in could be everybody of the same namespace, or of another.
#[test]
fn a_closed_namespace_is_tried_from_its_own_and_from_another() {
    let mut places = Vec::new();
    let case = case("network/default-deny");
    let judgement = super::judge_in(&case, &mut |case, round, act| {
        if let Act::Ask { ask: Ask::Create(pod), .. } = act {
            let of = |at: &str| pod.pointer(at).and_then(Value::as_str).unwrap_or_default();
            let stem = of("/metadata/name").rsplit_once('-').map_or("", |(stem, _)| stem);
            places.push((stem.to_owned(), of("/metadata/namespace").to_owned()));
        }
        good(case, round, act)
    });
    assert!(matches!(judgement, Ok(Decided::Pass(_))), "{judgement:?}");
    let count = |stem: &str, namespace: &str| {
        places.iter().filter(|(a, b)| a == stem && b == namespace).count()
    };
    assert_eq!((count("canary-closed", "canary"), count("canary-closed", "canary-next")), (3, 0));
    assert_eq!((count("canary-caller", "canary"), count("canary-caller", "canary-next")), (1, 2));
}

/// The one caller is of the other namespace.
#[test]
fn with_one_worker_nothing_is_said_of_callers_from_a_closed_namespace_itself() {
    let case = case("network/default-deny");
    let passed = |scene: &Scene| match judge_at(scene, &case, &mut good) {
        Ok(Decided::Pass(evidence)) => format!("{evidence:?}"),
        other => panic!("{other:?}"),
    };
    let own = "from their own namespace or another";
    assert!(passed(&scene()).contains(own));
    let mut one = scene();
    one.workers.truncate(1);
    let said = passed(&one);
    assert!(
        said.contains("from another namespace (with one worker") && !said.contains(own),
        "{said}"
    );
}

/// A machine whose pods change all the time has rules to make whenever it is asked.
#[test]
fn rules_that_are_about_to_follow_policies_are_waited_for() {
    /// Tells one thing otherwise of a worker's enforcer, as often as it is asked that many times.
    fn told(times: usize, other: (&str, &str)) -> Judgement {
        let mut asked = 0;
        judge(&case("network/network-policy"), |act| {
            let Act::Enforced { node } = act else { return None };
            let mut values = enforced();
            if node.as_str() == "w1" {
                asked += 1;
                if asked <= times {
                    values.insert(other.0.to_owned(), other.1.to_owned());
                }
            }
            Some(Seen::Values(values))
        })
    }
    let fails = |judged: Judgement, part: &str| {
        assert!(matches!(judged, Ok(Decided::Fail(_))), "{judged:?}");
        assert!(format!("{judged:?}").contains(part), "{judged:?}");
    };
    for late in [("in_force", "older"), ("behind", "pods: away")] {
        assert!(matches!(told(3, late), Ok(Decided::Pass(_))), "{late:?}");
    }
    fails(told(usize::MAX, ("in_force", "older")), "w1: rules in force are not those of policies");
    assert!(told(usize::MAX, ("behind", "pods: away")).is_err());
    fails(told(usize::MAX, ("in_force", "process-before")), "process-before");
    fails(told(usize::MAX, ("is_whole", "false")), "w1: the kernel holds other rules");
    assert!(told(usize::MAX, ("in_force", "unknown")).is_err(), "nobody knows is no failure");
}
