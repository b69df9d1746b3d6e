//! What a proof may miss once and pass all the same.

use ringfort_model::act::{Act, Ask};

use super::Case;

/// What tidies up, what passes time, and what is asked again until it is answered.
pub(super) fn may_be_missed(case: &Case, act: &Act) -> bool {
    match act {
        Act::Wait { .. }
        | Act::Leads { .. }
        | Act::ReadAudit { .. }
        | Act::Kept { .. }
        | Act::Reported { .. }
        | Act::Told { .. } => true,
        Act::Ask { ask: Ask::Delete(_), .. } => true,
        Act::Ask { ask: Ask::Logs { .. }, .. } => case.control != "network/pod-encryption",
        Act::Ask { ask: Ask::Get(key), .. } => {
            ["CustomResourceDefinition", "Deployment", "Pod"].contains(&key.kind.as_str())
                || (AWAITS_ACCOUNTS.contains(&case.control) && key.kind == "ServiceAccount")
        }
        Act::Ask { ask: Ask::Create(object), .. } => object["kind"] == "Canary",
        Act::Ask { ask: Ask::List { .. }, .. } => {
            ["ha/nodes-are-ready", "ha/three-workers"].contains(&case.control)
        }
        _ => false,
    }
}

/// What looks for accounts of a new cluster's controllers, and goes on without them after a while.
const AWAITS_ACCOUNTS: [&str; 3] =
    ["access/system-accounts", "access/system-namespaces", "workload/default-account"];
