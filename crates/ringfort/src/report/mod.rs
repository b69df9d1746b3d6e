//! How a run tells what it does: one model of events, shown to people or written as JSON lines.
//!
//! Results go to standard output, everything else to standard error.

mod closes;
mod people;
mod told;

use std::io::Write as _;
use std::time::Instant;

use ringfort_model::event::Event;

use people::People;

pub use told::Told;

/// How a run is told, and what has been told of it.
pub struct Voice {
    listener: Listener,
    start: Instant,
    told: Told,
}

/// Who listens to a run.
enum Listener {
    /// A person at a terminal.
    People(People),
    /// A program that reads JSON lines.
    Json,
}

impl Voice {
    /// Begins to tell of a run, to whom the command line chooses.
    pub fn new(json: bool, verbose: bool) -> Self {
        let listener = if json { Listener::Json } else { Listener::People(People::new(verbose)) };
        Self { listener, start: Instant::now(), told: Told::default() }
    }

    /// Tells one event.
    pub fn tell(&mut self, event: &Event) {
        log(event);
        self.told.note(event);
        match &mut self.listener {
            Listener::People(people) => people.tell(event),
            Listener::Json => {
                let line = serde_json::to_string(event).expect("events have string keys only");
                // A reader that has gone must not stop the run.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        }
    }

    /// Tells something that is no event, to people.
    pub fn note(&mut self, text: &str) {
        if let Listener::People(people) = &self.listener {
            people.note(text);
        }
    }

    /// Tells where evidence was written, to people: they read it at the end.
    pub fn evidence(&mut self, path: &std::path::Path) {
        if let Listener::People(people) = &mut self.listener {
            people.evidence(path.display().to_string());
        }
    }

    /// Tells that a stage begins.
    pub fn stage(&mut self, name: &str) {
        self.tell(&Event::Stage { name: name.to_owned(), seconds: self.seconds() });
    }

    /// Tells the end of a run.
    pub fn end(&mut self, kubeconfig: Option<String>, error: Option<String>) {
        self.tell(&self.told.end(self.seconds(), kubeconfig, error));
    }

    /// Gives what has been told.
    pub fn told(&self) -> Told {
        self.told
    }

    /// Gives when the run began.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Gives how long it has gone on, in seconds.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
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
        Event::Unseen { node, item, by, why, .. } => {
            let node = node.as_ref().map(|n| n.as_str());
            tracing::warn!(node, item, control = by, why, "not looked at");
        }
        Event::Closes { pods, .. } => {
            tracing::warn!(count = pods.len(), "network policies close pods that run");
        }
        Event::Remains { things } => tracing::info!(?things, "left as they are"),
        Event::Waiver { control, scope, owner, expires, holds, .. } => {
            tracing::info!(control, scope, owner, expires, holds, "waiver");
        }
        Event::Proof { control, verdict, detail, .. } => {
            tracing::info!(control, %verdict, detail, "proof");
        }
        Event::Finished { seconds, changes, error: None, .. } => {
            tracing::info!(seconds, changes, "ends");
        }
        Event::Finished { seconds, error: Some(error), .. } => {
            tracing::error!(seconds, error, "ends");
        }
    }
}
