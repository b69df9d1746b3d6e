//! What a log holds of the canaries, and what is kept of it.

use std::collections::BTreeSet;

use ringfort_model::act::{Act, Ask, EventSeen, KeptSeen, Seen, TallySeen};
use ringfort_model::judgement::Decided;
use ringfort_model::name::NodeName;
use serde_json::{Value, json};

use super::{case, judge, scene, silence};

/// What a log holds of the canaries whose names begin so, each as `kind verb resource level status`.
pub(super) const LOGGED: [&str; 9] = [
    "secret create secrets Metadata 201",
    "secret get secrets Metadata 200",
    "token create serviceaccounts/token Metadata 404",
    "exec get pods/exec Metadata 404",
    "role create roles RequestResponse 201",
    "many deletecollection pods Request 200",
    "anonymous get configmaps Metadata 401",
    "refused get configmaps Metadata 403",
    "node get secrets Metadata 403",
];

pub(super) fn events(holding: &str) -> Vec<Value> {
    let event = |line: &str| {
        let [kind, verb, resource, level, status] =
            line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let mut event = json!({
            "level": level, "verb": verb, "requestURI": format!("/things/{holding}{kind}"),
            "objectRef": {"resource": resource, "name": format!("{holding}{kind}")},
            "responseStatus": {"code": status.parse::<u16>().unwrap()},
        });
        if !part.is_empty() {
            event["objectRef"]["subresource"] = part.into();
        }
        if level == "RequestResponse" {
            event["requestObject"] = json!({"kind": "Thing"});
        }
        if verb == "deletecollection" {
            event["objectRef"]["name"] = Value::Null;
        }
        event
    };
    LOGGED.iter().map(|line| event(line)).collect()
}

pub(super) fn lines(events: &[Value]) -> Seen {
    Seen::Lines(events.iter().map(Value::to_string).collect())
}

/// Each kind of request has to be there, at its own level, and with no body where that level has none.
#[test]
fn each_kind_of_request_is_missed_where_it_is_not_logged() {
    for place in 0..LOGGED.len() {
        let spoil = |change: fn(&mut Value)| {
            let judgement = judge(&case("audit/policy-is-set"), |act| match act {
                Act::ReadAudit { server, holding } if server.as_str() == "cp3" => {
                    let mut events = events(holding);
                    change(&mut events[place]);
                    Some(lines(&events))
                }
                _ => None,
            });
            matches!(judgement, Ok(Decided::Fail(_)))
        };
        assert!(spoil(|event| *event = json!({})), "{}", LOGGED[place]);
        assert!(spoil(|event| event["level"] = "None".into()), "{}", LOGGED[place]);
        assert!(spoil(|event| event["verb"] = "list".into()), "{}", LOGGED[place]);
        let is_bare = LOGGED[place].contains(" Metadata ");
        let with_body = spoil(|event| event["responseObject"] = json!({"kind": "Secret"}));
        assert_eq!(with_body, is_bare, "{}", LOGGED[place]);
    }
}

/// Detections of a site's own may have more written down, but nothing of what bodies are left out of on purpose.
#[test]
fn more_than_was_asked_for_is_missed_only_where_bodies_are_left_out() {
    let capped = ["secrets", "serviceaccounts/token", "configmaps"];
    for (place, line) in LOGGED.iter().enumerate() {
        for level in ["Request", "RequestResponse"] {
            let judgement = judge(&case("audit/policy-is-set"), |act| match act {
                Act::ReadAudit { server, holding } if server.as_str() == "cp3" => {
                    let mut events = events(holding);
                    events[place]["level"] = level.into();
                    events[place]["requestObject"] = json!({"kind": "Thing"});
                    Some(lines(&events))
                }
                _ => None,
            });
            let resource = line.split(' ').nth(2).unwrap();
            let is_less = level == "Request" && line.contains(" RequestResponse ");
            let is_wrong = is_less || capped.contains(&resource);
            assert_eq!(
                matches!(judgement, Ok(Decided::Pass(_))),
                !is_wrong,
                "{line} at {level}: {judgement:?}"
            );
            assert_eq!(matches!(judgement, Ok(Decided::Fail(_))), is_wrong, "{line} at {level}");
        }
    }
}

