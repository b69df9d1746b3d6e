//! The balancer on every node's loopback: passes connections on to an API server that is ready.
//!
//! It looks at bytes nowhere and terminates no TLS, so it holds no key. Which servers there are
//! comes from a file; the first ready one in the file's order takes new connections, and a server
//! that is found dead loses the ones it has, since a request that waits on it would be lost.

mod backends;
mod health;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::notify;
use crate::root::Root;
pub use backends::NotBackends;
use backends::Pool;
use health::{Pace, Standing};

/// What the balancer is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file that names the servers, one address and port a line.
    pub backends: PathBuf,
    /// The certificate of the servers' authority, by which their health is asked.
    pub ca: String,
    /// The root of the machine.
    pub root: Root,
}

/// Says why the balancer cannot run.
#[derive(Debug, thiserror::Error)]
pub enum BalanceError {
    /// The address cannot be had.
    #[error("{at} cannot be listened on: end whoever holds it")]
    Listen {
        /// The address.
        at: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not name servers.
    #[error("{path}: {source}")]
    Backends {
        /// The file.
        path: String,
        /// What is wrong.
        source: NotBackends,
    },
}

/// Connections that are passed on at once: a unit may open 1024 files by default, and each
/// connection takes two.
const CONNECTIONS: usize = 400;

/// How long a connection to a server may take before the next one is tried.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// How long sent bytes may stay without an answer from a server's machine, in milliseconds.
const UNHEARD_MS: u32 = 10_000;

/// Runs the balancer for ever, and tells systemd when it listens.
///
/// # Errors
/// The address cannot be had, or the file of servers is bad at the start. A file that goes bad
/// later is told in the log, and the servers known so far stay.
pub async fn run(settings: &Settings) -> Result<Infallible, BalanceError> {
    let at = settings.listen;
    let listener =
        TcpListener::bind(at).await.map_err(|source| BalanceError::Listen { at, source })?;
    let pool = Arc::new(Pool::open(settings, Pace::USUAL)?);
    tokio::spawn(backends::follow(Arc::clone(&pool)));
    notify::ready();
    tracing::info!(%at, "listens");
    accept(&listener, &pool).await
}

async fn accept(listener: &TcpListener, pool: &Arc<Pool>) -> ! {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match (listener.accept().await, place) {
            (Ok((client, _)), Ok(place)) => {
                tokio::spawn(pass(client, Arc::clone(pool), place));
            }
            (accepted, _) => {
                if let Err(error) = accepted {
                    tracing::warn!(%error, "a connection could not be accepted");
                }
                // Files or memory are short; trying again at once would not help.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Passes one connection on, and gives it up when its server is found dead.
///
/// While no server is there the client waits for one: sent away, it would come back after a pause
/// that doubles each time, and a kubelet that is younger than its API server would be ready long
/// after it.
async fn pass(mut client: TcpStream, pool: Arc<Pool>, _place: OwnedSemaphorePermit) {
    let _ = client.set_nodelay(true);
    let wait = async {
        loop {
            match reach(&pool).await {
                Some(reached) => return reached,
                None => pool.news().await,
            }
        }
    };
    let Ok(Reached { at, mut server, mut standing }) = timeout(pool.patience(), wait).await else {
        tracing::warn!("no server takes a connection");
        return;
    };
    let _ = server.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&server, UNHEARD_MS);
    tokio::select! {
        // Either side may end; there is nobody to tell how.
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        // An error says that the server is no longer in the file.
        _ = standing.wait_for(|standing| *standing == Standing::Dead) => {
            tracing::info!(%at, "a connection to a dead server is given up");
        }
    }
}

/// A server that took a connection.
struct Reached {
    at: SocketAddr,
    server: TcpStream,
    standing: watch::Receiver<Standing>,
}

/// Connects to the first server that takes a connection.
async fn reach(pool: &Pool) -> Option<Reached> {
    for (at, standing) in pool.in_order() {
        match timeout(CONNECT_LIMIT, TcpStream::connect(at)).await {
            Ok(Ok(server)) => return Some(Reached { at, server, standing }),
            Ok(Err(error)) => tracing::debug!(%at, %error, "refuses"),
            Err(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
