//! The word that a proof is to end early: what is under way is undone first.

use std::time::Duration;

use tokio::sync::watch;

/// Hears whether a proof is to end early.
#[derive(Clone)]
pub(crate) struct Halt(watch::Receiver<bool>);

/// What is said of an act that was not brought to its end.
pub(crate) const INTERRUPTED: &str = "interrupted";

impl Halt {
    /// Makes a word that is not called yet, with what calls it.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (call, hear) = watch::channel(false);
        (call, Self(hear))
    }

    /// Says whether it was called.
    pub(crate) fn is_called(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is called.
    pub(crate) async fn called(&self) {
        let mut hear = self.0.clone();
        if hear.wait_for(|called| *called).await.is_err() {
            // Who could call it has gone without doing so.
            std::future::pending::<()>().await;
        }
    }

    /// Rests, unless it is called.
    ///
    /// # Errors
    /// It was called.
    pub(crate) async fn rest(&self, time: Duration) -> Result<(), String> {
        tokio::select! {
            biased;
            () = self.called() => Err(INTERRUPTED.to_owned()),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
