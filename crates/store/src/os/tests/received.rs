//! What agents found comes to the store through two processes: once, by whom the certificate names, whatever ends when.

use std::path::Path;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::finding::Finding;
use ringfort_model::severity::Severity;
use ringfort_pki::Ed25519Key;
use serde_json::json;

use super::*;
use crate::format::query::{Hit, Query};
use crate::os::collect::{Collector, Settings, Told};
use crate::os::http::{Answer, Request};
use crate::os::notes::Notes;
use crate::os::received::{Intake, MOST_BYTES, MOST_DELIVERIES, Outlet, Received};
use crate::os::store::FINDINGS;
use crate::os::witness::{Came, Office, Witness};

fn reported(path: &str) -> String {
    let detection = "integrity/unexplained-change".to_owned();
    let finding = Finding {
        time: "2026-01-05T10:00:00Z".to_owned(),
        user: "/usr/bin/vim\u{1b}[2J".to_owned(),
        verb: "change".to_owned(),
        object: format!("files {path}"),
        said: "it differs in content".to_owned(),
        ..Finding::on_machine("another machine", detection, Severity::High, None)
    };
    json!({"id": path, "finding": finding, "line": {"seq": 1}}).to_string()
}

fn office(witness: &Memory, received: &Memory) -> Office<Memory> {
    let witness = Witness::open(Notes::new(witness.clone()), Ed25519Key::make().unwrap()).unwrap();
    Office::new(witness, vec!["cp1".to_owned()], Some(Intake::open(received.clone()).unwrap()))
}

fn deliver(office: &Office<Memory>, caller: &str, lines: &[String]) -> Answer {
    let body = format!("{{\"version\":1,\"lost\":3,\"findings\":[{}]}}", lines.join(","));
    let (method, path) = ("POST".to_owned(), "/findings".to_owned());
    let request = Request { method, path, body: body.into_bytes() };
    office.answer(caller, &request, 7, &mut |_, came| {
        assert!(matches!(came, Came::Delivered(count, 3) if count == lines.len()));
    })
}

fn collector(at: &Path, store: &Memory, key: &str, received: &Memory) -> Collector<Memory> {
    let settings = Settings { log: at.join("audit.log"), source: "cp1".to_owned(), limits: ALL };
    let key = Ed25519Key::read(key).unwrap();
    let engine = Engine::new(DETECTIONS);
    let mut collector = Collector::new(store.clone(), key, &settings, engine, 0).unwrap();
    collector.receive(Outlet::new(received.clone()));
    collector
}

fn waiting(disk: &Memory) -> usize {
    disk.names().unwrap().iter().filter(|name| name.ends_with(".received")).count()
}

