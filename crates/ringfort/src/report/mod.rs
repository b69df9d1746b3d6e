//! How a run tells what it does: one model of events, shown to people or written as JSON lines.
//!
//! Results go to standard output, everything else to standard error.

mod people;

use std::io::Write as _;
use std::time::Instant;

use ringfort_model::event::Event;

pub use people::People;

/// Who listens to a run.
pub enum Voice {
    /// A person at a terminal.
    People(People),
    /// A program that reads JSON lines.
    Json,
}

impl Voice {
    /// Chooses by the command line.
    pub fn new(json: bool, verbose: bool) -> Self {
        if json { Self::Json } else { Self::People(People::new(verbose)) }
    }

    /// Tells one event.
    pub fn tell(&mut self, event: &Event) {
        log(event);
        match self {
            Self::People(people) => people.tell(event),
            Self::Json => {
                let line = serde_json::to_string(event).expect("events have string keys only");
                // A reader that has gone must not stop the run.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        }
    }

    /// Tells something that is no event, to people.
    pub fn note(&mut self, text: &str) {
        if let Self::People(people) = self {
            people.note(text);
        }
    }

    /// Tells that a stage begins.
    pub fn stage(&mut self, name: &str, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        self.tell(&Event::Stage { name: name.to_owned(), seconds });
    }
}

/// Writes an event into the log.
fn log(event: &Event) {
    match event {
        Event::Started { cluster, command, .. } => tracing::info!(command, cluster, "begins"),
        Event::Stage { name, .. } => tracing::info!(stage = name, "a stage begins"),
        Event::Preflight { node, finding, fatal: true } => {
            tracing::error!(node = node.as_ref().map(|n| n.as_str()), finding, "preflight");
        }
        Event::Preflight { node, finding, fatal: false } => {
            tracing::warn!(node = node.as_ref().map(|n| n.as_str()), finding, "preflight");
        }
        Event::Step { node, item, by, because, took, failed, .. } => {
            let node = node.as_ref().map(|n| n.as_str());
            match failed {
                None => tracing::info!(node, item, control = by, because, took, "step"),
                Some(why) => tracing::warn!(node, item, control = by, why, "step failed"),
            }
        }
        Event::Waiver { control, scope, owner, expires, holds, .. } => {
            tracing::info!(control, scope, owner, expires, holds, "waiver");
        }
        Event::Proof { control, verdict, detail, .. } => {
            tracing::info!(control, verdict, detail, "proof");
        }
        Event::Finished { seconds, changes, error: None, .. } => {
            tracing::info!(seconds, changes, "ends");
        }
        Event::Finished { seconds, error: Some(error), .. } => {
            tracing::error!(seconds, error, "ends");
        }
    }
}
