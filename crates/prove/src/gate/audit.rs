//! Reading a canary Secret stands in the log of the very server that took the request, at level
//! Metadata, without the Secret's body.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::name::NodeName;

use super::{Scene, fail, gap, pass, words};

/// Looks at a log before giving up: the server writes it behind the request.
const LOOKS: usize = 10;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let name = |index: usize| format!("canary-audit-{index}");
    let servers = scene.control_planes.len();
    if transcript.is_empty() {
        let create = |index: usize| {
            scene.ask(Ask::Create(json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": name(index), "namespace": scene.namespace},
                "stringData": {"canary": scene.nonce},
            })))
        };
        return Next::Do((0..servers).map(create).collect());
    }
    if transcript.len() == servers {
        if let Some((_, other)) =
            transcript.iter().find(|(_, seen)| !matches!(seen, Seen::Object(_)))
        {
            return gap(format!("a canary could not be written: {}", words(other)), "ringfort up");
        }
        let read = |(index, server): (usize, &NodeName)| Act::Ask {
            server: server.clone(),
            speaker: Speaker::Keeper,
            ask: Ask::Get(scene.key("v1", "Secret", &name(index))),
        };
        return Next::Do(scene.control_planes.iter().enumerate().map(read).collect());
    }
    let look = || {
        let read = |(index, server): (usize, &NodeName)| Act::ReadAudit {
            server: server.clone(),
            holding: name(index),
        };
        let mut acts = vec![Act::Wait { ms: 300 }];
        acts.extend(scene.control_planes.iter().enumerate().map(read));
        Next::Do(acts)
    };
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Wait { .. })).count();
    if looks == 0 {
        return look();
    }
    let last = &transcript[transcript.len() - servers..];
    for (act, seen) in last {
        let Act::ReadAudit { server, holding } = act else { continue };
        let lines = match seen {
            Seen::Lines(lines) => lines,
            other => {
                return gap(
                    format!("{server}: the audit log was not read: {}", words(other)),
                    "ringfort up",
                );
            }
        };
        let events: Vec<Value> =
            lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let reads = |e: &&Value| e["verb"] == "get" && e["objectRef"]["name"] == holding.as_str();
        let Some(event) = events.iter().find(reads) else {
            if looks < LOOKS {
                return look();
            }
            return fail(
                format!("{server}: reading Secret {holding} is not in its audit log"),
                "check --audit-policy-file and --audit-log-path: ringfort up",
            );
        };
        if event["level"] != "Metadata" {
            return fail(
                format!("{server}: reading a Secret is logged at level {}", event["level"]),
                "the audit policy must log Secrets at level Metadata",
            );
        }
        let body = lines.iter().any(|line| line.contains(&scene.nonce));
        if body || !event["responseObject"].is_null() || !event["requestObject"].is_null() {
            return fail(
                format!("{server}: the audit log holds the body of a Secret"),
                "the audit policy must log Secrets at level Metadata",
            );
        }
    }
    pass(
        format!(
            "reading a Secret stands in the audit log of each of {servers} servers, at level Metadata, without its body"
        ),
        last,
    )
}