#[test]
fn what_was_received_is_kept_and_told_by_whom_the_certificate_names() {
    let at = tempfile::tempdir().unwrap();
    let key = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
    let (store, received) = (Memory::new(3), Memory::new(5));
    let office = office(&Memory::new(7), &received);
    let lines = ["/etc/passwd", "/etc/shadow"].map(reported);
    for stranger in
        ["ringfort:witness:cp3", "ringfort:keeper", "ringfort:agent:", "ringfort:agent:../x"]
    {
        assert_ne!(deliver(&office, stranger, &lines).status, 200, "{stranger}");
    }
    assert_eq!(waiting(&received), 0);
    assert_eq!(deliver(&office, "ringfort:agent:w1", &lines).status, 200);
    // It comes again: the answer was lost on its way. And something that is none is kept all the same.
    let odd = ["{\"id\":1}".to_owned(), lines[1].clone()];
    assert_eq!(deliver(&office, "ringfort:agent:w1", &odd).status, 200);
    assert_eq!(deliver(&office, "ringfort:agent:w2", &lines[..1]).status, 200);
    let mut collector = collector(at.path(), &store, &key, &received);
    let mut told = Vec::new();
    while collector
        .take(9, &mut |it| match it {
            Told::Finding(finding) => told.push(finding),
            other => panic!("{other:?}"),
        })
        .unwrap()
    {}
    assert_eq!(waiting(&received), 3, "nothing goes before it is kept");
    collector.keep(0, &mut |_| {}).unwrap();
    assert_eq!(waiting(&received), 0);
    let sources: Vec<&str> = told.iter().map(|it| it.source.as_str()).collect();
    assert_eq!(sources, ["w1", "w1", "w2"], "{told:?}");
    assert!(told.iter().all(|it| !it.user.contains('\u{1b}')), "{told:?}");
    let counts = collector.counts();
    assert_eq!((counts.reported, counts.duplicates, counts.unreadable, counts.kept), (3, 1, 1, 4));
    let findings = String::from_utf8(store.file(FINDINGS).unwrap()).unwrap();
    assert_eq!(findings.lines().count(), 3, "they are told as others are");
    assert_eq!(verified(&store, &key).wrong, []);
    // They are found in what is written to and in what is sealed.
    let directory = tempfile::tempdir().unwrap();
    for seconds in [1, 1_000] {
        collector.keep(seconds, &mut |_| {}).unwrap();
        for name in store.names().unwrap() {
            std::fs::write(directory.path().join(&name), store.file(&name).unwrap()).unwrap();
        }
        for (query, count) in [
            ("resource=files", 3),
            ("resource=files source=w2", 1),
            ("name=/etc/passwd verb=change", 2),
            ("name=/etc/passwd source=another", 0),
            ("resource=pods", 0),
        ] {
            let query = Query::read(query, jiff::Timestamp::now()).unwrap();
            let mut found = 0;
            let mut visit = |entry: &Entry<'_>, hit: &Hit<'_>| {
                found += u64::from(matches!(hit, Hit::Finding(_)));
                entry.source.starts_with("agent/w")
            };
            let searched = crate::os::search(directory.path(), &query, &mut visit).unwrap();
            assert_eq!((found, searched.unreadable), (count, 0), "{query:?} at {seconds}");
        }
    }
    assert!(store.names().unwrap().iter().any(|name| name.ends_with(".seg")));
}

#[test]
fn what_was_received_is_kept_once_wherever_the_power_goes() {
    let at = tempfile::tempdir().unwrap();
    let key = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
    for steps in 0..60 {
        let (store, received) = (Memory::new(steps + 1), Memory::new(steps + 2));
        drop(collector(at.path(), &store, &key, &received));
        let mut acknowledged = Vec::new();
        received.set(steps, usize::MAX);
        if let Ok(mut intake) = Intake::open(received.clone()) {
            for number in 0..6 {
                let text = reported(&format!("/{number}"));
                let source = "agent/w1".to_owned();
                let line = Received { source, kind: Kind::Finding, text: text.clone() };
                if intake.take(&[line]).is_ok() {
                    acknowledged.push(text);
                }
            }
        }
        received.lose_power();
        drop(Intake::open(received.clone()).unwrap());
        let run = |store_steps: u64, received_steps: u64| {
            let mut collector = collector(at.path(), &store, &key, &received);
            store.set(store_steps, usize::MAX);
            received.set(received_steps, usize::MAX);
            while collector.take(1, &mut |_| {}).unwrap_or(false) {}
            let kept = collector.keep(0, &mut |_| {});
            drop(collector);
            store.lose_power();
            received.lose_power();
            kept.is_ok()
        };
        run(steps % 7, u64::MAX);
        run(u64::MAX, steps % 5);
        assert!(run(u64::MAX, u64::MAX));
        let stored = stored(&store);
        for text in &acknowledged {
            assert_eq!(stored.iter().filter(|it| *it == text).count(), 1, "{steps}: {text}");
        }
        assert_eq!(waiting(&received), 0);
    }
}

fn event(number: u64) -> String {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("id-{number}"), "level": "Metadata",
        "stage": "ResponseComplete", "verb": "delete", "user": {"username": "eve"},
        "objectRef": {"resource": "validatingadmissionpolicies", "name": "guard", "apiGroup": "admissionregistration.k8s.io"},
        "requestURI": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/guard",
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": "2026-01-05T10:00:00.000001Z",
        "stageTimestamp": "2026-01-05T10:00:00.000002Z",
    })
    .to_string()
}

fn send(office: &Office<Memory>, caller: &str, body: Vec<u8>) -> u16 {
    let (method, path) = ("POST".to_owned(), "/events?timeout=30s".to_owned());
    office.answer(caller, &Request { method, path, body }, 7, &mut |_, _| {}).status
}

