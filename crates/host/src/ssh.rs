//! SSH spoken by this binary.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::client::{self, Handle, Msg};
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::{HashAlg, PublicKey};
use russh::keys::{
    Error, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key,
};
use russh::{AlgorithmKind, Channel, ChannelMsg, Preferred, cipher};
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

/// How what is said is sealed, the fastest first where this machine's processor knows AES, as those of servers do: all
/// that a member of etcd stores, and bundles, go through it. Without it ChaCha20 is, which russh has first.
const AES_FIRST: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Says whether this machine's processor has instructions for AES.
#[cfg(target_arch = "x86_64")]
fn knows_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

/// Says whether this machine's processor has instructions for AES.
#[cfg(target_arch = "aarch64")]
fn knows_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

/// Of others nothing is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn knows_aes() -> bool {
    false
}

/// Gives the ways of sealing in the order in which they are preferred.
fn ciphers() -> Cow<'static, [cipher::Name]> {
    if knows_aes() { AES_FIRST.into() } else { Preferred::default().cipher }
}

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
            preferred: Preferred {
                key: known::algorithms(door).into(),
                cipher: ciphers(),
                ..Preferred::default()
            },
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
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            Err(DoorError::Refused { address, port })
        }
        Ok(Err(error)) => Err(DoorError::NoWay { address, port, why: error.to_string() }),
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
}

async fn log_in(door: &Door, handle: &mut Handle<Guard>) -> Result<(), DoorError> {
    let hash = handle.best_supported_rsa_hash().await.map_err(|e| broken(door, &e))?.flatten();
    let Some(path) = &door.identity else {
        return log_in_by_agent(door, handle, hash).await;
    };
    let key = private_key(path)?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let answer =
        handle.authenticate_publickey(&door.user, key).await.map_err(|e| broken(door, &e))?;
    match answer.success() {
        true => Ok(()),
        false => Err(not_let_in(door, path.display().to_string())),
    }
}

/// Reads the private key. One of RSA is only used by an agent: this program has no RSA of its own.
fn private_key(path: &Path) -> Result<PrivateKey, DoorError> {
    let bad = |why: String| DoorError::BadIdentity { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let agent =
        format!("give it to an agent (ssh-add {}) and leave ssh.identity out", path.display());
    let rsa = || {
        bad(format!(
            "it is one of RSA: take one of Ed25519 (ssh-keygen -t ed25519), {agent}, or set ssh.transport: openssh"
        ))
    };
    if text.trim_start().starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        return Err(rsa());
    }
    match decode_secret_key(&text, None) {
        Ok(key) if key.algorithm().is_rsa() => Err(rsa()),
        Ok(key) => Ok(key),
        Err(Error::KeyIsEncrypted) => Err(bad(format!("it has a passphrase: {agent}"))),
        Err(error) => Err(bad(error.to_string())),
    }
}

async fn log_in_by_agent(
    door: &Door,
    handle: &mut Handle<Guard>,
    rsa: Option<HashAlg>,
) -> Result<(), DoorError> {
    let absent =
        |_| not_let_in(door, "no key: ssh.identity is not set and no agent runs".to_owned());
    let mut agent = AgentClient::connect_env().await.map_err(absent)?;
    let keys = agent.request_identities().await.map_err(|source| DoorError::Broken {
        address: door.address,
        why: format!("the agent does not list its keys: {source}"),
    })?;
    for key in &keys {
        let public = key.public_key().into_owned();
        // Without a hash, an agent signs by SHA-1, which no server takes any more.
        let hash = public.algorithm().is_rsa().then(|| rsa.unwrap_or(HashAlg::Sha512));
        let tried = handle.authenticate_publickey_with(&door.user, public, hash, &mut agent).await;
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
    let why = match source {
        russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. } => {
            "it shows no host key of Ed25519 or ECDSA: make one there (ssh-keygen -A), or set ssh.transport: openssh".to_owned()
        }
        other => other.to_string(),
    };
    DoorError::Broken { address: door.address, why }
}

#[cfg(test)]
mod tests {
    use super::{AES_FIRST, Preferred, ciphers, knows_aes, private_key};

