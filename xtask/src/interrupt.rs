//! The interrupt key while a program has the terminal: it is for that program, which may have to finish what is under
//! way, and the prompt must not come back before. Otherwise it ends a task at once, as ever.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code of a task that the key has ended.
const INTERRUPTED: i32 = 130;

#[derive(Clone, Default)]
struct Key {
    /// How many programs have the terminal.
    passed: Arc<AtomicUsize>,
    /// Whether it was pressed while one had it.
    pressed: Arc<AtomicBool>,
}

static KEY: LazyLock<Key> = LazyLock::new(|| {
    let key = Key::default();
    // Where it cannot be heard, it ends this program as ever.
    if let Ok((runtime, presses)) = ears() {
        let heeding = key.clone();
        thread::spawn(move || runtime.block_on(heeding.heed(presses)));
    }
    key
});

fn ears() -> io::Result<(Runtime, Signal)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let presses = signal(SignalKind::interrupt())?;
    drop(inside);
    Ok((runtime, presses))
}

impl Key {
    async fn heed(self, mut presses: Signal) {
        while presses.recv().await.is_some() {
            if self.passed.load(Ordering::SeqCst) == 0 {
                std::process::exit(INTERRUPTED);
            }
            self.pressed.store(true, Ordering::SeqCst);
        }
    }
}

/// Somebody else has the terminal, for as long as this lives.
pub(crate) struct Passed(());

impl Passed {
    /// Leaves the key to a program that is about to start.
    pub(crate) fn on() -> Self {
        KEY.passed.fetch_add(1, Ordering::SeqCst);
        Self(())
    }

    /// Says whether the key was pressed since this was last asked.
    pub(crate) fn was_pressed(&self) -> bool {
        KEY.pressed.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        KEY.passed.fetch_sub(1, Ordering::SeqCst);
    }
}
