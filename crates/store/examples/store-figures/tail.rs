//! A log that somebody writes 20,000 events a second to, followed by a process of its own: how long it is from an event
//! to its finding, how much memory that takes, and whether anything was lost.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use ringfort_store::os::{Collector, Settings, Told, claim};
use serde_json::{Value, json};

use crate::LIMITS;

/// So many events come in a second,
const RATE: usize = 20_000;
/// in bursts so long,
const BURST: Duration = Duration::from_millis(10);
/// each with one at its end whose finding is waited for.
const PROBE: &str = "probe-";
/// As `ringfort audit collect` does.
const LOOK: Duration = Duration::from_millis(20);
const GATHER: Duration = Duration::from_millis(250);

/// Follows a log until it holds a last line, and says of each probe when it was found.
pub fn collect(log: &Path, store: &Path) {
    let claimed = claim(store).expect("a new store");
    let settings = Settings { log: log.to_owned(), source: "cp1".to_owned(), limits: LIMITS };
    let engine = Engine::new(DETECTIONS);
    let second = || (nanoseconds() / 1_000_000_000) as i64;
    let mut collector = Collector::new(claimed.directory, claimed.key, &settings, engine, second())
        .expect("a new store");
    let (mut is_over, mut kept_at) = (false, Instant::now());
    println!("begun");
    loop {
        let now = (nanoseconds() / 1_000) as i64;
        let is_more = collector
            .read(now, &mut |told| {
                let Told::Finding(finding) = told else { return };
                let name = finding.object.rsplit(' ').next().unwrap_or_default();
                if name.starts_with(PROBE) {
                    println!("{name} {}", nanoseconds());
                }
                is_over |= name == "the-end";
            })
            .expect("the log can be read");
        if collector.is_full() || kept_at.elapsed() >= GATHER || is_over {
            collector.keep(second(), &mut |_| ()).expect("it can be written");
            kept_at = Instant::now();
        }
        if is_over && !is_more {
            let counts = collector.counts();
            println!("kept {} {} {}", counts.kept, counts.gaps, peak_bytes());
            return;
        }
        if !is_more {
            sleep(LOOK);
        }
    }
}

/// Writes the log, and measures who follows it.
pub fn figures(room: &Path, lines: &[String], seconds: u64) -> Value {
    let (log, store) = (room.join("audit.log"), room.join("collected"));
    File::create(&log).expect("a log");
    let mut child = begin(&log, &store);
    let mut said = BufReader::new(child.stdout.take().expect("it is asked for")).lines();
    let mut next = move || said.next().and_then(Result::ok);
    assert_eq!(next().as_deref(), Some("begun"));
    let heard = spawn(move || std::iter::from_fn(next).collect::<Vec<_>>());
    let (written, probes) = write(&log, lines, seconds);
    let heard = heard.join().expect("it listens");
    assert!(child.wait().is_ok_and(|ended| ended.success()), "the collector ended well");
    let found = |line: &String| {
        let (name, at) = line.split_once(' ')?;
        let number: usize = name.strip_prefix(PROBE)?.parse().ok()?;
        Some(at.parse::<u128>().ok()?.saturating_sub(probes[number]) as f64 / 1e6)
    };
    let mut waits: Vec<f64> = heard.iter().filter_map(found).collect();
    waits.sort_by(f64::total_cmp);
    let last = heard.iter().find_map(|line| line.strip_prefix("kept ")).expect("it says so");
    let last: Vec<u64> = last.split(' ').map(|it| it.parse().expect("a number")).collect();
    json!({
        "seconds": seconds,
        "written": written,
        "lost": (written as u64).saturating_sub(last[0]),
        "gaps": last[1],
        "probes": probes.len(),
        "unfound": probes.len().saturating_sub(waits.len()),
        "median_ms": waits.get(waits.len() / 2),
        "p99_ms": waits.get(waits.len() * 99 / 100),
        "memory_bytes": last[2],
    })
}

fn begin(log: &Path, store: &Path) -> Child {
    let own = std::env::current_exe().expect("this program");
    let mut child = Command::new(own);
    child.arg("collect").args([log, store]).stdout(Stdio::piped());
    child.spawn().expect("this program")
}

/// Writes events at an even rate. Gives how many, and when each probe was written.
fn write(log: &Path, lines: &[String], seconds: u64) -> (usize, Vec<u128>) {
    let mut log = OpenOptions::new().append(true).open(log).expect("the log");
    let each = RATE * BURST.as_millis() as usize / 1_000;
    let (begun, mut written, mut probes) = (Instant::now(), 0, Vec::new());
    while begun.elapsed() < Duration::from_secs(seconds) {
        let mut burst = String::new();
        for number in written..written + each - 1 {
            // A line that is the same as one before it would be kept once.
            let own = format!("\"auditID\":\"{number}-");
            burst.push_str(&lines[number % lines.len()].replacen("\"auditID\":\"", &own, 1));
            burst.push('\n');
        }
        burst.push_str(&entered(&format!("{PROBE}{}", probes.len())));
        probes.push(nanoseconds());
        log.write_all(burst.as_bytes()).expect("it can be written");
        written += each;
        sleep((BURST * probes.len() as u32).saturating_sub(begun.elapsed()));
    }
    log.write_all(entered("the-end").as_bytes()).expect("it can be written");
    (written + 1, probes)
}

/// Somebody enters a container, which is always found.
fn entered(name: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{name}","stage":"ResponseComplete","verb":"create","user":{{"username":"eve"}},"objectRef":{{"resource":"pods","subresource":"exec","namespace":"web","name":"{name}","apiVersion":"v1"}},"requestURI":"/api/v1/namespaces/web/pods/{name}/exec","responseStatus":{{"code":101}},"requestReceivedTimestamp":"2026-01-05T10:00:00.000001Z"}}"#
    ) + "\n"
}

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos()
}

/// The most memory that this process ever held.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is said");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}