/// The tactics that are tried, each with the detection that finds it.
const TACTICS: [(&str, &str); 11] = [
    ("node-port", "Initial Access"),
    ("pinned-to-node", "Execution"),
    ("scheduled-job", "Persistence"),
    ("secrets-role", "Privilege Escalation"),
    ("limits-deleted", "Defense Evasion"),
    ("token-requested", "Credential Access"),
    ("own-rights-listed", "Discovery"),
    ("daemon-set", "Lateral Movement"),
    ("endpoints-by-hand", "Collection"),
    ("service-proxy", "Command and Control"),
    ("deleted-by-force", "Impact"),
];

/// What a control plane keeps of the canaries.
pub(super) fn kept() -> KeptSeen {
    let of = |(number, (verb, resource)): (usize, (&str, &str))| EventSeen {
        id: format!("id-{number}"),
        verb: verb.to_owned(),
        resource: resource.to_owned(),
    };
    let canaries = [
        ("create", "serviceaccounts"),
        ("create", "services"),
        ("create", "deployments"),
        ("create", "cronjobs"),
        ("create", "roles"),
        ("delete", "poddisruptionbudgets"),
        ("create", "serviceaccounts/token"),
        ("create", "selfsubjectrulesreviews"),
        ("create", "daemonsets"),
        ("create", "endpointslices"),
        ("get", "services/proxy"),
        ("delete", "pods"),
    ];
    let events: BTreeSet<_> = canaries.into_iter().enumerate().map(of).collect();
    let found = TACTICS.map(|(name, _)| format!("detect/{name}"));
    KeptSeen {
        key: "ab".repeat(32),
        logged: events.clone(),
        kept: events,
        findings: found.clone().into(),
        found_ms: found.into_iter().map(|detection| (detection, 1_200)).collect(),
        segments: 3,
        entries: 9_000,
        tally: Some(TallySeen { ago_s: 20, rounds: 4, events: 700, ..TallySeen::default() }),
        heard_ms: scene().control_planes.into_iter().map(|node| (node, 900)).collect(),
        ..KeptSeen::default()
    }
}

fn on_last(act: &Act, change: fn(&mut KeptSeen)) -> Option<Seen> {
    let Act::Kept { server, .. } = act else { return None };
    let mut kept = kept();
    (server.as_str() == "cp3").then(|| {
        change(&mut kept);
        Seen::Kept(kept)
    })
}

/// Each canary has to be logged, kept and found, and the log to be whole.
#[test]
fn each_thing_that_is_not_kept_or_not_found_is_missed() {
    for place in 1..=TACTICS.len() {
        let lost = |change: fn(&mut KeptSeen, usize)| {
            let judgement = judge(&case("audit/events-are-kept"), |act| match act {
                Act::Kept { server, .. } if server.as_str() == "cp3" => {
                    let mut kept = kept();
                    change(&mut kept, place);
                    Some(Seen::Kept(kept))
                }
                _ => None,
            });
            matches!(judgement, Ok(Decided::Fail(_)))
        };
        assert!(lost(|kept, place| kept.kept.retain(|it| it.id != format!("id-{place}"))));
        assert!(lost(|kept, place| kept.logged.retain(|it| it.id != format!("id-{place}"))));
        assert!(lost(|kept, place| {
            let detection = kept.findings.iter().nth(place - 1).cloned().unwrap();
            kept.findings.remove(&detection);
        }));
    }
}

/// Whoever reads the row learns which tactic nobody would notice, and of none but that.
#[test]
fn a_tactic_that_is_not_found_is_named() {
    for (name, tactic) in TACTICS {
        let judgement = judge(&case("audit/events-are-kept"), |act| match act {
            Act::Kept { server, .. } if server.as_str() == "cp3" => {
                let mut kept = kept();
                kept.findings.remove(&format!("detect/{name}"));
                Some(Seen::Kept(kept))
            }
            _ => None,
        });
        let Ok(Decided::Fail(finding)) = judgement else { panic!("{name}: {judgement:?}") };
        assert!(finding.said.starts_with("cp3: "), "{}", finding.said);
        let is_named = |(_, of): &&(&str, &str)| finding.said.contains(&format!("{of} ("));
        let named: Vec<_> = TACTICS.iter().filter(is_named).collect();
        assert_eq!(named, [&(name, tactic)], "{}", finding.said);
    }
}

