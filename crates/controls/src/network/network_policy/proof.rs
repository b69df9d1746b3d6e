//! A policy that names one port of some pods opens that and nothing else, from the first packet on.

use ringfort_model::act::{Ask, Next, Seen, Transcript};
use serde_json::{Value, json};

use super::held::{LOOK, held};
use super::wider::{is_enforced_by_ringfort, unread};
use crate::proof::fence::{Within, dial, leak, tried};
use crate::proof::inside::{PORT, inside};
use crate::proof::pod::OPEN;
use crate::proof::{AGAIN, Scene, course, fail, gap, pass, words};

/// The label of pods that the policy is for.
const NAMED: &str = "canary-network-named";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let open = inside(course, scene)?;
        for (_, seen) in course.step(vec![scene.ask(Ask::Create(policy(scene)))])? {
            if !matches!(seen, Seen::Object(_) | Seen::Refused { status: 409, .. }) {
                return Err(gap(format!("a policy was not admitted: {}", words(seen)), AGAIN));
            }
        }
        let allowed: Vec<[String; 2]> = open.iter().map(|pod| dial(&pod.address, PORT)).collect();
        let mut forbidden = vec![dial(&scene.api_address.to_string(), 443)];
        // Nobody listens there: a refusal would show that packets came through.
        forbidden.extend(open.iter().map(|pod| dial(&pod.address, PORT + 1)));
        forbidden.extend(scene.addresses.values().map(|node| dial(&node.to_string(), 10250)));
        let asks: Vec<[String; 2]> = allowed.iter().chain(&forbidden).cloned().collect();
        let named = tried(course, scene, ("named", Within::One), Some(NAMED), &asks)?;
        if let Some((node, target)) = leak(&named, &forbidden)? {
            let said = format!("{node}: a pod reaches {target}, which no policy allows");
            return Ok(fail(said, look(scene)));
        }
        for pod in &named {
            let node = &pod.node;
            if let Some([_, target]) = allowed.iter().find(|it| pod.answer(it) != Some("open")) {
                let said = format!("{node}: a pod does not reach {target}, which a policy allows");
                return Ok(fail(said, look(scene)));
            }
        }
        let unread = unread(course, scene)?;
        if !unread.is_empty() {
            let said = format!(
                "there are cluster-wide policies of which nothing shows that they are enforced ({})",
                unread.join(", ")
            );
            return Ok(gap(said, "say it in a way that is read, or take it away: ringfort up"));
        }
        let meddled = held(course, scene)?;
        let said = format!(
            "a policy that names one port opens that and nothing else to pods on each of {} workers, at their first packet ({} tries){meddled}",
            scene.workers.len(),
            scene.workers.len() * asks.len(),
        );
        Ok(pass(said, course.so_far()))
    })
}

/// What to do where policies do not hold.
fn look(scene: &Scene) -> &'static str {
    match is_enforced_by_ringfort(scene) {
        true => LOOK,
        false => OWN,
    }
}

const OWN: &str = "the network that was brought has to enforce NetworkPolicy in both directions: turn it on in the \
                   add-on that brings it, or waive network/network-policy";

fn policy(scene: &Scene) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "canary-named", "namespace": scene.namespace},
        "spec": {
            "podSelector": {"matchLabels": {NAMED: "yes"}},
            "policyTypes": ["Egress"],
            "egress": [{
                "to": [{"podSelector": {"matchLabels": {OPEN: "yes"}}}],
                "ports": [{"protocol": "TCP", "port": PORT}],
            }],
        },
    })
}