#[test]
fn what_an_api_server_sends_is_kept_and_judged_once_and_what_cannot_be_read_is_kept_too() {
    let at = tempfile::tempdir().unwrap();
    let key = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
    let (store, received) = (Memory::new(3), Memory::new(5));
    let office = office(&Memory::new(7), &received).for_servers(vec!["kube-apiserver".to_owned()]);
    // As a server sends it: only the list says what is in it.
    let bare = |event: &String| {
        event.replace(r#""kind":"Event","#, "").replace(r#""apiVersion":"audit.k8s.io/v1","#, "")
    };
    let list = |events: &[String]| {
        let events: Vec<String> = events.iter().map(bare).collect();
        let head = r#""kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{}"#;
        format!(r#"{{{head},"items":[{}]}}"#, events.join(",")).into_bytes()
    };
    let both = list(&[event(1), event(2)]);
    for stranger in ["ringfort:agent:w1", "kube-apiserver2", ""] {
        assert_eq!(send(&office, stranger, both.clone()), 403, "{stranger}");
    }
    // It is heard, of other things.
    assert_eq!(send(&office, "ringfort:witness:cp1", both.clone()), 404);
    assert_eq!(waiting(&received), 0);
    assert_eq!(send(&office, "kube-apiserver", both.clone()), 200);
    // The answer was lost, and the batch comes again, with one more.
    assert_eq!(send(&office, "kube-apiserver", list(&[event(2), event(1), event(3)])), 200);
    let odd: [&[u8]; 3] = [b"{\"items\":[{\"kind\"", b"\xff\0", b"{\"items\":[7]}"];
    for body in odd {
        assert_eq!(send(&office, "kube-apiserver", body.to_vec()), 200);
    }
    assert_eq!(send(&office, "kube-apiserver", list(&[])), 200, "nothing is nothing to keep");
    assert_eq!(waiting(&received), 5);
    let mut collector = collector(at.path(), &store, &key, &received);
    let mut told = 0;
    while collector.take(9, &mut |it| told += u64::from(matches!(it, Told::Finding(_)))).unwrap() {}
    collector.keep(0, &mut |_| {}).unwrap();
    assert_eq!(waiting(&received), 0);
    let counts = collector.counts();
    assert_eq!((counts.events, counts.duplicates, counts.unreadable, counts.kept), (3, 2, 3, 6));
    assert!(told > 0 && told == counts.findings, "a guard is gone: {counts:?}");
    assert_eq!(verified(&store, &key).wrong, []);
    let kept = stored(&store);
    let typed = |number| {
        bare(&event(number)).replacen('{', r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#, 1)
    };
    assert!((1..=3).all(|number| kept.contains(&typed(number))), "{kept:?}");
}

#[test]
fn what_waits_is_bounded_by_its_bytes_also_after_a_restart() {
    let received = Memory::new(3);
    let mut intake = Intake::open(received.clone()).unwrap();
    let line = |length: usize| {
        let source = "webhook/kube-apiserver".to_owned();
        [Received { source, kind: Kind::Event, text: "x".repeat(length) }]
    };
    // One that is alone is taken, however long it is.
    intake.take(&line(MOST_BYTES + 1)).unwrap();
    assert!(intake.take(&line(1)).is_err());
    assert!(Intake::open(received.clone()).unwrap().take(&line(1)).is_err());
    let mut outlet = Outlet::new(received.clone());
    assert_eq!(outlet.give().unwrap().len(), 1);
    outlet.kept().unwrap();
    intake.take(&line(MOST_BYTES / 2)).unwrap();
    assert!(intake.take(&line(MOST_BYTES / 2)).is_err(), "what is around them counts");
    intake.take(&line(MOST_BYTES / 4)).unwrap();
    assert_eq!(waiting(&received), 2);
}

#[test]
fn while_nobody_collects_there_is_room_for_so_many_and_whoever_comes_keeps_his() {
    let received = Memory::new(3);
    let office = office(&Memory::new(7), &received);
    let line = [reported("/etc/passwd")];
    for _ in 0..MOST_DELIVERIES {
        assert_eq!(deliver(&office, "ringfort:agent:w1", &line).status, 200);
    }
    let request = deliver(&office, "ringfort:agent:w1", &line);
    assert_eq!(request.status, 503);
    assert_eq!(waiting(&received), MOST_DELIVERIES);
}
