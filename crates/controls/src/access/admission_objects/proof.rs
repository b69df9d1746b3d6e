//! Every API server has loaded the guards that the blueprint holds, and no other: an empty directory
//! is loaded without a word, and would take all of them away. And nobody but ringfort changes what is like
//! them in the API.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use ringfort_model::act::{Act, Ask, Next, Seen, Sending, Speaker, Transcript};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::version::Minor;

use crate::admission::STATIC;
use crate::proof::tries::{By, GUARD, Try, refused};
use crate::proof::written::differs;
use crate::proof::{Course, Gaps, Scene, course, fail, gap, pass, words};

/// Looks before giving up, and the pause between two: a server reads its files again within seconds, at the
/// latest in a minute.
const LOOKS: (usize, u64) = (70, 1_000);

/// The metric that names the digest of what is loaded, by plugin.
const FAMILY: &str = "apiserver_manifest_admission_config_controller";
const INFO: &str = "last_config_info{";

pub(super) fn next(scene: &Scene, transcript: &Transcript) -> Next {
    if scene.guards.is_empty() {
        return course(transcript, |course| in_api(course, scene));
    }
    course(transcript, |course| {
        as_drawn(course, scene)?;
        let count = out_of_reach(course, scene)?;
        let plugins = scene.guards.keys().cloned().collect::<Vec<_>>().join(", ");
        let servers = scene.control_planes.len();
        let said = format!(
            "each of {servers} servers has loaded the guards of the blueprint, and no other: {plugins}; nobody changes or deletes admission objects ({count} tries on each)"
        );
        Ok(pass(said, course.so_far()))
    })
}

/// Shows that guards which lie in the API, before 1.37, are what was written, and that the handed-over identity
/// does not reach them.
fn in_api(course: &mut Course<'_>, scene: &Scene) -> Result<Next, Next> {
    let mut gaps = Gaps::default();
    if let Some(said) = differs(course, scene, &scene.api_guards, Ask::AsWritten, &mut gaps)? {
        return Ok(fail(said, "find out who changed it; ringfort up puts it back"));
    }
    let policy = scene.api_guards.iter().find(|it| it["kind"] == "ValidatingAdmissionPolicy");
    let Some(first) = policy else {
        return Ok(gap("no guard is known", "ringfort up"));
    };
    let path = format!("{API}/validatingadmissionpolicies/{}", ObjectKey::of(first).name);
    let admin = |(what, how)| one(what, Speaker::Admin, how, path.clone(), By::Authorization);
    let mut tries: Vec<Try> =
        [("delete a guard", Sending::Delete), ("change a guard", Sending::Merge)].map(admin).into();
    tries.extend(new_ones(scene, &Speaker::Admin, By::Authorization));
    refused(course, scene, &[(Speaker::Keeper, Ask::Get(ObjectKey::of(first)))], &tries)?;
    gaps.close()?;
    let said = format!(
        "{} guards in the API are what was written and nothing more, and the handed-over identity neither changes \
         nor adds any ({} tries); who holds every right could, which this finds and ringfort up undoes",
        scene.api_guards.len(),
        tries.len()
    );
    Ok(pass(said, course.so_far()))
}

/// Shows what each server has loaded.
fn as_drawn(course: &mut Course<'_>, scene: &Scene) -> Result<(), Next> {
    let look = |server: &_| Act::Ask {
        server: Clone::clone(server),
        speaker: Speaker::Keeper,
        ask: Ask::Metrics { beginning: FAMILY.to_owned() },
    };
    let looks = || scene.control_planes.iter().map(look).collect();
    let is_known = |(_, seen): &(Act, Seen)| match seen {
        Seen::Lines(lines) => difference(&scene.guards, &loaded(lines)).is_none(),
        _ => true,
    };
    let seen = course.until(LOOKS, looks, |seen| seen.iter().all(is_known))?;
    let mut gaps = Gaps::default();
    for (server, (_, seen)) in scene.control_planes.iter().zip(seen) {
        let Seen::Lines(lines) = seen else {
            gaps.add(format!("{server}: its metrics were not read: {}", words(seen)));
            continue;
        };
        if let Some(plugin) = difference(&scene.guards, &loaded(lines)) {
            return Err(fail(
                format!(
                    "{server}: the files of {plugin} that it has loaded are not the blueprint's"
                ),
                "look at the server's log for \"reloading manifest config\": ringfort up",
            ));
        }
    }
    gaps.close()
}

