//! What a server counts, beside what a collector kept of its log.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfort_audit::detections::DETECTIONS;
use ringfort_audit::engine::Engine;
use serde_json::value::RawValue;

use super::collect::{go_on, log};
use super::*;
use crate::format::reported::{Reported, of_log};
use crate::format::tally::Measured;
use crate::os::collect::{Collector, Settings};
use crate::os::tally::{Asked, Count, CountError, Counting, Missed, Missing};
use crate::os::{Directory, claim};

/// 2026-01-05T10:00:00Z.
const NOW: i64 = 1_767_607_200;

/// An API server with somebody who collects what it logs, both within one process.
struct Server {
    at: PathBuf,
    collector: RefCell<Option<Collector<Directory>>>,
    began: Cell<u64>,
    counted: Cell<u64>,
    /// How many lines it ever wrote.
    lines: Cell<u64>,
    failed: Cell<u64>,
    /// Whether what it counts is written.
    writes: Cell<bool>,
    status: Cell<&'static str>,
}

impl Server {
    fn begin(at: &Path) -> Self {
        let server = Self {
            at: at.to_owned(),
            collector: RefCell::new(None),
            began: Cell::new(1),
            counted: Cell::new(0),
            lines: Cell::new(0),
            failed: Cell::new(0),
            writes: Cell::new(true),
            status: Cell::new("200 OK"),
        };
        server.collect(ALL);
        server
    }

    fn collect(&self, limits: Limits) {
        drop(self.collector.take());
        let claimed = claim(&self.at.join("store")).unwrap();
        let settings =
            Settings { log: self.at.join("audit.log"), source: "cp1".to_owned(), limits };
        let engine = Engine::new(DETECTIONS);
        let collector =
            Collector::new(claimed.directory, claimed.key, &settings, engine, NOW).unwrap();
        *self.collector.borrow_mut() = Some(collector);
    }

    /// Somebody asks it something.
    fn event(&self, path: &str) {
        self.counted.set(self.counted.get() + 1);
        if self.writes.get() {
            let number = self.lines.get();
            self.lines.set(number + 1);
            log(&self.at.join("audit.log"), [event(number).replace("pods", path)]);
        }
    }

    fn events(&self, count: u64) {
        (0..count).for_each(|_| self.event("pods"));
        self.go_on();
    }

    fn go_on(&self) {
        if let Some(collector) = self.collector.borrow_mut().as_mut() {
            go_on(collector, NOW);
        }
    }
}

impl Asked for &Server {
    fn ask(&self, heartbeat: &str) -> io::Result<(String, Measured)> {
        let mut measured = Measured::default();
        measured.read(&format!("process_start_time_seconds {}", self.began.get()));
        measured.read(&format!("apiserver_audit_event_total {}", self.counted.get()));
        let failed = self.failed.get();
        measured.read(&format!("apiserver_audit_error_total{{plugin=\"log\"}} {failed}"));
        self.event(heartbeat);
        self.go_on();
        match self.status.get() {
            "" => Err(io::Error::other("away")),
            status => Ok((status.to_owned(), measured)),
        }
    }
}

fn counting(server: &Server) -> Counting<&Server> {
    let (store, file) = (server.at.join("store"), server.at.join("count"));
    let mut counting = Counting::new(store, "cp1".to_owned(), file, server);
    counting.patience = Duration::ZERO;
    counting
}

fn round(counting: &mut Counting<&Server>) -> Result<Missed, CountError> {
    counting.round(&|| NOW, &|| false)
}

fn nothing_missed(counting: &mut Counting<&Server>) {
    assert_eq!(round(counting).unwrap(), Missed::Nothing);
}

#[test]
fn what_a_server_counts_and_does_not_write_is_missed() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::begin(at.path());
    server.events(5);
    let mut counter = counting(&server);
    for _ in 0..3 {
        nothing_missed(&mut counter);
        server.events(7);
    }
    server.writes.set(false);
    server.events(4);
    server.failed.set(4);
    server.writes.set(true);
    // It was not missing yet in the round before these two.
    let mut round_at = |now| counter.round(&move || now, &|| false).unwrap();
    assert_eq!(round_at(NOW + 30), Missed::Nothing);
    assert_eq!(round_at(NOW + 60), Missed::Events { more: 4, failed: 4, since: Some(NOW) });
    assert_eq!((counter.count().missed, counter.count().tally.lost), (4, 4));
    nothing_missed(&mut counter);
    assert_eq!((counter.count().missed, counter.count().tally.lost), (0, 4));
    // Also over restarts of all of them, and of one after the other.
    server.events(3);
    let mut counter = counting(&server);
    nothing_missed(&mut counter);
    server.collect(Limits { seal_bytes: 1, ..ALL });
    server.writes.set(false);
    server.events(2);
    server.writes.set(true);
    nothing_missed(&mut counter);
    let mut counter = counting(&server);
    assert_eq!(
        round(&mut counter).unwrap(),
        Missed::Events { more: 2, failed: 4, since: Some(NOW) }
    );
    server.began.set(2);
    server.counted.set(0);
    nothing_missed(&mut counter);
    server.events(3);
    nothing_missed(&mut counter);
    assert_eq!((counter.count().tally.lost, counter.count().tally.rounds), (0, 2));
    let written = Count::read(&std::fs::read(at.path().join("count")).unwrap()).unwrap();
    assert_eq!(written.tally, counter.count().tally);
}