/// What was slow on one machine is told, by the first look that saw it, and what is not tried stands beside.
#[test]
fn the_row_tells_which_tactic_was_found_last() {
    let mut looks = 0;
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Kept { server, .. } if server.as_str() == "cp3" => {
            let mut kept = kept();
            looks += 1;
            kept.found_ms.values_mut().for_each(|ms| *ms += 2_000 * looks);
            if looks < 3 {
                kept.findings.remove("detect/deleted-by-force");
                kept.found_ms.remove("detect/deleted-by-force");
            }
            Some(Seen::Kept(kept))
        }
        _ => None,
    });
    let Ok(Decided::Pass(evidence)) = judgement else { panic!("{judgement:?}") };
    let said = evidence.to_string();
    assert!(
        said.contains("suspicious things of 11 tactics (Initial Access, Execution, "),
        "{said}"
    );
    assert!(said.contains("the slowest (Impact) within 8 s; not tried are "), "{said}");
    assert!(said.contains("not tried are Reconnaissance; "), "{said}");
}

/// A server that did not do one of them has shown nothing of it, and is no failure for that.
#[test]
fn a_tactic_that_a_server_did_not_try_is_unknown() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { server, ask: Ask::DeleteByForce(_), .. } if server.as_str() == "cp3" => {
            Some(Seen::Refused { status: 403, message: "no".to_owned() })
        }
        Act::Kept { .. } => on_last(act, |kept| {
            kept.findings.remove("detect/deleted-by-force");
        }),
        _ => None,
    });
    let gap = judgement.unwrap_err();
    assert!(gap.said.contains("cp3: nobody deleted a pod by force (Impact)"), "{}", gap.said);
}

/// To be refused for want of a right is what is looked for there: whoever is let through shows something else.
#[test]
fn what_is_to_be_refused_was_done_by_a_refusal_alone() {
    let reaches = |act: &Act| match act {
        Act::Ask { server, ask: Ask::Read { path }, .. } => {
            server.as_str() == "cp3" && path.ends_with("/services/canary-kept-2/proxy/")
        }
        _ => false,
    };
    let judged = |answer: Seen| {
        judge(&case("audit/events-are-kept"), |act| match act {
            act if reaches(act) => Some(answer.clone()),
            Act::Kept { .. } => on_last(act, |kept| {
                kept.findings.remove("detect/service-proxy");
            }),
            _ => None,
        })
    };
    let refused = |status| Seen::Refused { status, message: "no".to_owned() };
    let missed = judged(refused(403));
    let Ok(Decided::Fail(finding)) = missed else { panic!("{missed:?}") };
    assert!(finding.said.contains("Command and Control ("), "{}", finding.said);
    for (answer, why) in [
        (refused(503), "the server answered 503"),
        (Seen::Text("hello".to_owned()), "the server let it happen"),
    ] {
        let gap = judged(answer).unwrap_err();
        let named = "cp3: nobody tried to reach a Service through the API (Command and Control): ";
        assert!(gap.said.contains(&format!("{named}{why}")), "{}", gap.said);
    }
}

/// What a server counts has to have come, and somebody has to have looked lately.
#[test]
fn what_a_server_counts_and_nobody_has_is_missed() {
    let spoils: [fn(&mut TallySeen); 5] = [
        |tally| tally.missed = 1,
        |tally| tally.unheard = 1,
        |tally| tally.rounds = 1,
        |tally| tally.ago_s = 61,
        |tally| tally.trouble = Some("the API server does not answer".to_owned()),
    ];
    let judged = |spoil: Option<fn(&mut TallySeen)>| {
        judge(&case("audit/events-are-kept"), |act| match act {
            Act::Kept { server, .. } if server.as_str() == "cp3" => {
                let mut kept = kept();
                match spoil {
                    Some(spoil) => spoil(kept.tally.as_mut().unwrap()),
                    None => kept.tally = None,
                }
                Some(Seen::Kept(kept))
            }
            _ => None,
        })
    };
    for spoil in spoils.into_iter().map(Some).chain([None]) {
        let judgement = judged(spoil);
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{judgement:?}");
    }
}

