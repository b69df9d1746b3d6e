//! Suspicious things are done through each API server, and each is in that very server's store, was found by its
//! detection, and stands in a log that is whole.

use serde_json::{Value, json};

use ringfort_model::act::{
    Act, Ask, EventSeen, KeptSeen, Next, Seen, Speaker, TallySeen, TokenWish, Transcript,
};
use ringfort_model::name::NodeName;

use crate::proof::port::{WITNESS, shut};
use crate::proof::{Gaps, Scene, course, fail, pass, words};

/// Looks at a store before giving up, and the pause between two: half a minute.
const LOOKS: (usize, u64) = (15, 2_000);

/// Something suspicious that is done on purpose.
struct Canary {
    /// What it is, in words that follow "that somebody".
    what: &'static str,
    /// How it is done.
    act: fn(&Scene, &NodeName, String) -> Act,
    /// How the log calls what is done,
    verb: &'static str,
    /// and to what.
    resource: &'static str,
    /// The detection that is to find it.
    detection: &'static str,
}

const CANARIES: [Canary; 4] = [
    Canary {
        what: "gave a role that reads Secrets",
        act: |scene, server, name| {
            let role = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": {"name": name, "namespace": scene.namespace},
                "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
            });
            by_keeper(server, Ask::Create(role))
        },
        verb: "create",
        resource: "roles",
        detection: "detect/secrets-role",
    },
    Canary {
        what: "took a token of an account",
        act: |scene, server, account| {
            let namespace = scene.namespace.clone();
            let (audiences, seconds, bound) = (Vec::new(), 600, None);
            let wish = TokenWish { namespace, account, audiences, seconds, aged_s: None, bound };
            Act::TryToken { server: server.clone(), wish }
        },
        verb: "create",
        resource: "serviceaccounts/token",
        detection: "detect/token-requested",
    },
    Canary {
        what: "asked for all that an account may do",
        act: |scene, server, name| {
            let review = json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                "spec": {"namespace": scene.namespace},
            });
            let speaker = Speaker::Account { namespace: scene.namespace.clone(), name };
            Act::Ask { server: server.clone(), speaker, ask: Ask::Create(review) }
        },
        verb: "create",
        resource: "selfsubjectrulesreviews",
        detection: "detect/own-rights-listed",
    },
    Canary {
        what: "took away what limits disruption",
        act: |scene, server, name| {
            let key = scene.key("policy/v1", "PodDisruptionBudget", &name);
            by_keeper(server, Ask::Delete(key))
        },
        verb: "delete",
        resource: "poddisruptionbudgets",
        detection: "detect/limits-deleted",
    },
];

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    course(transcript, |course| {
        let mut gaps = Gaps::default();
        let servers = || scene.control_planes.iter().enumerate();
        let made = servers().flat_map(|(place, server)| {
            let objects = objects(scene, &name(scene, place));
            objects.map(|object| by_keeper(server, Ask::Create(object)))
        });
        for (act, seen) in course.step(made.collect())? {
            if !matches!(seen, Seen::Object(_)) {
                gaps.add(format!("{}: no canary was written: {}", place_of(act), words(seen)));
            }
        }
        let done = servers().flat_map(|(place, server)| {
            CANARIES.iter().map(move |canary| (canary.act)(scene, server, name(scene, place)))
        });
        let done = course.step(done.collect())?;
        for ((act, seen), canary) in done.iter().zip(CANARIES.iter().cycle()) {
            if matches!(seen, Seen::Failed { .. } | Seen::Refused { .. }) {
                let (place, said) = (place_of(act), words(seen));
                gaps.add(format!("{place}: nobody {}: {said}", canary.what));
            }
        }
        let looks = || {
            let look = |(place, server): (usize, &NodeName)| Act::Kept {
                server: server.clone(),
                holding: name(scene, place),
            };
            servers().map(look).collect()
        };
        let seen = course.until(LOOKS, looks, |seen| {
            seen.iter().all(|(_, seen)| match seen {
                Seen::Kept(kept) => judge(kept).is_ok(),
                _ => false,
            })
        })?;
        let (mut entries, mut counted, mut keys) = (0, 0, Vec::new());
        for (place, (act, seen)) in seen.iter().enumerate() {
            let Seen::Kept(kept) = seen else {
                gaps.add(format!("{}: its store was not read: {}", place_of(act), words(seen)));
                continue;
            };
            // What was not done there is missing for that reason.
            let was_done = done[place * CANARIES.len()..][..CANARIES.len()]
                .iter()
                .all(|(_, seen)| !matches!(seen, Seen::Failed { .. } | Seen::Refused { .. }));
            if let Err(said) = judge(kept)
                && (was_done || !kept.wrong.is_empty())
            {
                let said = format!("{}: {said}", place_of(act));
                return Ok(fail(said, "look at ringfort-collect there: ringfort up"));
            }
            entries += kept.entries;
            counted += kept.tally.as_ref().map_or(0, |tally| tally.events);
            keys.push(format!("{} {}", place_of(act), kept.key));
        }
        let tries = shut(course, scene, &[WITNESS])?;
        gaps.close()?;
        Ok(pass(said((entries, counted), &keys, tries), course.so_far()))
    })
}

