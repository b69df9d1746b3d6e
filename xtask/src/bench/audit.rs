//! `cargo xtask bench audit`: what decoding and judging audit events costs on one core, alone and together with other
//! servers', and what keeping, following and searching them does.

use std::process::Command;

use super::figures::{self, Bound, Promise};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

const USAGE: &str = "usage: cargo xtask bench audit [--day EVENTS]

Measures in the release profile, on a mix of events that is the same at every run: decoding and judging on one core, by
itself and a second time together with as many events of two other servers; keeping a million events, each group synced;
what they take at rest beside what zstd makes of the same log; a log that 20,000 events a second are written to for 30 s,
followed by a collector in a process of its own; and searching a day, of 5,000,000 events where --day does not say
otherwise. It is written below the directory for temporary files: 50,000,000 events take about 20 GB there, and an hour.";

/// Events of a day that is searched.
const DAY: u64 = 5_000_000;
/// How long a log is followed.
const SECONDS: &str = "30";
/// The least part of events that has to carry bodies for the figures to say something.
const WITH_BODIES_PERCENT: f64 = 30.0;

/// What was promised.
const PROMISED: &[Promise] = &[
    ("/with_bodies_percent", "% of events with bodies", Bound::Least(WITH_BODIES_PERCENT)),
    ("/judged_per_second", "events/s decoded and judged on one core", Bound::Least(500_000.0)),
    // Who finds nothing is fast.
    ("/together/found", "findings that rest on other servers' events", Bound::Least(1.0)),
    ("/store/durable_per_second", "events/s durable", Bound::Least(200_000.0)),
    ("/store/bytes_at_rest", "bytes an event at rest, with the index", Bound::Most(60.0)),
    ("/store/tail/p99_ms", "ms from an event to its finding, of 99 in 100", Bound::Most(50.0)),
    ("/store/tail/memory_bytes", "bytes of memory at 20,000 events/s", Bound::Most(150e6)),
    ("/store/tail/lost", "events lost at 20,000 events/s", Bound::Most(0.0)),
    ("/store/tail/unfound", "findings that did not come", Bound::Most(0.0)),
    ("/store/search_user_ms", "ms to search the day by a user", Bound::Most(1_000.0)),
    ("/store/search_object_ms", "ms to search the day by an object", Bound::Most(1_000.0)),
    // Who finds nothing is fast.
    ("/store/found_by_user", "events of the day found by a user", Bound::Least(1.0)),
    ("/store/found_by_object", "events of the day found by an object", Bound::Least(1.0)),
];

/// Measures, and prints the table. Fails if a promise was missed, or could not be looked at.
pub(super) fn task(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let day = match arguments {
        ["--day", day] => day.parse().map_err(|_| Failure::usage(USAGE))?,
        _ if figures::is_asked(arguments, USAGE)? => DAY,
        _ => return Ok(()),
    };
    let mut found =
        figures::found(&mut Command::new(figures::program(workspace, "ringfort-audit")?))?;
    println!(
        "{} events of {} bytes, {} distinct bodies, {} detections, {} findings; decoded {} events/s",
        found["events"],
        found["bytes_per_event"],
        found["distinct_bodies"],
        found["detections"],
        found["findings"],
        found["decoded_per_second"]
    );
    let together = &found["together"];
    println!(
        "{} events of {} servers judged together at {} a second, {} % of one's own held: {} own events/s by both judgements, \
         {} by the first alone; {} bytes of memory of both, {} judged early, {} findings that no server shows alone",
        together["events"],
        together["servers"],
        together["per_second"],
        together["held_percent"],
        together["own_per_second"],
        together["alone_per_second"],
        together["memory_bytes"],
        together["early"],
        together["found"]
    );
    let program = figures::program(workspace, "ringfort-store")?;
    let store = figures::found(Command::new(program).args([&day.to_string(), SECONDS]))?;
    println!(
        "{} events kept of {} bytes, {} packed by zstd alone; a day of {} events, of which {} and {} are found; {} written to \
         a log",
        store["events"],
        store["bytes_per_event"],
        store["bytes_by_zstd"],
        store["day"],
        store["found_by_user"],
        store["found_by_object"],
        store["tail"]["written"]
    );
    found["store"] = store;
    figures::compare(&found, PROMISED)
}
