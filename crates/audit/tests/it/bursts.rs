//! Many within a while, as logs tell of it: out of order, twice, late, by clocks that differ, and without a time.

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use serde_json::{Value, json};

/// So many deletions within a minute are a burst.
const MANY: i64 = 30;

/// Judges lines: how often a burst of deletions was found, and how many events had no time.
fn judge(lines: &[Value]) -> (usize, u64) {
    let (mut engine, mut findings) = (Engine::new(DETECTIONS), Vec::new());
    for line in lines {
        each(line.to_string().as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            assert_eq!(engine.judge(event, &mut findings), None);
        });
    }
    let bursts = findings.iter().filter(|it| it.detection == "detect/mass-deletion").count();
    (bursts, engine.timeless())
}

fn time(second: i64) -> String {
    let (hour, minute, second) = (8 + second / 3_600, second / 60 % 60, second % 60);
    format!("2026-01-05T{hour:02}:{minute:02}:{second:02}.000001Z")
}

/// One object is deleted in a second of the day.
fn deletion(number: i64, second: i64) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "delete", "user": {"username": "eve"},
        "objectRef": {"resource": "configmaps", "namespace": "web", "name": format!("c{number}")},
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": time(second),
    })
}

/// Moves every event somewhere else, the same way each time.
fn shuffled(mut events: Vec<Value>, seed: u64) -> Vec<Value> {
    let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for at in (1..events.len()).rev() {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        events.swap(at, usize::try_from(chance % (at as u64 + 1)).unwrap());
    }
    events
}

#[test]
fn a_burst_is_found_in_any_order_and_what_is_none_is_none_in_any() {
    let burst: Vec<Value> = (0..MANY).map(|it| deletion(it, 2 * it)).collect();
    // As many, and never more than 21 of them within a minute.
    let calm: Vec<Value> = (0..MANY).map(|it| deletion(it, 3 * it)).collect();
    for seed in 0..200 {
        assert_eq!(judge(&shuffled(burst.clone(), seed)).0, 1, "{seed}");
        assert_eq!(judge(&shuffled(calm.clone(), seed)).0, 0, "{seed}");
    }
}

#[test]
fn what_is_told_twice_is_one() {
    let few = (0..MANY - 1).flat_map(|it| vec![deletion(it, it); 3]);
    let twice: Vec<Value> = few.clone().chain(few).collect();
    for seed in 0..20 {
        assert_eq!(judge(&shuffled(twice.clone(), seed)).0, 0, "{seed}");
    }
}

#[test]
fn what_comes_late_is_counted_with_its_time() {
    let all_but_one = (1..MANY).map(|it| deletion(it, it));
    let later = (100..110).map(|it| deletion(it, 500 + it));
    let late = [deletion(0, 10)];
    let events: Vec<Value> = all_but_one.chain(later).chain(late).collect();
    assert_eq!(judge(&events[..events.len() - 1]).0, 0);
    assert_eq!(judge(&events).0, 1);
}

/// Half of a burst by the clock of a server that is an hour ahead is no half of one here; and it hides none.
#[test]
fn clocks_that_differ_make_no_burst_and_hide_none() {
    let mixed = |here: i64, there: i64| -> Vec<Value> {
        let here = (0..here).map(|it| deletion(it, it));
        let there = (0..there).map(|it| deletion(100 + it, 3_600 + it));
        let mut mixed: Vec<(i64, Value)> =
            here.enumerate().map(|(at, it)| (2 * at as i64, it)).collect();
        mixed.extend(there.enumerate().map(|(at, it)| (2 * at as i64 + 1, it)));
        mixed.sort_by_key(|(at, _)| *at);
        mixed.into_iter().map(|(_, it)| it).collect()
    };
    assert_eq!(judge(&mixed(MANY - 1, MANY - 1)).0, 0);
    assert_eq!(judge(&mixed(MANY, MANY - 1)).0, 1);
    assert_eq!(judge(&mixed(MANY - 1, MANY)).0, 1);
}

/// An entry of Google's has its time beside it; without one there is no burst, and that is told.
#[test]
fn a_burst_is_found_in_the_form_of_google_and_what_has_no_time_is_counted() {
    let entry = |number: i64| {
        json!({
            "timestamp": time(number),
            "protoPayload": {
                "serviceName": "k8s.io", "methodName": "io.k8s.core.v1.configmaps.delete",
                "resourceName": format!("core/v1/namespaces/web/configmaps/c{number}"),
                "authenticationInfo": {"principalEmail": "eve@example.org"},
            },
        })
    };
    let entries: Vec<Value> = (0..MANY).map(entry).collect();
    assert_eq!(judge(&entries), (1, 0));
    let timeless = entries.into_iter().map(|mut entry| {
        entry.as_object_mut().unwrap().remove("timestamp");
        entry
    });
    assert_eq!(judge(&timeless.collect::<Vec<_>>()), (0, MANY.unsigned_abs()));
}
