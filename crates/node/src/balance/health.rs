//! How a server stands: asked over and over for `/readyz`, judged by the last answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::probe::{self, ProbeError};
use crate::root::Root;

/// How a server stands, best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Standing {
    /// It says that it is ready.
    Ready,
    /// It was not asked yet, or could not be.
    Unknown,
    /// It answers that it is not ready, or missed one answer: no new connections.
    Doubtful,
    /// It refuses, is silent, or has not been ready for a while: its connections end.
    Dead,
}

/// How often a server is asked, and how long an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) every: Duration,
    /// After an answer that was not good.
    pub(super) again: Duration,
    pub(super) limit: Duration,
    /// How long a client waits while no server takes its connection.
    pub(super) patience: Duration,
}

impl Pace {
    /// A server whose machine lost power is found dead within five seconds.
    pub(super) const USUAL: Self = Self {
        every: Duration::from_secs(2),
        again: Duration::from_millis(500),
        limit: Duration::from_secs(1),
        // Kubernetes' clients give a server ten seconds to begin TLS.
        patience: Duration::from_secs(9),
    };
}

/// Answers in a row after which silence means death: one may be lost on a loaded machine.
const SILENT: u32 = 2;
/// Answers in a row after which "not ready" does: a server that starts or stops passes sooner.
const UNWELL: u32 = 10;

/// The last answers of a server.
#[derive(Clone, Copy, Debug, Default)]
struct Pulse {
    silent: u32,
    unwell: u32,
}

/// What was heard of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heard {
    Ready,
    Unwell,
    Refused,
    Silence,
    /// It could not be asked: the fault is here.
    Nothing,
}

impl Pulse {
    fn judge(&mut self, heard: Heard) -> Standing {
        match heard {
            Heard::Ready => {
                *self = Self::default();
                Standing::Ready
            }
            Heard::Nothing => Standing::Unknown,
            Heard::Refused => Standing::Dead,
            Heard::Silence => {
                self.silent += 1;
                if self.silent >= SILENT { Standing::Dead } else { Standing::Doubtful }
            }
            Heard::Unwell => {
                self.silent = 0;
                self.unwell += 1;
                if self.unwell >= UNWELL { Standing::Dead } else { Standing::Doubtful }
            }
        }
    }
}

/// Where it is told how a server stands.
pub(super) struct Tell {
    pub(super) standing: watch::Sender<Standing>,
    /// Wakes clients that wait for a server.
    pub(super) news: Arc<Notify>,
}

/// Asks a server for ever and tells how it stands.
pub(super) async fn keep_asking(at: SocketAddr, root: Root, ca: String, pace: Pace, tell: Tell) {
    let mut pulse = Pulse::default();
    let mut gap = String::new();
    loop {
        let (root, ca) = (root.clone(), ca.clone());
        let asked = tokio::task::spawn_blocking(move || ask(at, &root, &ca, pace.limit)).await;
        let (heard, why) = asked.unwrap_or((Heard::Nothing, "asking failed".to_owned()));
        let standing = pulse.judge(heard);
        let before = tell.standing.send_replace(standing);
        if before != standing {
            tell.news.notify_waiters();
        }
        if heard == Heard::Nothing && gap != why {
            tracing::warn!(%at, why, "a server cannot be asked for its health");
            gap = why;
        } else if before != standing {
            tracing::info!(%at, ?before, now = ?standing, why, "a server stands otherwise");
        }
        let pause = if standing == Standing::Ready { pace.every } else { pace.again };
        tokio::time::sleep(pause).await;
    }
}

/// The authority is read each time, so that a new one is known without a restart.
fn ask(at: SocketAddr, root: &Root, ca: &str, limit: Duration) -> (Heard, String) {
    let asked =
        probe::trust(root, ca).and_then(|trust| probe::ask_tls(&trust, at, "/readyz", limit));
    match asked {
        Ok(()) => (Heard::Ready, String::new()),
        Err(error) => (heard(&error), error.to_string()),
    }
}

fn heard(error: &ProbeError) -> Heard {
    match error {
        ProbeError::Refused { .. } => Heard::Refused,
        ProbeError::Silent { .. } => Heard::Silence,
        ProbeError::Unwell { .. } => Heard::Unwell,
        ProbeError::Authority { .. } | ProbeError::Unchecked { .. } => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Pulse, Standing};

    #[test]
    fn a_server_is_dead_when_it_refuses_or_stays_silent() {
        let check = |heard: &[Heard], expected: Standing| {
            let mut pulse = Pulse::default();
            let last = heard.iter().map(|heard| pulse.judge(*heard)).last();
            assert_eq!(last, Some(expected), "{heard:?}");
        };
        check(&[Heard::Ready], Standing::Ready);
        check(&[Heard::Ready, Heard::Refused], Standing::Dead);
        check(&[Heard::Ready, Heard::Silence], Standing::Doubtful);
        check(&[Heard::Silence, Heard::Silence], Standing::Dead);
        check(&[Heard::Silence, Heard::Ready, Heard::Silence], Standing::Doubtful);
        check(&[Heard::Silence, Heard::Unwell, Heard::Silence], Standing::Doubtful);
        check(&[Heard::Unwell; 9], Standing::Doubtful);
        check(&[Heard::Unwell; 10], Standing::Dead);
        check(&[Heard::Refused, Heard::Ready], Standing::Ready);
        check(&[Heard::Ready, Heard::Nothing], Standing::Unknown);
    }

    #[test]
    fn better_standings_come_first() {
        let mut all = [Standing::Dead, Standing::Unknown, Standing::Doubtful, Standing::Ready];
        all.sort();
        assert_eq!(all, [Standing::Ready, Standing::Unknown, Standing::Doubtful, Standing::Dead]);
    }
}
