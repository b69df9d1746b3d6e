//! Whatever stands in a log, it is an event, something else, or a fault that is told; nothing is passed over
//! and nothing falls over.

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::fault::Why;
use ringfort_audit::lines::Lines;

const SEEDS: [&str; 5] = [
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/web/pods?dryRun=All","verb":"create","user":{"username":"eve","groups":["system:masters"],"extra":{"authentication.kubernetes.io/credential-id":["JTI=1"]}},"sourceIPs":["10.1.2.3","203.1.2.3"],"objectRef":{"resource":"pods","namespace":"web","name":"shop","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"kind":"Pod","spec":{"containers":[{"name":"c","securityContext":{"privileged":true}}]}},"requestReceivedTimestamp":"2026-01-05T00:00:00.000001Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#,
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"patch","objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"web","name":"d"},"requestObject":[{"op":"add","path":"/spec/template/spec/hostPID","value":true},{"op":"move","from":"/a/b/0","path":"/c~1d"}],"responseStatus":{"code":200}}"#,
    r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"kind":"Event","verb":"get","user":null,"sourceIPs":null,"objectRef":{"resource":"pods","subresource":"exec"},"requestURI":"/x?command=%2e%zz&command=nc+-e+sh"}]}"#,
    r#"{"records":[{"category":"kube-audit","properties":{"log":"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"verb\":\"list\",\"objectRef\":{\"resource\":\"secrets\"}}"}}]}"#,
    r#"{"protoPayload":{"serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.create","resourceName":"core/v1/namespaces/default/pods/test","authenticationInfo":{"principalEmail":"eve"},"request":{"spec":{"hostNetwork":true}},"response":{"status":"Failure"}}}"#,
];

/// Changed inputs.
const ROUNDS: usize = 20_000;

#[test]
fn any_bytes_are_events_or_faults() {
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |bound: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        usize::try_from(chance % bound.max(1) as u64).unwrap()
    };
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    let (mut events, mut faults) = (0, 0);
    for round in 0..ROUNDS {
        let mut line = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        for _ in 0..below(3) {
            let at = below(line.len());
            let other = SEEDS[below(SEEDS.len())].as_bytes();
            match below(4) {
                0 => line.truncate(at.max(1)),
                1 => line[at] ^= 1 << below(8),
                2 => drop(line.splice(at..at, other[..below(40)].iter().copied())),
                _ => drop(line.drain(at..(at + below(12)).min(line.len()))),
            }
            if line.is_empty() {
                line.push(b'x');
            }
        }
        let mut heard = 0;
        each(&line, &mut |found| {
            heard += 1;
            match found {
                Found::Event(event) => {
                    events += 1;
                    faults += usize::from(engine.judge(event, &mut findings).is_some());
                }
                Found::Other => {}
                Found::Fault(_) => faults += 1,
            }
        });
        let is_empty_list = || String::from_utf8_lossy(&line).contains("[]");
        let is_blank = line.trim_ascii().is_empty();
        assert!(heard > 0 || is_blank || is_empty_list(), "{}", String::from_utf8_lossy(&line));
        findings.clear();
    }
    println!("{ROUNDS} lines: {events} events, {faults} faults");
    assert!(events > ROUNDS / 10 && faults > ROUNDS / 10);
}

#[test]
fn a_body_with_a_key_twice_is_told_and_never_trusted() {
    let twice = SEEDS[0]
        .replace("?dryRun=All", "")
        .replace(r#"{"privileged":true}"#, r#"{"privileged":true,"privileged":false}"#);
    let mut engine = Engine::new(DETECTIONS);
    each(twice.as_bytes(), &mut |found| {
        let Found::Event(event) = found else { panic!("{found:?}") };
        let fault = engine.judge(event, &mut Vec::new());
        assert!(matches!(fault, Some(Why::Body(why)) if matches!(*why, Why::Twice { .. })));
    });
}

/// A few lines that would fill any memory, and one that nobody could walk through.
#[test]
fn a_patch_that_grows_without_end_is_told_and_not_made() {
    let double = |at: usize| format!(r#"{{"op":"copy","from":"","path":"/b{at}"}}"#);
    let doubled: Vec<String> = (0..60).map(double).collect();
    let filled = format!(r#"{{"op":"add","path":"/a","value":"{}"}},"#, "x".repeat(1_000));
    let deep = format!(r#"{{"op":"add","path":"{}","value":true}}"#, "/a".repeat(1_000_000));
    for patch in [filled + &doubled.join(","), deep] {
        let line = SEEDS[1].split_once(r#""requestObject":["#).unwrap().0.to_owned()
            + r#""requestObject":["#
            + &patch
            + r#"],"responseStatus":{"code":200}}"#;
        let mut engine = Engine::new(DETECTIONS);
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            assert_eq!(engine.judge(event, &mut Vec::new()), Some(Why::Patch));
        });
    }
}

#[test]
fn an_event_of_five_megabytes_is_judged_and_one_of_twenty_is_a_fault() {
    for (megabytes, is_judged) in [(5, true), (20, false)] {
        let name = format!("\"name\":\"c\",\"image\":\"{}\"", "x".repeat(megabytes << 20));
        let text = SEEDS[0].replace("?dryRun=All", "").replace("\"name\":\"c\"", &name) + "\n";
        let (mut lines, mut engine, mut findings) =
            (Lines::default(), Engine::new(DETECTIONS), Vec::new());
        let mut faults = 0;
        for piece in text.as_bytes().chunks(65_536) {
            lines.push(piece, &mut |_, line| match line {
                Ok(line) => each(line, &mut |found| {
                    let Found::Event(event) = found else { panic!("{found:?}") };
                    assert_eq!(engine.judge(event, &mut findings), None);
                }),
                Err(why) => {
                    assert!(matches!(why, Why::TooLong { .. }));
                    faults += 1;
                }
            });
        }
        let found = findings.iter().any(|it| it.detection == "detect/privileged-container");
        assert_eq!((found, faults), (is_judged, usize::from(!is_judged)));
    }
}