/// Each collector judges with what all others keep: of whom nothing comes is named, and a machine itself is none of them.
#[test]
fn another_control_plane_that_is_not_heard_is_missed() {
    let judged = |ago_ms: Option<u64>, found_ms: u64, of: &'static str| {
        judge(&case("audit/events-are-kept"), move |act| match act {
            Act::Kept { server, .. } if server.as_str() == "cp3" => {
                let mut kept = kept();
                kept.found_ms.values_mut().for_each(|ms| *ms = found_ms);
                kept.heard_ms.retain(|node, _| node.as_str() != of);
                kept.heard_ms.extend(ago_ms.map(|ago_ms| (NodeName::new(of).unwrap(), ago_ms)));
                Some(Seen::Kept(kept))
            }
            _ => None,
        })
    };
    for (ago_ms, said) in [
        (None, "cp3: nothing comes of what cp1 keeps: "),
        (Some(5_000), "cp3: what cp1 keeps came 5 seconds ago, and not since: "),
        (Some(4_000), "cp3: what cp1 keeps came 4 seconds ago, and not since: "),
    ] {
        let judgement = judged(ago_ms, 4_000, "cp1");
        let Ok(Decided::Fail(finding)) = judgement else { panic!("{judgement:?}") };
        assert!(finding.said.starts_with(said), "{}", finding.said);
        assert!(finding.fix.contains("ringfort-witness there and on cp1"), "{}", finding.fix);
    }
    for (ago_ms, found_ms, of) in
        [(Some(3_999), 4_000, "cp1"), (Some(5_000), 7_000, "cp1"), (None, 4_000, "cp3")]
    {
        let judgement = judged(ago_ms, found_ms, of);
        assert!(matches!(judgement, Ok(Decided::Pass(_))), "{of}: {judgement:?}");
    }
}

/// Of a control plane that is away nothing can come, which is no fault of those that are there.
#[test]
fn a_control_plane_that_is_away_is_unknown() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        act if act.node().is_some_and(|node| node.as_str() == "cp3") => Some(silence()),
        Act::Kept { .. } => {
            let mut kept = kept();
            kept.heard_ms.insert(NodeName::new("cp3").unwrap(), 90_000);
            Some(Seen::Kept(kept))
        }
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
}

/// What could not be done is not missed where it would be kept, and is no pass.
#[test]
fn a_canary_that_was_never_sent_is_unknown() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::TryToken { server, .. } if server.as_str() == "cp3" => Some(silence()),
        Act::Kept { .. } => on_last(act, |kept| {
            kept.kept.retain(|event| event.resource != "serviceaccounts/token");
        }),
        _ => None,
    });
    assert!(judgement.is_err(), "{judgement:?}");
    // A log that is not whole is a failure whatever was sent.
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { server, ask: Ask::Create(_), .. } if server.as_str() == "cp3" => Some(silence()),
        Act::Kept { .. } => on_last(act, |kept| kept.wrong.push("segment 2".to_owned())),
        _ => None,
    });
    assert!(matches!(judgement, Ok(Decided::Fail(_))), "{judgement:?}");
}

/// Whether one of so many servers is asked to make an object of a kind.
fn makes(act: &Act, servers: &[&str], kind: &str) -> bool {
    let Act::Ask { server, ask: Ask::Create(object), .. } = act else { return false };
    servers.contains(&server.as_str()) && object["kind"] == kind
}

/// What one server did not do is no reason to look away from all else that is wrong there.
#[test]
fn what_was_not_done_hides_nothing_else() {
    let spoils: [fn(&mut KeptSeen); 5] = [
        |kept| kept.key.clear(),
        |kept| kept.tally = None,
        |kept| kept.logged.clear(),
        |kept| kept.kept.clear(),
        |kept| {
            kept.findings.remove("detect/secrets-role");
        },
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let judgement =
            judge(&case("audit/events-are-kept"), |act| match makes(act, &["cp3"], "Service") {
                true => Some(Seen::Refused { status: 403, message: "no".to_owned() }),
                false => on_last(act, spoil),
            });
        assert!(matches!(judgement, Ok(Decided::Fail(_))), "{number}: {judgement:?}");
    }
}

