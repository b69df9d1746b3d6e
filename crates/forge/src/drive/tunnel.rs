//! A port on loopback that leads to an address as a machine sees it, through SSH alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use ringfort_host::Host;

use super::fleet::BINARY;

/// A port on loopback that leads to an address as a machine sees it. Closed when dropped.
pub struct Tunnel {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Tunnel {
    /// Opens a tunnel.
    ///
    /// # Errors
    /// No port of loopback could be had.
    pub async fn open(host: Arc<Host>, to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let at = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(Arc::clone(&host), stream, to));
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

async fn lead(host: Arc<Host>, stream: TcpStream, to: SocketAddr) {
    let _ = stream.set_nodelay(true);
    // A tunnel that cannot be opened shows to its user as a connection that ends.
    let Ok(pipe) = host.open(&format!("exec {BINARY} node connect {to}")).await else { return };
    let (mut reader, mut writer, _end) = pipe.into_parts();
    let (mut from, mut into) = stream.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut from, &mut writer) => {}
        _ = tokio::io::copy(&mut reader, &mut into) => {}
    }
}
