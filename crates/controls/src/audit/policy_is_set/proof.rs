//! Requests of every kind stand in the log of the very server that took them, each at its level or a higher one, and no
//! body of a Secret does.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize as _;
use serde_json::{Value, json};

use ringfort_audit::event::Level;
use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, TokenWish, Transcript};
use ringfort_model::name::NodeName;

use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// Looks at a log before giving up, and the pause between two: a server writes behind the request.
const LOOKS: (usize, u64) = (10, 300);

/// A kind of request that has to stand in the log.
struct Kind {
    /// What it is, in words that follow "that of".
    what: &'static str,
    /// How what is asked for is named.
    name: &'static str,
    /// The request.
    act: fn(&Scene, &NodeName, String) -> Act,
    /// How the log calls what is done,
    verb: &'static str,
    /// to what,
    resource: &'static str,
    /// and to what part of it.
    subresource: Option<&'static str>,
    /// How much of it is written down at least.
    level: Level,
    /// How it is answered, where that is a part of it.
    status: Option<u16>,
}

impl Kind {
    /// Whether its body is left out on purpose: detections of a site's own may ask for more of everything else.
    fn is_capped(&self) -> bool {
        match self.subresource {
            None => ["configmaps", "secrets"].contains(&self.resource),
            Some(part) => (self.resource, part) == ("serviceaccounts", "token"),
        }
    }
}

/// What all others are asked about: it is written first.
const WRITING: Kind = Kind {
    what: "writing a Secret",
    name: "secret",
    act: |scene, server, name| {
        let ask = Ask::Create(secret(scene, &name));
        Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
    },
    verb: "create",
    resource: "secrets",
    subresource: None,
    level: Level::Metadata,
    status: None,
};

const KINDS: [Kind; 8] = [
    Kind {
        what: "reading a Secret",
        name: "secret",
        act: |scene, server, name| {
            let ask = Ask::Get(scene.key("v1", "Secret", &name));
            Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
        },
        verb: "get",
        resource: "secrets",
        subresource: None,
        level: Level::Metadata,
        status: None,
    },
    Kind {
        what: "asking for a token",
        name: "token",
        act: |scene, server, name| {
            let namespace = scene.namespace.clone();
            let (account, audiences, seconds, bound) = (name, Vec::new(), 3_600, None);
            let wish = TokenWish { namespace, account, audiences, seconds, aged_s: None, bound };
            Act::TryToken { server: server.clone(), wish }
        },
        verb: "create",
        resource: "serviceaccounts",
        subresource: Some("token"),
        level: Level::Metadata,
        status: None,
    },
    Kind {
        what: "running a command in a pod",
        name: "exec",
        act: |scene, server, name| {
            let space = &scene.namespace;
            let path = format!("/api/v1/namespaces/{space}/pods/{name}/exec?command=true");
            let ask = Ask::Read { path };
            Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
        },
        verb: "get",
        resource: "pods",
        subresource: Some("exec"),
        level: Level::Metadata,
        status: None,
    },
    Kind {
        what: "making a role",
        name: "role",
        act: |scene, server, name| {
            let ask = Ask::WouldCreate(json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": name, "namespace": scene.namespace},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
            }));
            Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
        },
        verb: "create",
        resource: "roles",
        subresource: None,
        level: Level::RequestResponse,
        status: None,
    },
    Kind {
        what: "deleting many pods at once",
        name: "many",
        act: |scene, server, name| {
            let namespace = scene.namespace.clone();
            let ask = Ask::WouldDeletePods { namespace, labelled: format!("canary={name}") };
            Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
        },
        verb: "deletecollection",
        resource: "pods",
        subresource: None,
        level: Level::Request,
        status: None,
    },
    Kind {
        what: "asking without a name",
        name: "anonymous",
        act: |scene, server, name| {
            let path = format!("/api/v1/namespaces/{}/configmaps/{name}", scene.namespace);
            let ask = Ask::Read { path };
            Act::Ask { server: server.clone(), speaker: Speaker::Anonymous, ask }
        },
        verb: "get",
        resource: "configmaps",
        subresource: None,
        level: Level::Metadata,
        status: Some(401),
    },
    Kind {
        what: "being refused",
        name: "refused",
        act: |scene, server, name| {
            let (namespace, account) = (scene.namespace.clone(), "default".to_owned());
            let speaker = Speaker::Account { namespace, name: account };
            let ask = Ask::Get(scene.key("v1", "ConfigMap", &name));
            Act::Ask { server: server.clone(), speaker, ask }
        },
        verb: "get",
        resource: "configmaps",
        subresource: None,
        level: Level::Metadata,
        status: Some(403),
    },
    Kind {
        what: "a node's reaching for a Secret",
        name: "node",
        act: |scene, server, name| {
            let speaker = Speaker::Node(scene.workers.first().unwrap_or(server).clone());
            let ask = Ask::Get(scene.key("v1", "Secret", &name));
            Act::Ask { server: server.clone(), speaker, ask }
        },
        verb: "get",
        resource: "secrets",
        subresource: None,
        level: Level::Metadata,
        status: Some(403),
    },
];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        let create = |(place, server): (usize, &NodeName)| {
            (WRITING.act)(scene, server, name(scene, place, WRITING.name))
        };
        let servers = || scene.control_planes.iter().enumerate();
        for (act, seen) in course.step(servers().map(create).collect())? {
            if !matches!(seen, Seen::Object(_)) {
                gaps.add(format!("{}: no canary was written: {}", place_of(act), words(seen)));
            }
        }
        let requests = servers().flat_map(|(place, server)| {
            KINDS.iter().map(move |kind| (kind.act)(scene, server, name(scene, place, kind.name)))
        });
        let asked = course.step(requests.collect())?;
        for ((act, seen), kind) in asked.iter().zip(KINDS.iter().cycle()) {
            if let Seen::Failed { why } = seen {
                gaps.add(format!("{}: {}: {why}", place_of(act), kind.what));
            }
        }
        let looks = || {
            let look = |(place, server): (usize, &NodeName)| Act::ReadAudit {
                server: server.clone(),
                holding: name(scene, place, ""),
            };
            servers().map(look).collect()
        };
        let seen = course.until(LOOKS, looks, |seen| {
            let whole = |(place, (_, seen)): (usize, &(Act, Seen))| match seen {
                Seen::Lines(lines) => all()
                    .all(|kind| find(&read(lines), &name(scene, place, kind.name), kind).is_some()),
                _ => false,
            };
            seen.iter().enumerate().all(whole)
        })?;
        for (place, (act, seen)) in seen.iter().enumerate() {
            let Seen::Lines(lines) = seen else {
                gaps.add(format!("{}: the audit log was not read: {}", place_of(act), words(seen)));
                continue;
            };
            if let Err(said) = judge(scene, place, lines) {
                let said = format!("{}: {said}", place_of(act));
                return Ok(fail(said, "check the audit policy and its flags: ringfort up"));
            }
        }
        gaps.close()?;
        Ok(pass(said(scene), course.so_far()))
    })
}

