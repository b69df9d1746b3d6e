//! A flood of events is refused before it reaches the store.

mod proof;
mod sabotage;

use ringfort_spec::{Limit, Spec};
use serde_json::json;

use crate::control::{Control, Ref, Severity};
use crate::draft::{Component, Draft};
use crate::proof::{Phase, Proof};

/// The control.
pub static CONTROL: Control = Control {
    id: "access/event-rate-limit",
    title: "A flood of events is refused before it reaches the store",
    severity: Severity::Low,
    refs: &[Ref::Cis("1.2.9")],
    limits: &[Limit::Cluster],
    doc: include_str!("event_rate_limit.md"),
    make: Some(make),
    prove: Some(Proof { phase: Phase::Gentle, next: proof::next, sabotage: sabotage::ALL }),
};

/// How many equal events are let through at once, and one a second from then on. Kubernetes' own clients hold
/// back at half of it, and send one in five minutes from then on.
const BURST: u16 = 50;

fn make(_: &Spec, draft: &mut Draft<'_>) {
    draft.plugin(
        "EventRateLimit",
        json!({
            "apiVersion": "eventratelimit.admission.k8s.io/v1alpha1",
            "kind": "Configuration",
            "limits": [
                {"type": "Server", "qps": 200, "burst": 1000},
                {"type": "Namespace", "qps": 50, "burst": 500, "cacheSize": 2000},
                {"type": "User", "qps": 50, "burst": 500, "cacheSize": 2000},
                {"type": "SourceAndObject", "qps": 1, "burst": BURST, "cacheSize": 4096},
            ],
        }),
    );
    draft.control_planes(|at| {
        at.add(Component::ApiServer, "--enable-admission-plugins", "EventRateLimit");
    });
}
