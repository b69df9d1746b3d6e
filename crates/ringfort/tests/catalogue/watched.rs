//! Whatever a control makes is watched afterwards: on machines by the integrity of files, in the API by a
//! detection. Or it says here why not.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_audit::detections::{DETECTIONS, find};
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_integrity::protected::{Class, Presence, Protection};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::blueprint::Machine;
use ringfort_model::item::{ItemId, What};
use ringfort_model::version::Minor;
use serde_json::json;

use crate::whole;

/// Where the units lie that the blueprint does not write: they are those of the system.
const UNITS: &str = "/etc/systemd/system";
/// Where users and groups are written down.
const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];

#[test]
fn every_item_of_a_machine_is_watched() {
    for minor in Minor::ALL {
        for (name, machine) in &whole(minor).machines {
            let all = Protection::derive(Some(machine), &[], machine.role);
            let classes = all.iter().map(|it| (it.path.to_string(), (it.class, it.presence)));
            let classes: BTreeMap<String, (Class, Presence)> = classes.collect();
            let open: Vec<String> = machine
                .items
                .iter()
                .filter(|(id, item)| !is_watched(id, &item.what, machine, &classes))
                .map(|(id, item)| format!("{name}: {id} of {}", item.by))
                .collect();
            assert!(open.is_empty(), "{minor}: {open:#?}");
        }
    }
}

fn is_watched(
    id: &ItemId,
    what: &What,
    machine: &Machine,
    classes: &BTreeMap<String, (Class, Presence)>,
) -> bool {
    let protected = |path: &str, as_one_of: &[Class]| {
        let found = classes.get(path);
        found.is_some_and(|(class, presence)| {
            as_one_of.contains(class) && *presence != Presence::Forbidden
        })
    };
    match (id, what) {
        (ItemId::File(path), _) => protected(path, &[Class::Exact]),
        (ItemId::Directory(path), _) => classes.contains_key(path),
        (ItemId::User(_), _) => ACCOUNTS.iter().all(|path| protected(path, &[Class::Exact])),
        (ItemId::Unit(name), _) => {
            let file = format!("{UNITS}/{name}");
            machine.items.contains_key(&ItemId::file(&*file)) && protected(&file, &[Class::Exact])
                || protected(UNITS, &[Class::Watched, Class::Listed])
        }
        // They are no files: the proof of what asks for them reads each from the kernel.
        (ItemId::Sysctl(_), What::Sysctl { .. }) => true,
        // containerd holds layers by their digests, and a running program is compared with the bundle's.
        (ItemId::Image(_), _) => true,
        // Nothing is made.
        (ItemId::Serving(_), _) => true,
        _ => false,
    }
}

/// What somebody may do to an object that is there.
const HARMS: [&str; 4] = ["delete", "deletecollection", "patch", "update"];

#[test]
fn every_object_of_the_api_is_watched() {
    let mut open = BTreeSet::new();
    let mut tried = 0;
    for minor in Minor::ALL {
        for object in whole(minor).objects {
            let key = object.key();
            for verb in HARMS {
                tried += 1;
                if found(verb, &key).is_empty() {
                    open.insert(format!("{verb} {} {} of {}", key.kind, key.name, object.by));
                }
            }
        }
    }
    assert!(open.is_empty(), "{open:#?}");
    assert!(tried > 50, "{tried}");
}

/// What is found where somebody who is nobody's component does it.
fn found(verb: &str, key: &ObjectKey) -> Vec<&'static str> {
    let (group, version) = key.api_version.rsplit_once('/').unwrap_or(("", &key.api_version));
    let plural = match key.kind.as_str() {
        kind if kind.ends_with("Policy") => {
            format!("{}ies", kind.to_lowercase().trim_end_matches('y'))
        }
        kind if kind.ends_with("Class") => format!("{}es", kind.to_lowercase()),
        kind => format!("{}s", kind.to_lowercase()),
    };
    // Who deletes many names none.
    let name = if verb == "deletecollection" { "" } else { &key.name };
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "stage": "ResponseComplete", "auditID": "1", "verb": verb,
        "user": {"username": "eve", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.1.2.3"], "userAgent": "kubectl/v1.37.0",
        "requestReceivedTimestamp": "2026-01-05T00:00:00.000001Z",
        "objectRef": {
            "apiGroup": group, "apiVersion": version, "resource": plural,
            "namespace": key.namespace.clone().unwrap_or_default(), "name": name,
        },
        "responseStatus": {"code": 200},
    });
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    each(event.to_string().as_bytes(), &mut |found| match found {
        Found::Event(event) => drop(engine.judge(event, &mut findings)),
        other => panic!("{other:?}"),
    });
    findings.iter().map(|finding| find(&finding.detection).unwrap().id).collect()
}
