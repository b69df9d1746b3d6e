//! What it costs to judge a server's events a second time, together with as many of two others: on one core, in events a
//! second and, of both judgements, in memory.

use std::time::Instant;

use ringfort_audit::across::{Across, Whose};
use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use ringfort_audit::feeds::Feeds;
use ringfort_audit::finding::Finding;
use serde_json::{Value, json};

use super::mix::{Chance, event};

/// One's own, and two others.
const SERVERS: i64 = 3;
/// Events of each, and how many of them it logs a second.
const EVENTS: usize = 20_000;
const PER_SECOND: usize = 2_000;
/// Of so many events of each server so many are refused to somebody: together they are too many, and on no server alone.
const BETWEEN: usize = 2_000;
const REFUSED: usize = 4;
/// 2026-01-05T00:00:00Z, in microseconds.
const BEGIN: i64 = 1_767_571_200_000_000;
const SECOND: i64 = 1_000_000;

/// A line, whose it is, and when it was written.
type Logged = (Whose, i64, String);

/// Measures. Nothing is judged in this process before: what was freed would be taken again, and not be seen.
pub fn figures() -> Value {
    let lines = logged();
    let own: Vec<&Logged> = lines.iter().filter(|(whose, ..)| *whose == Whose::Own).collect();
    let before = resident_bytes();
    let (mut judging, begun) = (Judging::new(), Instant::now());
    let mut most = before;
    // As much as comes between two looks.
    for come in lines.chunks(SERVERS as usize * PER_SECOND / 4) {
        judging.take(come);
        most = most.max(resident_bytes());
    }
    let mut found = std::mem::take(&mut judging.found);
    judging.across.judge((i64::MAX, i64::MAX), &mut || false, &mut found);
    let seconds = begun.elapsed().as_secs_f64();
    let (numbers, held) = (judging.across.numbers(), judging.held);
    drop(judging);
    let alone = alone(&own);
    json!({
        "servers": SERVERS,
        "events": lines.len(),
        "held_percent": 100 * held / own.len(),
        "alone_per_second": alone,
        "own_per_second": (own.len() as f64 / seconds) as u64,
        "per_second": (lines.len() as f64 / seconds) as u64,
        "memory_bytes": most - before,
        "early": numbers.early,
        "found": found.len(),
    })
}

/// What all servers log, in the order in which they write it.
fn logged() -> Vec<Logged> {
    let mut chance = Chance::default();
    let mut lines = Vec::new();
    for number in 0..EVENTS {
        for server in 0..SERVERS {
            let passed = number as i64 * SECOND / PER_SECOND as i64 + server * 100;
            let mut event = event(number, &mut chance);
            let written = format!(
                "2026-01-05T00:{:02}:{:02}.{:06}Z",
                passed / SECOND / 60,
                passed / SECOND % 60,
                passed % SECOND
            );
            event["requestReceivedTimestamp"] = written.clone().into();
            event["stageTimestamp"] = written.into();
            if number % BETWEEN < REFUSED {
                refuse(&mut event, number, server);
            }
            let whose = if server == 0 { Whose::Own } else { Whose::Another };
            lines.push((whose, BEGIN + passed, event.to_string()));
        }
    }
    lines
}

/// Makes it one that is refused to somebody who is refused others elsewhere.
fn refuse(event: &mut Value, number: usize, server: i64) {
    let name = format!("thing-{number}-{server}");
    event["verb"] = "get".into();
    event["user"] = json!({
        "username": format!("eve-{}", number / BETWEEN), "groups": ["system:authenticated"],
    });
    event["requestURI"] = format!("/api/v1/namespaces/web/pods/{name}").into();
    event["objectRef"] =
        json!({"resource": "pods", "namespace": "web", "name": name, "apiVersion": "v1"});
    event["responseStatus"] = json!({"metadata": {}, "code": 403});
    event["requestObject"] = Value::Null;
    event["responseObject"] = Value::Null;
}

/// How many of one's own are judged a second where nobody else is there.
fn alone(own: &[&Logged]) -> u64 {
    let (mut engine, mut found) = (Engine::new(DETECTIONS), Vec::new());
    let begun = Instant::now();
    for (_, _, line) in own {
        each(line.as_bytes(), &mut |it| {
            let Found::Event(event) = it else { panic!("{it:?}") };
            assert!(engine.judge(event, &mut found).is_none());
        });
    }
    (own.len() as f64 / begun.elapsed().as_secs_f64()) as u64
}

/// Both judgements, as a collector makes them.
struct Judging {
    engine: Engine,
    across: Across,
    /// What was found together.
    found: Vec<Finding>,
    /// How many of one's own were held.
    held: usize,
}

impl Judging {
    fn new() -> Self {
        let across = Across::new(DETECTIONS, Feeds::default(), BEGIN);
        Self { engine: Engine::new(DETECTIONS), across, found: Vec::new(), held: 0 }
    }

    /// Takes lines that come now, and judges what has waited long enough.
    fn take(&mut self, come: &[Logged]) {
        let now = come.last().map_or(BEGIN, |(_, written, _)| *written);
        for (whose, _, line) in come {
            match whose {
                Whose::Own => self.own(line.as_bytes(), now),
                Whose::Another => {
                    self.across.hear(line.as_bytes(), Whose::Another, &[], now);
                }
            }
        }
        self.across.judge((now, now), &mut || false, &mut self.found);
    }

    fn own(&mut self, line: &[u8], now: i64) {
        let (mut time, mut is_asked, mut told) = (None, false, Vec::new());
        each(line, &mut |it| {
            let Found::Event(event) = it else { panic!("{it:?}") };
            time = time.or_else(|| event.written());
            is_asked |= self.across.asks(event);
            assert!(self.engine.judge(event, &mut told).is_none());
        });
        if is_asked {
            self.held += 1;
            self.across.hold(line, time, (Whose::Own, &told), now);
        }
    }
}

/// How much memory this process has now.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is said");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}
