//! Where pods are: the control planes' own there, and nobody else's.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Seen};
use ringfort_model::judgement::{Decided, Judgement};

use super::{case, judge};

/// The pods of a good cluster.
pub(super) fn pods() -> Vec<Value> {
    let mut pods = vec![pod("coredns-1", "kube-system", "w1")];
    for plane in ["cp1", "cp2", "cp3"] {
        for component in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
            pods.push(of_a_file(pod(&format!("{component}-{plane}"), "kube-system", plane)));
        }
    }
    pods
}

fn pod(name: &str, namespace: &str, node: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"nodeName": node}})
}

fn of_a_file(mut pod: Value) -> Value {
    pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "4711"});
    pod
}

/// Judges where one pod more is there.
fn with(more: Value) -> Judgement {
    let namespaces =
        [("agents", json!({"addon.ringfort.dev/net": ""})), ("open", json!({"a": ""}))];
    judging(move |act| match act {
        Act::Ask { ask: Ask::List { kind, .. }, .. } if kind == "Namespace" => {
            let object = |(name, labels): &(&str, Value)| super::namespace(name, labels);
            Some(Seen::Objects(namespaces.iter().map(object).collect()))
        }
        Act::Ask { ask: Ask::List { kind, .. }, .. } if kind == "Node" => {
            Some(Seen::Objects(vec![super::node("unnamed", "True")]))
        }
        Act::Ask { ask: Ask::Whereabouts, .. } => {
            let mut pods = pods();
            pods.push(more.clone());
            Some(Seen::Objects(pods))
        }
        _ => None,
    })
}

fn judging(world: impl FnMut(&Act) -> Option<Seen>) -> Judgement {
    judge(&case("access/closed-control-planes"), world)
}

#[test]
fn a_pod_that_is_where_it_should_not_be_is_found() {
    let passes = |pod: Value| {
        let judgement = with(pod.clone());
        assert!(matches!(judgement, Ok(Decided::Pass(_))), "{pod}: {judgement:?}");
    };
    let fails = |pod: Value| {
        let judgement = with(pod.clone());
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{pod}: {judgement:?}");
    };
    passes(pod("shop", "open", "w2"));
    passes(pod("waiting", "open", ""));
    // An add-on's agent runs everywhere, another's does not.
    passes(pod("agent-1", "agents", "cp1"));
    fails(pod("agent-1", "open", "cp1"));
    fails(pod("coredns-2", "kube-system", "cp3"));
    // What names itself after a component is none, and neither is a file that nobody wrote.
    fails(pod("etcd-cp1", "kube-system", "cp1"));
    fails(of_a_file(pod("etcd-cp1", "default", "cp1")));
    fails(of_a_file(pod("backdoor-cp1", "kube-system", "cp1")));
    fails(of_a_file(pod("etcd-cp2", "kube-system", "cp1")));
    // A worker runs nothing from files, and no control plane's part.
    fails(of_a_file(pod("backdoor-w1", "default", "w1")));
    let mut moved = pod("kube-scheduler-7", "kube-system", "w2");
    moved["metadata"]["labels"] = json!({"tier": "control-plane"});
    fails(moved);
    // A node that the specification does not name may be there all the same; one that is gone runs nothing.
    fails(of_a_file(pod("etcd-unnamed", "kube-system", "unnamed")));
    passes(of_a_file(pod("etcd-cp9", "kube-system", "cp9")));
}

#[test]
fn a_list_without_a_control_planes_own_pods_shows_nothing() {
    let judgement = judging(|act| match act {
        Act::Ask { ask: Ask::Whereabouts, .. } => {
            let of_others = |pod: &Value| pod["spec"]["nodeName"] != "cp3";
            Some(Seen::Objects(pods().into_iter().filter(of_others).collect()))
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}
