//! What keeping audit events costs: how many are durable in a second, what one takes at rest, how long it is from an
//! event to its finding, what memory that takes, and how long it takes to search a day. Prints JSON.
//!
//! `store-figures DAY SECONDS` makes a day of so many events, and follows a log for so many seconds.

#[path = "../../../audit/examples/audit-figures/mix.rs"]
mod mix;
mod tail;

use std::path::Path;
use std::time::Instant;

use ringfort_store::format::entry::{Entry, Kind};
use ringfort_store::format::query::Query;
use ringfort_store::os::{Limits, Store, claim, search};
use serde_json::{Value, json};

/// Different lines of the mix.
const LINES: usize = 40_000;
/// How many are kept to see how fast that is, and what they take.
const KEPT: usize = 1_000_000;
/// So many are synced at once: what comes within a quarter of a second at 20,000 a second.
const GROUP: usize = 5_000;
/// One in so many of a day is by somebody, and to an object, that is seldom seen.
const SELDOM: usize = 50_000;

/// When segments are sealed; none is removed.
pub const LIMITS: Limits = Limits {
    seal_bytes: 128 << 20,
    seal_seconds: 3_600,
    keep_bytes: u64::MAX,
    keep_seconds: i64::MAX,
};
/// 2026-01-05T00:00:00Z.
const DAY: i64 = 1_767_571_200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["collect", log, store] => tail::collect(Path::new(log), Path::new(store)),
        [day, seconds] => {
            let day = day.parse().expect("a number of events");
            let seconds = seconds.parse().expect("a number of seconds");
            println!("{}", figures(day, seconds));
        }
        _ => panic!("usage: store-figures DAY SECONDS"),
    }
}

fn figures(day: usize, seconds: u64) -> Value {
    let mut chance = mix::Chance::default();
    let lines: Vec<String> =
        (0..LINES).map(|number| mix::event(number, &mut chance).to_string()).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let room = tempfile::tempdir().expect("a directory for temporary files");
    let kept = room.path().join("kept");
    let (events, took) = keep(&kept, &lines, KEPT.min(day), None);
    let at_rest = sealed_bytes(&kept);
    std::fs::remove_dir_all(&kept).expect("it is there");
    let whole = room.path().join("day");
    keep(&whole, &lines, day, Some(SELDOM));
    let (user, users) = find(&whole, "user=seldom");
    let (object, objects) = find(&whole, "namespace=team-1 name=seldom");
    json!({
        "events": events,
        "bytes_per_event": bytes / LINES,
        "durable_per_second": (events as f64 / took) as u64,
        "bytes_at_rest": at_rest as f64 / events as f64,
        "bytes_by_zstd": zstd_bytes(&lines) as f64 / LINES as f64,
        "day": day,
        "found_by_user": users,
        "found_by_object": objects,
        "search_user_ms": user,
        "search_object_ms": object,
        "tail": tail::figures(room.path(), &lines, seconds),
    })
}

/// Keeps events of a day, one after the other. Gives how many are sealed or durable, and the seconds that took.
fn keep(at: &Path, lines: &[String], count: usize, seldom: Option<usize>) -> (usize, f64) {
    let claimed = claim(at).expect("a new store");
    let (mut store, _) =
        Store::open(claimed.directory, claimed.key, LIMITS, DAY).expect("a new store");
    let begun = Instant::now();
    let mut number = 0;
    while number < count {
        let group: Vec<(i64, String)> = (number..count.min(number + GROUP))
            .map(|number| {
                let time =
                    DAY * 1_000_000 + (number as i128 * 86_400_000_000 / count as i128) as i64;
                let line = match seldom.is_some_and(|seldom| number % seldom == seldom / 2) {
                    true => SELDOM_EVENT.to_owned(),
                    false => lines[number % lines.len()].clone(),
                };
                (time, line)
            })
            .collect();
        let entries: Vec<Entry<'_>> = group
            .iter()
            .map(|(time, line)| Entry {
                source: "cp1",
                time: *time,
                kind: Kind::Event,
                text: line.as_bytes(),
            })
            .collect();
        store.append(&entries, b"{}", DAY).expect("it can be written");
        store.tend(DAY).expect("it can be written");
        number += entries.len();
    }
    let took = begun.elapsed().as_secs_f64();
    // The last segment as well, so that all of it is at rest.
    store.tend(DAY + LIMITS.seal_seconds).expect("it can be written");
    (number, took)
}

const SELDOM_EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{"username":"seldom"},"objectRef":{"resource":"secrets","namespace":"team-1","name":"seldom"},"responseStatus":{"code":200}}"#;

/// How long sealed segments with their indexes and checkpoints are.
fn sealed_bytes(store: &Path) -> u64 {
    let files = std::fs::read_dir(store).expect("a store");
    let files = files.map(|file| file.expect("a file").path());
    let is_sealed = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|kind| kind == "seg" || kind == "checkpoint")
    };
    files.filter(is_sealed).map(|path| path.metadata().map_or(0, |it| it.len())).sum()
}

/// How long the log is when it is packed whole, as whoever rotates it may do.
fn zstd_bytes(lines: &[String]) -> usize {
    let log = lines.join("\n");
    zstd::bulk::compress(log.as_bytes(), 3).expect("memory takes it").len()
}

/// Searches for something, and gives how many milliseconds that took and how much was found.
fn find(store: &Path, query: &str) -> (f64, u64) {
    let query = Query::read(query, jiff::Timestamp::UNIX_EPOCH).expect("a query");
    let begun = Instant::now();
    let searched = search(store, &query, &mut |_, _| true).expect("it can be read");
    assert_eq!(searched.unreadable, 0);
    (begun.elapsed().as_secs_f64() * 1e3, searched.found)
}