fn said((entries, counted): (u64, u64), keys: &[String], tries: usize) -> String {
    format!(
        "{} suspicious things done through each of {} servers were kept by their audit ids and found by their \
         detections; {entries} entries are as they were written, by the keys {}; of {counted} events that the servers \
         counted while they were counted here too, none is missing; port {} of the witnesses refuses requests without \
         TLS, and every certificate but the cluster's own ({tries} tries)",
        CANARIES.len(),
        keys.len(),
        keys.join(", "),
        WITNESS.number,
    )
}

/// Judges what one control plane keeps.
fn judge(kept: &KeptSeen) -> Result<(), String> {
    if let Some(wrong) = kept.wrong.first() {
        return Err(format!("what is kept is not as it was written: {wrong}"));
    }
    if kept.key.is_empty() {
        return Err("nothing is kept".to_owned());
    }
    for Canary { what, verb, resource, detection, .. } in &CANARIES {
        let is_it = |event: &&EventSeen| event.verb == *verb && event.resource == *resource;
        let logged: Vec<&EventSeen> = kept.logged.iter().filter(is_it).collect();
        if logged.is_empty() {
            return Err(format!("that somebody {what} is not in its audit log"));
        }
        if let Some(event) = logged.iter().find(|event| !kept.kept.contains(**event)) {
            return Err(format!("that somebody {what} is logged as {} and not kept", event.id));
        }
        if !kept.findings.contains(*detection) {
            return Err(format!("that somebody {what} was not found by {detection}"));
        }
    }
    compared(kept.tally.as_ref())
}

/// What was looked at longer ago than this, in seconds, says nothing of now: it is looked at twice a minute.
const STALE_S: u64 = 60;

/// Judges how what a server counts compares with what came. One look shows where counting begins, the second compares.
fn compared(tally: Option<&TallySeen>) -> Result<(), String> {
    let Some(tally) = tally else {
        return Err("nobody counts what its server logs".to_owned());
    };
    let TallySeen { ago_s, rounds, missed, unheard, trouble, .. } = tally;
    match trouble {
        _ if *ago_s > STALE_S => {
            Err(format!("what its server logs was counted {ago_s} seconds ago, and not since"))
        }
        _ if *unheard > 0 => {
            Err("its server answers, and what it is asked does not come to what is kept".to_owned())
        }
        Some(why) => Err(format!("what its server logs is not counted: {why}")),
        None if *missed > 0 => Err(format!("{missed} events that its server counts did not come")),
        None if *rounds < 2 => Err("what its server logs was not compared yet".to_owned()),
        None => Ok(()),
    }
}

/// What has to be there for the canaries: an account without rights, and a budget that no pod is under.
fn objects(scene: &Scene, name: &str) -> [Value; 2] {
    let metadata = json!({"name": name, "namespace": scene.namespace});
    let spec = json!({"minAvailable": 0, "selector": {"matchLabels": {"canary": name}}});
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": metadata, "spec": spec,
        }),
    ]
}

fn by_keeper(server: &NodeName, ask: Ask) -> Act {
    Act::Ask { server: server.clone(), speaker: Speaker::Keeper, ask }
}

fn place_of(act: &Act) -> &str {
    act.node().map_or("", NodeName::as_str)
}

/// Names what is done through one server: no other run's line has it.
fn name(scene: &Scene, place: usize) -> String {
    format!("{}-kept-{place}", scene.namespace)
}
