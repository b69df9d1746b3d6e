//! A port on loopback that leads to a command's input and output on a machine.
//!
//! With a command that pipes to a TCP port, an API server is reached through SSH alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::Host;

/// A port on loopback that leads to a command on a machine. Closed when dropped.
pub struct Tunnel {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Tunnel {
    /// Opens a tunnel for so many connections at a time; more wait for one that ends. sshd allows ten
    /// sessions for a connection of its own (`MaxSessions`), and each of these is one.
    ///
    /// # Errors
    /// No port of loopback could be had.
    pub async fn open(
        host: Arc<Host>,
        command: String,
        connections: usize,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let at = listener.local_addr()?;
        let turns = Arc::new(Semaphore::new(connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (host, command) = (Arc::clone(&host), command.clone());
                let turns = Arc::clone(&turns);
                tokio::spawn(async move {
                    let _turn = turns.acquire().await;
                    lead(&host, stream, &command).await;
                });
            }
        });
        Ok(Self { at, task })
    }

    /// Gives the port on loopback.
    pub fn at(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn lead(host: &Host, stream: TcpStream, command: &str) {
    let _ = stream.set_nodelay(true);
    // A tunnel that cannot be opened shows to its user as a connection that ends.
    let Ok(pipe) = host.open(command).await else { return };
    let (mut reader, mut writer, _end) = pipe.into_parts();
    let (mut from, mut into) = stream.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut writer) => {}
        _ = tokio::io::copy(&mut reader, &mut into) => {}
    }
}