fn said(scene: &Scene) -> String {
    format!(
        "{} kinds of requests stand in the log of each of {} servers, at their levels at least and without bodies \
         of Secrets; not logged, by decision: {}",
        all().count(),
        scene.control_planes.len(),
        scene.blind.join("; "),
    )
}

/// Judges what stands in one server's log.
fn judge(scene: &Scene, place: usize, lines: &[String]) -> Result<(), String> {
    let events = read(lines);
    for kind in all() {
        let event = find(&events, &name(scene, place, kind.name), kind)
            .ok_or_else(|| format!("{} is not in its audit log", kind.what))?;
        let level = Level::deserialize(&event["level"])
            .map_err(|_| format!("{} is logged at no level that there is", kind.what))?;
        if level < kind.level || (level > kind.level && kind.is_capped()) {
            return Err(format!("{} is logged at level {level}, not {}", kind.what, kind.level));
        }
        let has_no_body = event["requestObject"].is_null() && event["responseObject"].is_null();
        if level == Level::Metadata && !has_no_body {
            return Err(format!("{} is logged with a body", kind.what));
        }
        if kind.level == Level::RequestResponse && event["requestObject"].is_null() {
            return Err(format!("{} is logged without what was asked", kind.what));
        }
    }
    // A server keeps as bytes in base64 what was sent as text.
    let bytes = BASE64_STANDARD.encode(&scene.nonce);
    let holds = |line: &String| line.contains(&scene.nonce) || line.contains(&bytes);
    if lines.iter().any(holds) {
        return Err("the audit log holds the body of a Secret".to_owned());
    }
    Ok(())
}

fn all() -> impl Iterator<Item = &'static Kind> {
    std::iter::once(&WRITING).chain(&KINDS)
}

fn read(lines: &[String]) -> Vec<Value> {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Finds the line about a request: by what was asked for, whoever asked.
fn find<'a>(events: &'a [Value], name: &str, kind: &Kind) -> Option<&'a Value> {
    let is_it = |event: &&Value| {
        let of = &event["objectRef"];
        let address = event["requestURI"].as_str().unwrap_or_default();
        let part = of["subresource"].as_str();
        let status = event["responseStatus"]["code"].as_u64();
        event["verb"] == kind.verb
            && of["resource"] == kind.resource
            && part == kind.subresource
            && (of["name"] == name || address.contains(name))
            && kind.status.is_none_or(|expected| status == Some(expected.into()))
    };
    events.iter().find(is_it)
}

fn secret(scene: &Scene, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": scene.namespace},
        "stringData": {"canary": scene.nonce},
    })
}

fn place_of(act: &Act) -> &str {
    act.node().map_or("", NodeName::as_str)
}

/// Names what is asked for of one server: no other run's line has it.
fn name(scene: &Scene, place: usize, kind: &str) -> String {
    format!("{}-audit-{place}-{kind}", scene.namespace)
}
