//! SSH spoken by this binary.

use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, Handle, Msg};
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::PublicKey;
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::pipe::{End, Pipe};
use crate::{Door, DoorError, known};

/// How long a machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a channel is waited for, and the pause between two tries.
const CHANNEL_LIMIT: Duration = Duration::from_secs(10);
const CHANNEL_PAUSE: Duration = Duration::from_millis(50);
/// Bytes under way in one channel before the sender waits.
const WINDOW_BYTES: u32 = 16 << 20;
/// Bytes of one packet (RFC 4253, 6.1, allows no more than 65,535).
const PACKET_BYTES: u32 = 65_535;

/// A machine behind SSH.
pub(crate) struct Session {
    handle: Handle<Guard>,
    door: Door,
}

/// Checks the machine's key and remembers why it was refused.
struct Guard {
    door: Door,
    refusal: Arc<std::sync::Mutex<Option<DoorError>>>,
}

impl client::Handler for Guard {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let verdict = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => known::check(&self.door, key),
            PublicKeyOrCertificate::Certificate(certificate) => {
                known::check(&self.door, &PublicKey::from(certificate.public_key().clone()))
            }
        };
        let accepted = verdict.is_ok();
        if let (Err(why), Ok(mut refusal)) = (verdict, self.refusal.lock()) {
            *refusal = Some(why);
        }
        Ok(accepted)
    }
}

impl Session {
    pub(crate) async fn open(door: &Door) -> Result<Self, DoorError> {
        let stream = dial(door).await?;
        let refusal = Arc::default();
        let guard = Guard { door: door.clone(), refusal: Arc::clone(&refusal) };
        let config = Arc::new(client::Config {
            window_size: WINDOW_BYTES,
            maximum_packet_size: PACKET_BYTES,
            keepalive_interval: Some(Duration::from_secs(15)),
            nodelay: true,
            ..client::Config::default()
        });
        let greeted = tokio::time::timeout(PATIENCE, client::connect_stream(config, stream, guard));
        let mut handle = match greeted.await {
            Err(_) => return Err(no_answer(door)),
            Ok(Ok(handle)) => handle,
            Ok(Err(source)) => {
                let why = refusal.lock().ok().and_then(|mut refusal| refusal.take());
                return Err(why.unwrap_or_else(|| broken(door, &source)));
            }
        };
        log_in(door, &mut handle).await?;
        Ok(Self { handle, door: door.clone() })
    }

    /// Opens a channel. A server lets one connection have only so many (`MaxSessions` of sshd): where
    /// there is none left, one that ends is waited for.
    async fn channel(&self) -> Result<Channel<Msg>, russh::Error> {
        let begin = Instant::now();
        loop {
            match self.handle.channel_open_session().await {
                Err(russh::Error::ChannelOpenFailure(_)) if begin.elapsed() < CHANNEL_LIMIT => {
                    tokio::time::sleep(CHANNEL_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    pub(crate) async fn exec(&self, command: &str) -> Result<Pipe, DoorError> {
        let broken = |source: russh::Error| broken(&self.door, &source);
        let mut channel = self.channel().await.map_err(broken)?;
        channel.exec(true, command).await.map_err(broken)?;
        let (reader, mut inward) = duplex(1 << 20);
        let (outward, writer) = duplex(1 << 20);
        let to_machine = channel.make_writer();
        let (tell, end) = oneshot::channel();
        let feeding = tokio::spawn(feed(outward, to_machine));
        let address = self.door.address;
        tokio::spawn(async move {
            let mut finish = End::default();
            while let Some(message) = channel.wait().await {
                let listening = match message {
                    ChannelMsg::Data { data } => inward.write_all(&data).await.is_ok(),
                    ChannelMsg::ExtendedData { data, .. } => {
                        let said = String::from_utf8_lossy(&data);
                        tracing::debug!(%address, said = said.trim_end(), "the machine says");
                        finish.stderr.extend_from_slice(&data);
                        true
                    }
                    ChannelMsg::ExitStatus { exit_status } => {
                        finish.code = Some(exit_status);
                        true
                    }
                    _ => true,
                };
                if !listening {
                    break;
                }
            }
            // A command that ended takes no more input, and nobody would say so to whoever still gives.
            feeding.abort();
            drop(inward);
            let _ = tell.send(finish);
        });
        Ok(Pipe {
            reader: Box::pin(reader),
            writer: Box::pin(writer),
            end,
            address: self.door.address,
        })
    }
}

async fn feed(mut from: DuplexStream, to: impl tokio::io::AsyncWrite) {
    let mut to = std::pin::pin!(to);
    let mut buffer = vec![0; 256 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // The end of our input; the machine may have gone already.
    let _ = to.shutdown().await;
}

async fn dial(door: &Door) -> Result<TcpStream, DoorError> {
    let (address, port) = (door.address, door.port);
    match tokio::time::timeout(PATIENCE, TcpStream::connect((address, port))).await {
        Err(_) => Err(no_answer(door)),
        Ok(Err(source)) => Err(DoorError::Unreachable { address, port, source }),
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
}

async fn log_in(door: &Door, handle: &mut Handle<Guard>) -> Result<(), DoorError> {
    let hash = handle.best_supported_rsa_hash().await.map_err(|e| broken(door, &e))?.flatten();
    let Some(path) = &door.identity else {
        return log_in_by_agent(door, handle).await;
    };
    let key = load_secret_key(path, None).map_err(|source| DoorError::BadIdentity {
        path: path.display().to_string(),
        why: source.to_string(),
    })?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let answer =
        handle.authenticate_publickey(&door.user, key).await.map_err(|e| broken(door, &e))?;
    match answer.success() {
        true => Ok(()),
        false => Err(not_let_in(door, path.display().to_string())),
    }
}

async fn log_in_by_agent(door: &Door, handle: &mut Handle<Guard>) -> Result<(), DoorError> {
    let absent =
        |_| not_let_in(door, "no key: ssh.identity is not set and no agent runs".to_owned());
    let mut agent = AgentClient::connect_env().await.map_err(absent)?;
    let keys = agent.request_identities().await.map_err(|source| DoorError::Broken {
        address: door.address,
        why: format!("the agent does not list its keys: {source}"),
    })?;
    for key in &keys {
        let public = key.public_key().into_owned();
        let tried = handle.authenticate_publickey_with(&door.user, public, None, &mut agent).await;
        if tried.is_ok_and(|answer| answer.success()) {
            return Ok(());
        }
    }
    Err(not_let_in(door, format!("any of the agent's {} keys", keys.len())))
}

fn no_answer(door: &Door) -> DoorError {
    DoorError::NoAnswer { address: door.address, port: door.port, wait: PATIENCE }
}

fn not_let_in(door: &Door, key: String) -> DoorError {
    DoorError::NotLetIn { address: door.address, user: door.user.clone(), key }
}

fn broken(door: &Door, source: &russh::Error) -> DoorError {
    DoorError::Broken { address: door.address, why: source.to_string() }
}
