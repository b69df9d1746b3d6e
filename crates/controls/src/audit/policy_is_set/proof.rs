//! Reading a canary Secret stands in the log of the very server that took the request, at level
//! Metadata, without the Secret's body.

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};
use ringfort_model::judgement::Finding;
use ringfort_model::name::NodeName;

use crate::proof::{Scene, fail, gap, pass, words};

/// Looks at a log before giving up: the server writes it behind the request.
const LOOKS: usize = 10;

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    let servers = scene.control_planes.len();
    if transcript.is_empty() {
        return Next::Do((0..servers).map(|index| create(scene, index)).collect());
    }
    if transcript.len() == servers {
        return match transcript.iter().find(|(_, seen)| !matches!(seen, Seen::Object(_))) {
            Some((_, other)) => {
                gap(format!("a canary could not be written: {}", words(other)), "ringfort up")
            }
            None => Next::Do(each(scene, read)),
        };
    }
    let looks = transcript.iter().filter(|(act, _)| matches!(act, Act::Wait { .. })).count();
    if looks == 0 {
        return look(scene);
    }
    let last = &transcript[transcript.len() - servers..];
    for (place, (act, seen)) in last.iter().enumerate() {
        let Act::ReadAudit { server, .. } = act else { continue };
        let name = &name(place);
        let Seen::Lines(lines) = seen else {
            let said = format!("{server}: the audit log was not read: {}", words(seen));
            return gap(said, "ringfort up");
        };
        match judge(scene, server, name, lines) {
            Ok(()) => {}
            Err(Fault::NotThere) if looks < LOOKS => return look(scene),
            Err(Fault::NotThere) => {
                return fail(
                    format!("{server}: reading Secret {name} is not in its audit log"),
                    "check --audit-policy-file and --audit-log-path: ringfort up",
                );
            }
            Err(Fault::Wrong(finding)) => return fail(finding.said, finding.fix),
        }
    }
    pass(
        format!(
            "reading a Secret stands in the audit log of each of {servers} servers, at level Metadata, without its body"
        ),
        last,
    )
}

/// What is wrong with a server's log.
enum Fault {
    NotThere,
    Wrong(Finding),
}

fn judge(scene: &Scene, server: &NodeName, name: &str, lines: &[String]) -> Result<(), Fault> {
    let wrong = |said: String| {
        let fix = "the audit policy must log Secrets at level Metadata".to_owned();
        Err(Fault::Wrong(Finding { said, fix }))
    };
    let events: Vec<Value> =
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let reads = |event: &&Value| {
        let of = &event["objectRef"];
        event["verb"] == "get" && of["name"] == name && of["namespace"] == *scene.namespace
    };
    let event = events.iter().find(reads).ok_or(Fault::NotThere)?;
    if event["level"] != "Metadata" {
        return wrong(format!("{server}: reading a Secret is logged at level {}", event["level"]));
    }
    let leaks = lines.iter().any(|line| line.contains(&scene.nonce));
    if leaks || !event["responseObject"].is_null() || !event["requestObject"].is_null() {
        return wrong(format!("{server}: the audit log holds the body of a Secret"));
    }
    Ok(())
}

fn look(scene: &Scene) -> Next {
    let mut acts = vec![Act::Wait { ms: 300 }];
    acts.extend(each(scene, |scene, server, name| Act::ReadAudit {
        server,
        holding: holding(scene, name),
    }));
    Next::Do(acts)
}

fn create(scene: &Scene, index: usize) -> Act {
    scene.ask(Ask::Create(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name(index), "namespace": scene.namespace},
        "stringData": {"canary": scene.nonce},
    })))
}

fn read(scene: &Scene, server: NodeName, name: &str) -> Act {
    let ask = Ask::Get(scene.key("v1", "Secret", name));
    Act::Ask { server, speaker: Speaker::Keeper, ask }
}

/// One act for each server and the canary that was made for it.
fn each(scene: &Scene, act: fn(&Scene, NodeName, &str) -> Act) -> Vec<Act> {
    let one = |(index, server): (usize, &NodeName)| act(scene, server.clone(), &name(index));
    scene.control_planes.iter().enumerate().map(one).collect()
}

/// What a line about this run's canary has in it, as the server writes it.
fn holding(scene: &Scene, name: &str) -> String {
    format!("/namespaces/{}/secrets/{name}", scene.namespace)
}

fn name(index: usize) -> String {
    format!("canary-audit-{index}")
}
