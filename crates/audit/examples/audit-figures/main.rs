//! What decoding and judging costs on one core, by itself and together with what other servers logged, on a mix of events
//! that is the same at every run. Prints JSON.

mod mix;
mod together;

use std::collections::BTreeSet;
use std::time::Instant;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_audit::envelope::{Found, each};
use serde_json::json;

use mix::{Chance, event};

/// Lines of the mix, and how often all are judged.
const LINES: usize = 40_000;
const ROUNDS: usize = 5;

fn main() {
    // First: its memory is measured.
    let together = together::figures();
    let mut chance = Chance::default();
    let mut bodies = BTreeSet::new();
    let mut with_bodies = 0;
    let lines: Vec<String> = (0..LINES)
        .map(|number| {
            let event = event(number, &mut chance);
            for key in ["requestObject", "responseObject"] {
                if !event[key].is_null() {
                    bodies.insert(event[key].to_string());
                }
            }
            with_bodies += usize::from(!event["requestObject"].is_null());
            event.to_string()
        })
        .collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let (mut decoded, mut judged, mut findings) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        decoded.push(rate(&lines, &mut |_| ()));
        let (mut engine, mut found) = (Engine::new(DETECTIONS), Vec::new());
        judged.push(rate(&lines, &mut |event| assert!(engine.judge(event, &mut found).is_none())));
        findings = found.len();
    }
    let figures = json!({
        "detections": DETECTIONS.len(),
        "events": LINES,
        "bytes_per_event": bytes / LINES,
        "with_bodies_percent": 100 * with_bodies / LINES,
        "distinct_bodies": bodies.len(),
        "findings": findings,
        "decoded_per_second": median(&mut decoded),
        "judged_per_second": median(&mut judged),
        "together": together,
    });
    println!("{figures}");
}

fn rate(lines: &[String], visit: &mut dyn FnMut(&ringfort_audit::event::Event<'_>)) -> u64 {
    let begun = Instant::now();
    let mut events = 0_u32;
    for line in lines {
        each(line.as_bytes(), &mut |found| {
            let Found::Event(event) = found else { panic!("{found:?}") };
            events += 1;
            visit(event);
        });
    }
    (f64::from(events) / begun.elapsed().as_secs_f64()) as u64
}

fn median(rates: &mut [u64]) -> u64 {
    rates.sort_unstable();
    rates[rates.len() / 2]
}