/// How a webhook refuses.
fn denied(object: &Value) -> Seen {
    let name = &object["metadata"]["name"];
    let webhook = "admission webhook \"validation.gatekeeper.sh\" denied the request";
    Seen::Refused { status: 403, message: format!("{webhook}:\n  {name} may not be") }
}

/// A policy of somebody's that refuses canaries is no fault of what looks for them, and `ringfort up` does not mend it.
#[test]
fn what_a_policy_refuses_is_unknown_and_the_way_past_it_is_named() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { ask: Ask::Create(object), .. }
            if makes(act, &["cp1", "cp2", "cp3"], "Service") || makes(act, &["cp2"], "CronJob") =>
        {
            Some(denied(object))
        }
        Act::Kept { .. } => {
            let mut kept = kept();
            kept.findings.remove("detect/node-port");
            Some(Seen::Kept(kept))
        }
        _ => None,
    });
    let gap = judgement.unwrap_err();
    for named in [
        "cp1, cp2, cp3: nobody opened a Service on every machine (Initial Access): the server answered 403: ",
        "denied the request: \"…\" may not be; cp2: nobody left a job for later (Persistence): ",
    ] {
        assert!(gap.said.contains(named), "{}", gap.said);
    }
    let closes = "let namespaces ringfort-canary-* past the policies that stand in the way (validation.gatekeeper.sh): \
                  ringfort up";
    assert_eq!(gap.closes, closes);
}

/// What a policy makes of a canary on the way need not be found.
#[test]
fn what_a_policy_changes_is_unknown_and_the_field_is_named() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { ask: Ask::Create(object), .. } if makes(act, &["cp3"], "Service") => {
            let mut made = object.clone();
            made["spec"]["type"] = "ClusterIP".into();
            Some(Seen::Object(made))
        }
        Act::Ask { ask: Ask::Create(object), .. } if makes(act, &["cp3"], "Deployment") => {
            let mut made = object.clone();
            made["spec"]["template"]["spec"]["nodeName"] = Value::Null;
            Some(Seen::Object(made))
        }
        Act::Kept { .. } => on_last(act, |kept| {
            kept.findings.remove("detect/node-port");
            kept.findings.remove("detect/pinned-to-node");
        }),
        _ => None,
    });
    let gap = judgement.unwrap_err();
    for named in [
        "cp3: nobody opened a Service on every machine (Initial Access): its spec.type was made \"ClusterIP\"",
        "(Execution): its spec.template.spec.nodeName was taken away on the way",
    ] {
        assert!(gap.said.contains(named), "{}", gap.said);
    }
    let policies = "(what changes spec.template.spec.nodeName, what changes spec.type)";
    assert!(gap.closes.contains(policies), "{}", gap.closes);
}

/// To take away what never was is answered as well, and nobody has to find it.
#[test]
fn what_was_not_there_was_not_taken_away() {
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { ask: Ask::Create(object), .. }
            if makes(act, &["cp3"], "PodDisruptionBudget") =>
        {
            Some(denied(object))
        }
        Act::Kept { .. } => on_last(act, |kept| {
            kept.findings.remove("detect/limits-deleted");
        }),
        _ => None,
    });
    let gap = judgement.unwrap_err();
    let named = "nobody took away what limits disruption (Defense Evasion): there was none";
    assert!(gap.said.contains(named), "{}", gap.said);
}

/// A port that is open on every machine does not wait for the end of the proofs, and neither does a job.
#[test]
fn what_stays_open_is_taken_away_before_it_is_looked_for() {
    let mut gone = BTreeSet::new();
    let judgement = judge(&case("audit/events-are-kept"), |act| match act {
        Act::Ask { server, ask: Ask::Delete(key), .. } => {
            gone.insert(format!("{server} {key}"));
            None
        }
        Act::Kept { server, .. } => {
            for made in ["Service canary/canary-kept-", "CronJob canary/canary-kept-"] {
                let is_it = |it: &String| it.starts_with(&format!("{server} {made}"));
                assert!(gone.iter().any(is_it), "{server}: {made}: {gone:?}");
            }
            None
        }
        _ => None,
    });
    assert!(matches!(judgement, Ok(Decided::Pass(_))), "{judgement:?}");
}
