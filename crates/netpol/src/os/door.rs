//! What the enforcer is asked on its machine: by the network plugin, and by whoever wants to see.
//! One request and one answer a connection, a line of JSON each, on a socket that only root reaches.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use super::RUN;
use super::attached::Attachment;
use super::meddling::Meddling;
use super::refused::Refusal;

/// What is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Call {
    /// A pod has its addresses: answered when its rules are in force.
    Attach(Attachment),
    /// A sandbox is gone.
    Detach { container: String },
    /// Whether the enforcer serves.
    Status,
    /// What is in force.
    Show,
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Done,
    Failed(String),
    Shown(Box<Shown>),
}

/// What is in force on a node.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Shown {
    /// The node.
    pub node: String,
    /// Its pods.
    pub pods: Vec<ShownPod>,
    /// How many sets, chains and elements the kernel holds for them.
    pub sets: usize,
    /// Chains.
    pub chains: usize,
    /// Elements of all sets.
    pub elements: usize,
    /// What keeps the enforcer from hearing of changes, if anything.
    pub trouble: Vec<String>,
    /// Why a change may not have been heard of yet, if so: no new pod begins meanwhile.
    #[serde(default)]
    pub behind: Option<String>,
    /// Where the kernel's rules come from.
    #[serde(default)]
    pub in_force: InForce,
    /// Whether the kernel holds all of them, if that could be looked at.
    #[serde(default)]
    pub is_whole: Option<bool>,
    /// How many packets were dropped since the rules were made that no policy is asked about, by what they are.
    #[serde(default)]
    pub dropped: BTreeMap<String, u64>,
    /// How often somebody else changed the table since the machine was started.
    pub meddled: u64,
    /// The last times that it was, 100 at most.
    #[serde(default)]
    pub meddlings: Vec<Meddling>,
    /// How long pods waited for their rules, once one did.
    #[serde(default)]
    pub waited: Option<Waited>,
    /// Connections that were refused in the last two minutes, with how many packets each lost.
    pub refused: Vec<(Refusal, u64)>,
}

/// Where the rules that a kernel was given come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InForce {
    /// It is not known.
    #[default]
    Unknown,
    /// What is shown beside them.
    Shown,
    /// What was heard of before: a change since then could not be made yet.
    Older,
    /// A process before this one, since which the API was not heard.
    ProcessBefore,
    /// Nothing: the API was not heard yet, and all ways of all pods are closed.
    Closed,
}

/// How long pods waited for their rules: from the network plugin's question to its answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Waited {
    /// How many pods: the last ones to begin, 100 at most.
    pub pods: usize,
    /// Half of them waited no longer, in milliseconds.
    pub median_ms: u64,
    /// None of them waited longer, in milliseconds.
    pub most_ms: u64,
}

impl Waited {
    /// Sums up times in milliseconds.
    pub(super) fn of(times: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut times: Vec<u64> = times.into_iter().collect();
        times.sort_unstable();
        let most_ms = *times.last()?;
        Some(Self { pods: times.len(), median_ms: times[(times.len() - 1) / 2], most_ms })
    }
}

/// A pod of the node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ShownPod {
    /// Its namespace and name.
    pub pod: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// What goes out.
    pub egress: ShownWay,
    /// What comes in.
    pub ingress: ShownWay,
}

/// A way of a pod.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ShownWay {
    /// What rules of cluster-wide policies say before and behind NetworkPolicy, in order, a rule a line.
    #[serde(default)]
    pub rulings: Vec<String>,
    /// The policies that close it; without any it is open.
    pub closed_by: Vec<String>,
    /// What they let through all the same, a rule a line.
    pub allows: Vec<String>,
    /// Packets that were refused since the rules were made.
    pub refused_packets: u64,
    /// Those of them of which the kernel remembered the connection, by who refused it.
    #[serde(default)]
    pub refused_by: BTreeMap<String, u64>,
}

/// A call and where its answer goes.
pub(super) type Called = (Call, oneshot::Sender<Reply>);

/// A request is never longer.
const LINE_BYTES: u64 = 64 << 10;
/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(25);

fn socket() -> PathBuf {
    Path::new(RUN).join("door.sock")
}

/// Opens the door.
pub(super) fn listen() -> io::Result<tokio::net::UnixListener> {
    let path = socket();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    tokio::net::UnixListener::bind(path)
}

/// Answers everyone who comes.
pub(super) async fn serve(door: tokio::net::UnixListener, calls: mpsc::Sender<Called>) {
    loop {
        match door.accept().await {
            Ok((stream, _)) => {
                let calls = calls.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &calls).await {
                        tracing::debug!(%error, "a caller left");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "nobody could be let in");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn answer(stream: tokio::net::UnixStream, calls: &mpsc::Sender<Called>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    tokio::io::BufReader::new(read.take(LINE_BYTES)).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Err(error) => Reply::Failed(format!("not understood: {error}")),
        Ok(call) => {
            let (answer, answered) = oneshot::channel();
            let closing = || Reply::Failed("the enforcer is ending".to_owned());
            match calls.send((call, answer)).await {
                Ok(()) => answered.await.unwrap_or_else(|_| closing()),
                Err(_) => closing(),
            }
        }
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    write.write_all(&text).await
}

/// Asks the enforcer of this machine.
pub(super) fn call(call: &Call) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(call)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Asks the enforcer of this machine what is in force.
///
/// # Errors
/// It does not answer.
pub fn show() -> io::Result<Shown> {
    match call(&Call::Show)? {
        Reply::Shown(shown) => Ok(*shown),
        Reply::Failed(why) => Err(io::Error::other(why)),
        Reply::Done => Err(io::Error::other("the enforcer answered something else")),
    }
}
