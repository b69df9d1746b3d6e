//! A NetworkPolicy lets everybody through.

use crate::detections::prelude::*;

/// The detection.
pub static DETECTION: Detection = Detection {
    id: "detect/network-policy-opened",
    title: "A NetworkPolicy lets everybody through",
    severity: Severity::Medium,
    because: "policies add up: whatever others keep apart may talk",
    attack: &["T1562.007"],
    needs: &[others(
        WRITES,
        Of::Resources(&[("networking.k8s.io", "networkpolicies")]),
        Level::RequestResponse,
    )],
    doc: include_str!("network_policy_opened.md"),
    judge: Judge::Each(judge),
};

fn judge(scene: &Scene<'_>) -> Option<String> {
    if is_keeper(scene.event) {
        return None;
    }
    let open =
        |policy: &Node<'_>| [("ingress", "from"), ("egress", "to")].map(|it| is_open(policy, it));
    let [comes, goes] = scene.object().map(open)?;
    // Many a policy lets everything out from the first; that one does so all at once is something else.
    let [came, went] = scene.before(open).unwrap_or([false, true]);
    match (comes && !came, goes && !went) {
        (true, _) => Some("anybody is let in at every port".to_owned()),
        (_, true) => Some("everything is let out, which was not before".to_owned()),
        _ => None,
    }
}

/// Whether a policy has a rule that asks neither for a place nor for a port.
fn is_open(policy: &Node<'_>, (rules, places): (&str, &str)) -> bool {
    policy.at("spec").at(rules).items().iter().any(|rule| {
        let places = rule.at(places).items();
        let is_anywhere = places.is_empty() || places.iter().any(is_everywhere);
        rule.at("ports").items().is_empty() && is_anywhere
    })
}

/// Whether a place is every address, or every pod of all namespaces.
fn is_everywhere(place: &Node<'_>) -> bool {
    let block = place.at("ipBlock");
    let is_all = |selector: &Node<'_>| {
        matches!(selector, Node::Object(_))
            && selector.at("matchLabels").fields().is_empty()
            && selector.at("matchExpressions").items().is_empty()
    };
    let is_all_addresses = ["0.0.0.0/0", "::/0"].contains(&block.at("cidr").text())
        && block.at("except").items().is_empty();
    let pods = place.at("podSelector");
    is_all_addresses || (is_all(place.at("namespaceSelector")) && (pods.is_null() || is_all(pods)))
}
