//! The servers that the balancer knows: read from a file, followed when it changes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::health::{self, Pace, Standing, Tell};
use super::{BalanceError, Settings};
use crate::root::Root;

/// Says why a text does not name servers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotBackends {
    /// A line is no address and port.
    #[error("line {number}: {text:?} is no address and port, such as 10.0.0.11:6443")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// What it holds.
        text: String,
    },
    /// There is none.
    #[error("no server is named")]
    Empty,
}

/// Reads one address and port a line; empty lines and lines that begin with `#` are skipped.
pub(super) fn parse(text: &str) -> Result<Vec<SocketAddr>, NotBackends> {
    let mut servers = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let not = |_| NotBackends::Line { number: index + 1, text: line.to_owned() };
        let server = line.parse().map_err(not)?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() { Err(NotBackends::Empty) } else { Ok(servers) }
}

/// The servers with their standing.
pub(super) struct Pool {
    path: PathBuf,
    ca: String,
    root: Root,
    pace: Pace,
    servers: Mutex<Vec<Server>>,
    news: Arc<Notify>,
}

struct Server {
    at: SocketAddr,
    standing: watch::Receiver<Standing>,
    asking: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its connections see that nobody tells its standing any more, and end.
        self.asking.abort();
    }
}

impl Pool {
    /// Reads the file and begins to ask the servers.
    pub(super) fn open(settings: &Settings, pace: Pace) -> Result<Self, BalanceError> {
        let pool = Self {
            path: settings.backends.clone(),
            ca: settings.ca.clone(),
            root: settings.root.clone(),
            pace,
            servers: Mutex::new(Vec::new()),
            news: Arc::default(),
        };
        pool.read()?;
        Ok(pool)
    }

    /// Takes the servers from the file; those that stay keep their standing and connections.
    fn read(&self) -> Result<(), BalanceError> {
        let path = self.path.display().to_string();
        let text = std::fs::read_to_string(&self.path)
            .map_err(|source| BalanceError::Unreadable { path: path.clone(), source })?;
        let wanted = parse(&text).map_err(|source| BalanceError::Backends { path, source })?;
        let Ok(mut servers) = self.servers.lock() else { return Ok(()) };
        let mut known: Vec<Server> = std::mem::take(&mut servers);
        for at in wanted {
            let place = known.iter().position(|server| server.at == at);
            let server = place.map(|place| known.swap_remove(place));
            servers.push(server.unwrap_or_else(|| self.begin(at)));
        }
        Ok(())
    }

    fn begin(&self, at: SocketAddr) -> Server {
        let (tell, standing) = watch::channel(Standing::Unknown);
        let (root, ca) = (self.root.clone(), self.ca.clone());
        let tell = Tell { standing: tell, news: Arc::clone(&self.news) };
        let asking = health::keep_asking(at, root, ca, self.pace, tell);
        Server { at, standing, asking: tokio::spawn(asking).abort_handle() }
    }

    /// Lists the servers as they should be tried: ready ones first, each group in the file's
    /// order. One that seems dead is tried last, since the asking itself may be at fault.
    pub(super) fn in_order(&self) -> Vec<(SocketAddr, watch::Receiver<Standing>)> {
        let Ok(servers) = self.servers.lock() else { return Vec::new() };
        let mut order: Vec<_> =
            servers.iter().map(|server| (server.at, server.standing.clone())).collect();
        order.sort_by_key(|(_, standing)| *standing.borrow());
        order
    }

    /// Waits until a server stands otherwise, or for as long as it is worth trying again anyhow.
    pub(super) async fn news(&self) {
        // Nobody hears news that came before the listening began: so not for ever.
        let _ = timeout(self.pace.again, self.news.notified()).await;
    }

    /// Gives how long a client waits for a server.
    pub(super) fn patience(&self) -> Duration {
        self.pace.patience
    }

    fn modified(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path).and_then(|is| is.modified()).ok()
    }
}

/// Follows the file for ever.
pub(super) async fn follow(pool: Arc<Pool>) {
    let mut known = pool.modified();
    loop {
        tokio::time::sleep(pool.pace.every).await;
        let modified = pool.modified();
        if modified == known {
            continue;
        }
        known = modified;
        match pool.read() {
            Ok(()) => tracing::info!("the servers were read anew"),
            Err(error) => tracing::warn!(%error, "the servers stay as they were"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NotBackends, parse};

    #[test]
    fn servers_are_read_line_by_line() {
        let check = |text: &str, expected: Result<&[&str], NotBackends>| {
            let servers = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
            assert_eq!(parse(text), expected.map(servers), "{text:?}");
        };
        check("10.0.0.11:6443\n10.0.0.12:6443\n", Ok(&["10.0.0.11:6443", "10.0.0.12:6443"]));
        check("# ours first\n\n [fd00::1]:6443 \n[fd00::1]:6443", Ok(&["[fd00::1]:6443"]));
        check("", Err(NotBackends::Empty));
        let number = 2;
        let text = "cp1:6443".to_owned();
        check("10.0.0.11:6443\ncp1:6443", Err(NotBackends::Line { number, text }));
    }
}