    // Bodies of keys that were made for this test and open nothing; russh makes none of RSA, and seals none.
    const ED25519: &str = "\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCnVUlC1TYhViHPbeKFAv8wYKf2JxfR7vBD3PWJosA/0gAAAIj8lw7j/JcO
4wAAAAtzc2gtZWQyNTUxOQAAACCnVUlC1TYhViHPbeKFAv8wYKf2JxfR7vBD3PWJosA/0g
AAAEBxD82ywn/H2WIVqTfTpeYML/6SgFTdKxjQaTxYNHJsQKdVSULVNiFWIc9t4oUC/zBg
p/YnF9Hu8EPc9YmiwD/SAAAABHRlc3QB
";
    const ENCRYPTED: &str = "\
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABAoDm+Ek9
mhdKrsDT1o6f9SAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIL9YWIDDuFNVN4/z
V5aDx77c2gav3G/ltdMCvANrbSlOAAAAkB1tjF7RQOSQ8K14JFRng9FqlofvVVgwp8EDHK
zoOtEW+gsIsOr+YXvS8sXTgnvLy1bbg2+uNi9tQEZqVlUZygsSs4UQDSDneZoacPXdbYLg
C0Uqm7USN2ehrNKsqERfJ+T2zRuho0TnqxSJTO/pod1CSJSSyvGBrWa0XParuHrt8VteMA
K4XvXApQT7Rhr6kg==
";
    const RSA: &str = "\
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAlwAAAAdzc2gtcn
NhAAAAAwEAAQAAAIEA0R3ujonJpL1THQX1DoPGX2x/89H9+wd79+k1oPpPMgv2Z2aB+nRE
e9ekKpxodHj5Vjxmy+SH+rxLSoXi2McAoRFHIbhjl+LtBwqFj+I5et0M/pschtZsAeFoiZ
4harvxeKPYJ4aydurEqrHfo4KO6Oenpg63rnkPDgyYNzi4enkAAAIADWLVmQ1i1ZkAAAAH
c3NoLXJzYQAAAIEA0R3ujonJpL1THQX1DoPGX2x/89H9+wd79+k1oPpPMgv2Z2aB+nREe9
ekKpxodHj5Vjxmy+SH+rxLSoXi2McAoRFHIbhjl+LtBwqFj+I5et0M/pschtZsAeFoiZ4h
arvxeKPYJ4aydurEqrHfo4KO6Oenpg63rnkPDgyYNzi4enkAAAADAQABAAAAgFDCfITz1b
oXm+eTi2aFobDsmCWzraCq7Ud6+0kmIjuzvv+D6SKukFw7lZ0XNof0yGZzgUexBIri+TjY
qBkMEcNv0Bn8vnbmK4TldGvVXwDzeNXZCqEjGjEHHiOrajLWuz/Cu1DsF4kgQuNzc1ikI0
yeFlAYbmg6rfoSZnm7D+zhAAAAQQC8SOArKrA+F7l0lrh6KIRg5nBT1I7sgFQeagaXZ3aI
YqK4QMzVxRTX4q/dPujyFiLM9hGtPTiXAI3WbOj04ZnnAAAAQQDnzpwUakuz1O5l6fot/D
KPCXHavO11Thn41kYkguN2cVGm9OcUDja/hrVVpfVPOYAGU2TEkDm4lMbVW9g6GRO1AAAA
QQDm8Rb/qwOtHhfyAuwqY7HBKQ/BuVV5CNNnMa596L8ikF8AqN+3zOtPRR9aQUkkD6wRQ0
fq1EmNNwI11aA31Y41AAAABHRlc3QBAgMEBQY=
";

    /// A key as a file.
    fn file(kind: &str, body: &str) -> String {
        format!("-----BEGIN {kind} PRIVATE KEY-----\n{body}-----END {kind} PRIVATE KEY-----\n")
    }

    fn check(text: &str, expected: &[&str]) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("id");
        std::fs::write(&path, text).unwrap();
        let said = private_key(&path).map(drop).map_err(|error| error.to_string());
        match said {
            Ok(()) => assert!(expected.is_empty(), "{expected:?}"),
            Err(said) => {
                assert!(!expected.is_empty(), "{said}");
                expected.iter().for_each(|word| assert!(said.contains(word), "{said}"));
            }
        }
    }

    #[test]
    fn the_same_ways_of_sealing_are_offered_with_and_without_aes() {
        let names = |all: &[super::cipher::Name]| {
            all.iter().map(|name| name.as_ref().to_owned()).collect::<Vec<String>>()
        };
        let (mut ours, mut all) = (names(AES_FIRST), names(&Preferred::default().cipher));
        let first = if knows_aes() { &ours[0] } else { &all[0] };
        assert_eq!(*first, names(&ciphers())[0]);
        assert!(ours[0].contains("aes256-gcm") && all[0].contains("chacha20"), "{ours:?} {all:?}");
        ours.sort();
        all.sort();
        assert_eq!(ours, all);
    }

    #[test]
    fn a_key_that_cannot_be_used_names_the_way_out() {
        check(&file("OPENSSH", ED25519), &[]);
        let sealed = file("OPENSSH", ENCRYPTED);
        check(&sealed, &["it has a passphrase", "ssh-add /", "leave ssh.identity out"]);
        let rsa = file("OPENSSH", RSA);
        check(&rsa, &["it is one of RSA", "ssh-keygen -t ed25519", "ssh.transport: openssh"]);
        check(&file("RSA", "MIIE\n"), &["it is one of RSA"]);
        check("nothing", &["cannot be used: "]);
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_at_is_no_missing_way() {
        use std::net::{IpAddr, Ipv4Addr};

        use super::dial;
        use crate::{Door, DoorError, HostKeys, Sudo, Transport};

        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let door = |address: IpAddr| Door {
            address,
            port,
            user: "root".to_owned(),
            identity: None,
            host_keys: HostKeys::Pinned(Vec::new()),
            sudo: Sudo::No,
            transport: Transport::Builtin,
        };
        let refused = dial(&door(Ipv4Addr::LOCALHOST.into())).await.unwrap_err();
        assert!(matches!(refused, DoorError::Refused { .. }), "{refused}");
        // Class E is reserved: no system has a way there.
        let lost = dial(&door(Ipv4Addr::BROADCAST.into())).await.unwrap_err();
        assert!(matches!(lost, DoorError::NoWay { .. }), "{lost}");
        assert!(refused.is_silence() && lost.is_silence());
    }
}