/// Names a plugin whose files are not those that should be loaded: others, none, or some where there should
/// be none.
fn difference(
    guards: &BTreeMap<String, String>,
    loaded: &BTreeMap<String, String>,
) -> Option<String> {
    let is_other = |(plugin, digest): &(&String, &String)| loaded.get(*plugin) != Some(*digest);
    let is_more =
        |(plugin, digest): &(&String, &String)| !digest.is_empty() && !guards.contains_key(*plugin);
    let other = guards.iter().find(is_other).or_else(|| loaded.iter().find(is_more));
    other.map(|(plugin, _)| plugin.clone())
}

/// Lets who holds every right, and the handed-over identity, go at the guards by their names, and at what is
/// like them in the API. Gives how often that was tried.
fn out_of_reach(course: &mut Course<'_>, scene: &Scene) -> Result<usize, Next> {
    let mut gaps = Gaps::default();
    let write = |(_, object): (&str, Value)| scene.ask(Ask::Create(object));
    for (_, seen) in course.step(canaries(scene).into_iter().map(write).collect())? {
        if !matches!(seen, Seen::Object(_)) {
            gaps.add(format!("a canary was not written: {}", words(seen)));
        }
    }
    let mut tries = of_guards();
    tries.extend(of_canaries(scene));
    tries.extend(new_ones(scene, &Speaker::Unbound, GUARD));
    let there =
        canaries(scene).map(|(_, object)| (Speaker::Keeper, Ask::Get(ObjectKey::of(&object))));
    let tried = refused(course, scene, &there, &tries);
    // What is found out does not leave them behind.
    if let Err(Next::Do(_)) = &tried {
        return tried.map(|()| 0);
    }
    let delete = |(_, object): (&str, Value)| scene.ask(Ask::Delete(ObjectKey::of(&object)));
    course.step(canaries(scene).into_iter().map(delete).collect())?;
    tried?;
    gaps.close()?;
    Ok(tries.len())
}

/// Under a guard's name the API has nothing that could be deleted or changed.
fn of_guards() -> Vec<Try> {
    let name = format!("admission-objects.{STATIC}");
    let tries = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"].map(|kind| {
        let path = format!("{API}/{kind}/{name}");
        let unbound = |(what, how)| one(what, Speaker::Unbound, how, path.clone(), By::Absence);
        let admin = |(what, how)| one(what, Speaker::Admin, how, path.clone(), By::Authorization);
        let ways = [("delete a guard", Sending::Delete), ("change a guard", Sending::Merge)];
        ways.map(unbound).into_iter().chain(ways.map(admin))
    });
    tries.into_iter().flatten().collect()
}

/// What others keep in the API is out of reach as well.
fn of_canaries(scene: &Scene) -> Vec<Try> {
    let tries = canaries(scene).map(|(kind, object)| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{API}/{kind}/{name}");
        let ways = [("delete one of", Sending::Delete), ("change one of", Sending::Merge)];
        ways.map(|(what, how)| {
            one(&format!("{what} {kind}"), Speaker::Unbound, how, path.clone(), GUARD)
        })
    });
    tries.into_iter().flatten().collect()
}

/// Every kind of them is tried to be created.
fn new_ones(scene: &Scene, speaker: &Speaker, by: By) -> Vec<Try> {
    let new = |(kind, mut object): (&str, Value)| {
        object["metadata"]["name"] = format!("new-{}", name(scene)).into();
        Try::create(format!("create one of {kind}"), speaker.clone(), object, by)
    };
    // Before 1.36 nothing that fills in is served in this version of the API.
    let is_served = |(kind, _): &(&str, Value)| {
        scene.minor >= Minor::V1_36 || !kind.starts_with("mutatingadmissionpolic")
    };
    canaries(scene).into_iter().chain(others(scene)).filter(is_served).map(new).collect()
}

fn one(what: &str, speaker: Speaker, how: Sending, path: String, by: By) -> Try {
    let body = match how {
        Sending::Delete => Value::Null,
        Sending::Create | Sending::Merge => json!({"metadata": {"labels": {"canary": "changed"}}}),
    };
    Try { what: what.to_owned(), speaker, ask: Ask::WouldSend { how, path, body }, by }
}