#[test]
fn a_server_that_answers_and_does_not_log_is_told_once() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::begin(at.path());
    let mut counter = counting(&server);
    nothing_missed(&mut counter);
    server.writes.set(false);
    nothing_missed(&mut counter);
    assert_eq!(counter.count().unheard, 1);
    assert_eq!(round(&mut counter).unwrap(), Missed::Everything { since: Some(NOW) });
    nothing_missed(&mut counter);
    server.writes.set(true);
    nothing_missed(&mut counter);
    assert_eq!(counter.count().unheard, 0);
    // Nobody collects.
    drop(server.collector.take());
    nothing_missed(&mut counter);
    assert_eq!(round(&mut counter).unwrap(), Missed::Everything { since: Some(NOW) });
}

#[test]
fn a_server_that_says_nothing_is_not_counted_and_its_log_is_heard_all_the_same() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::begin(at.path());
    let mut counter = counting(&server);
    server.status.set("");
    assert!(matches!(round(&mut counter), Err(CountError::Server(_))));
    assert!(counter.count().trouble.as_ref().unwrap().contains("does not answer: away"));
    server.status.set("403 Forbidden");
    assert!(matches!(round(&mut counter), Err(CountError::Unsaid(_))));
    assert_eq!((counter.count().unheard, counter.count().heard), (0, Some(NOW)));
    server.status.set("200 OK");
    nothing_missed(&mut counter);
    assert_eq!((counter.count().trouble.as_ref(), counter.count().tally.rounds), (None, 1));
    // There is no store.
    let nowhere = at.path().join("nowhere");
    let file = at.path().join("other");
    let mut counter = Counting::new(nowhere, "cp1".to_owned(), file, &server);
    assert!(matches!(round(&mut counter), Err(CountError::Look(_))));
}

/// What was counted of a store that is gone, or in pieces that are, is not held against another.
#[test]
fn a_store_that_is_another_is_counted_from_there_on() {
    let at = tempfile::tempdir().unwrap();
    let server = Server::begin(at.path());
    server.collect(Limits { seal_bytes: 1, ..ALL });
    let mut counter = counting(&server);
    for _ in 0..3 {
        server.events(3);
        nothing_missed(&mut counter);
    }
    drop(server.collector.take());
    std::fs::remove_dir_all(at.path().join("store")).unwrap();
    std::fs::remove_file(at.path().join("audit.log")).unwrap();
    server.collect(ALL);
    let mut counter = counting(&server);
    for _ in 0..3 {
        server.events(3);
        nothing_missed(&mut counter);
    }
    assert_eq!(counter.count().tally.lost, 0);
    std::fs::write(at.path().join("count"), "{").unwrap();
    nothing_missed(&mut counting(&server));
}

/// What witnesses told to a store is read as times in which something did not come, and nothing else of it is.
#[test]
fn what_a_witness_missed_is_told_with_its_times() {
    let at = tempfile::tempdir().unwrap();
    let store = at.path().join("store");
    let claimed = claim(&store).unwrap();
    let (mut kept, _) = Store::open(claimed.directory, claimed.key, ALL, NOW).unwrap();
    let line = |line: &str| {
        let finding = of_log("cp1", "events-lost", (NOW + 60) * 1_000_000, "said".to_owned());
        let line = &RawValue::from_string(line.to_owned()).unwrap();
        serde_json::to_string(&Reported { id: "x".to_owned(), finding, line }).unwrap()
    };
    let missed = |missed| line(&serde_json::to_string(&missed).unwrap());
    let lines = [
        ("witness/cp1", missed(Missed::Events { more: 6, failed: 1, since: Some(NOW) })),
        ("witness/cp3", missed(Missed::Everything { since: None })),
        ("witness/cp3", missed(Missed::Nothing)),
        // Of an earlier version, and of a later one.
        ("witness/cp2", line(r#"{"events":{"more":5,"failed":0}}"#)),
        ("witness/cp2", line(r#"{"backends":2}"#)),
        // An agent counts nothing.
        ("agent/cp1", missed(Missed::Everything { since: None })),
    ];
    let (time, kind) = (NOW * 1_000_000, Kind::Finding);
    let entries =
        lines.iter().map(|(source, text)| Entry { source, time, kind, text: text.as_bytes() });
    let entries: Vec<Entry<'_>> = entries.collect();
    kept.append(&entries, b"", NOW).unwrap();
    let missing = Missing::of(&store).unwrap();
    let seen = missing.iter().map(|it| (it.machine.as_str(), it.times, it.events));
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("cp1", (Some(NOW), NOW + 60), Some(6)),
            ("cp3", (None, NOW + 60), None),
            ("cp2", (None, NOW + 60), Some(5)),
            ("cp2", (None, NOW + 60), None),
        ]
    );
}
