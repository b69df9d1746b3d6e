//! Sends what waits in a spool, in its order, until it was received: a thread for each receiver, so that none waits
//! for another.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::disk::Directory;
use super::send::Receiver;
use super::spool::{Batch, Spool};

/// How long is waited after a failure: the first time, and at most. What comes meanwhile cuts it short, to no less than
/// the first time: whoever is back is told of what is new at once, and of all that was before it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The first time, and between two attempts in any case; each time twice as long,
    pub first: Duration,
    /// up to this.
    pub most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

/// What is known of a delivery.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Delivery {
    /// How many findings wait.
    pub waiting: u64,
    /// How many there was no room for, ever.
    pub lost: u64,
    /// Why the last attempt failed, if it did.
    pub trouble: Option<String>,
}

/// Sends what it is given, however long that takes.
pub struct Deliverer {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Something came, or it is over.
    woken: Condvar,
    is_over: AtomicBool,
}

struct State {
    spool: Spool<Directory>,
    trouble: Option<String>,
    /// Whether something came since the last attempt began.
    is_fresh: bool,
}

/// So much goes at once.
const MOST_BYTES: usize = 256 << 10;

impl Deliverer {
    /// Begins to send what waits already.
    pub fn new(spool: Spool<Directory>, receiver: Box<dyn Receiver>, pace: Pace) -> Self {
        let state = Mutex::new(State { spool, trouble: None, is_fresh: false });
        let shared =
            Arc::new(Shared { state, woken: Condvar::new(), is_over: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        let worker = std::thread::spawn(move || work(&own, receiver, pace));
        Self { shared, worker: Some(worker) }
    }

    /// Takes lines. When it returns well they are durable, and will be sent.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn push(&self, lines: &[String]) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.spool.push(lines)?;
        state.is_fresh |= !lines.is_empty();
        drop(state);
        self.shared.woken.notify_all();
        Ok(())
    }

    /// Says how it goes.
    pub fn state(&self) -> Delivery {
        let state = self.shared.lock();
        let (waiting, lost) = (state.spool.waiting(), state.spool.lost());
        Delivery { waiting, lost, trouble: state.trouble.clone() }
    }

    /// Waits until nothing waits to be sent, for a time. Says whether that is so.
    pub fn drain(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.state().waiting > 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Deliverer {
    /// Waits for a batch that is on its way, so that nobody sends it twice who goes on from here.
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.shared.woken.notify_all();
        if let Some(worker) = self.worker.take() {
            // What it had not sent is still there, however it ended.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is sent next.
    fn next(&self) -> io::Result<Batch> {
        let mut state = self.lock();
        state.is_fresh = false;
        state.spool.next(MOST_BYTES)
    }

    /// Waits for something to come, or for a time to be over.
    fn wait(&self, time: Duration) {
        let state = self.lock();
        drop(self.woken.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for a time, or for less where something comes.
    fn pause(&self, time: Duration, least: Duration) {
        let begun = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) {
            let state = self.lock();
            let time = if state.is_fresh { least.min(time) } else { time };
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            drop(self.woken.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// A finding that came while nobody slept is seen after this at the latest.
const LOOK: Duration = Duration::from_millis(500);

fn work(shared: &Shared, mut receiver: Box<dyn Receiver>, pace: Pace) {
    let mut pause = pace.first;
    while !shared.is_over.load(Ordering::Relaxed) {
        let next = shared.next();
        if next.as_ref().is_ok_and(|batch| batch.lines.is_empty()) {
            shared.wait(LOOK);
            continue;
        }
        // No lock is held while it is sent.
        let sent = next.map_err(|error| error.to_string()).and_then(|batch| {
            receiver.send(&batch).map(|()| batch).map_err(|error| error.to_string())
        });
        let mut state = shared.lock();
        let outcome =
            sent.and_then(|batch| state.spool.done(&batch).map_err(|error| error.to_string()));
        let is_well = outcome.is_ok();
        state.trouble = outcome.err();
        drop(state);
        match is_well {
            true => pause = pace.first,
            false => {
                shared.pause(pause, pace.first);
                pause = (pause * 2).min(pace.most);
            }
        }
    }
}