const API: &str = "/apis/admissionregistration.k8s.io/v1";

/// Objects that are written for this proof, by their kind in addresses. None of them is ever asked about
/// anything.
fn canaries(scene: &Scene) -> [(&'static str, Value); 3] {
    let nothing = json!({"policyName": "nothing.ringfort.dev", "validationActions": ["Audit"]});
    let policy = json!({"matchConstraints": nowhere(), "validations": [{"expression": "true"}]});
    [
        ("validatingadmissionpolicies", object(scene, "ValidatingAdmissionPolicy", &policy)),
        (
            "validatingadmissionpolicybindings",
            object(scene, "ValidatingAdmissionPolicyBinding", &nothing),
        ),
        ("validatingwebhookconfigurations", webhooks(scene, "ValidatingWebhookConfiguration")),
    ]
}

/// Objects of the other kinds.
fn others(scene: &Scene) -> [(&'static str, Value); 3] {
    let policy = json!({
        "matchConstraints": nowhere(), "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}],
    });
    let nothing = json!({"policyName": "nothing.ringfort.dev"});
    [
        ("mutatingadmissionpolicies", object(scene, "MutatingAdmissionPolicy", &policy)),
        (
            "mutatingadmissionpolicybindings",
            object(scene, "MutatingAdmissionPolicyBinding", &nothing),
        ),
        ("mutatingwebhookconfigurations", webhooks(scene, "MutatingWebhookConfiguration")),
    ]
}

fn nowhere() -> Value {
    json!({"resourceRules": [{
        "apiGroups": ["canary.ringfort.dev"], "apiVersions": ["v1"],
        "operations": ["CREATE"], "resources": ["canaries"],
    }]})
}

fn object(scene: &Scene, kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": name(scene), "labels": {"ringfort.dev/canary": "true"}},
        "spec": spec,
    })
}

fn webhooks(scene: &Scene, kind: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
        "metadata": {"name": name(scene), "labels": {"ringfort.dev/canary": "true"}},
        "webhooks": [],
    })
}

fn name(scene: &Scene) -> String {
    format!("{}.ringfort.dev", scene.namespace)
}

/// Reads the digest of what is loaded, by plugin.
fn loaded(lines: &[String]) -> BTreeMap<String, String> {
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    // A digest that was replaced may still be there with the value 0.
    let current =
        lines.iter().filter(|line| line.contains(INFO) && line.trim_end().ends_with(" 1"));
    current.filter_map(|line| Some((label(line, "plugin")?, label(line, ",hash")?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{difference, loaded};

    #[test]
    fn files_of_a_plugin_that_should_have_none_are_told() {
        let of = |pairs: &[(&str, &str)]| {
            let owned = |(plugin, digest): &(&str, &str)| ((*plugin).into(), (*digest).into());
            pairs.iter().map(owned).collect::<BTreeMap<String, String>>()
        };
        let guards = of(&[("V", "sha256:1")]);
        let check = |loaded: &[(&str, &str)], expected: Option<&str>| {
            assert_eq!(difference(&guards, &of(loaded)).as_deref(), expected, "{loaded:?}");
        };
        check(&[("V", "sha256:1")], None);
        check(&[("V", "sha256:1"), ("M", "")], None);
        check(&[("V", "sha256:1"), ("M", "sha256:2")], Some("M"));
        check(&[("V", "sha256:2")], Some("V"));
        check(&[], Some("V"));
    }

    #[test]
    fn digests_are_read_by_plugin() {
        let line = |rest: &str| format!("apiserver_manifest_admission_config_controller_{rest}");
        let lines = [
            line(
                "automatic_reloads_total{apiserver_id_hash=\"sha256:1\",plugin=\"A\",status=\"success\"} 3",
            ),
            line(
                "last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"sha256:old\",plugin=\"A\"} 0",
            ),
            line(
                "last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"sha256:new\",plugin=\"A\"} 1",
            ),
            line("last_config_info{apiserver_id_hash=\"sha256:1\",hash=\"\",plugin=\"B\"} 1"),
        ];
        let found = loaded(&lines);
        assert_eq!(found.get("A").map(String::as_str), Some("sha256:new"));
        assert_eq!(found.get("B").map(String::as_str), Some(""));
    }
}
