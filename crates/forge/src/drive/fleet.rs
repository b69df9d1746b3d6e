//! All machines of a cluster, entered side by side, each with this very binary on it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::join_all;

use ringfort_host::{Door, DoorError, Host};
use ringfort_model::digest::Digest;
use ringfort_model::name::NodeName;

use super::link::{Link, LinkError};
use crate::bundle::hash;

/// Where a machine keeps the binary that the operator brings.
pub const BINARY: &str = "/var/lib/ringfort/bin/ringfort";

/// Says why a machine cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The machine could not be entered.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The conversation failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The binary could not be brought.
    #[error("{node}: this binary could not be put at {BINARY}: {why}")]
    Binary {
        /// Which machine.
        node: NodeName,
        /// What the machine said.
        why: String,
    },
    /// Commands do not run as root there.
    #[error(
        "{node}: commands do not run as root ({why}): set ssh.user to root, or ssh.sudo: true where sudo asks for no password"
    )]
    NotRoot {
        /// Which machine.
        node: NodeName,
        /// What the machine said.
        why: String,
    },
    /// A machine could not be cleared after a reset.
    #[error("{node}: the last traces could not be taken away: {why}")]
    NotCleared {
        /// Which machine.
        node: NodeName,
        /// What the machine said.
        why: String,
    },
    /// A machine of the cluster cannot be worked with as it is.
    #[error("{why}")]
    LeftOut {
        /// What to mend there first.
        why: String,
    },
    /// A machine that was given up answers.
    #[error("{node} answers, so it can be emptied as well: leave out --give-up {node}")]
    Answers {
        /// Which machine.
        node: NodeName,
    },
    /// This binary cannot be read.
    #[error("this binary cannot be read")]
    OwnBinary {
        /// What the system said.
        source: std::io::Error,
    },
}

/// This binary, as it is brought to machines.
#[derive(Clone)]
pub struct OwnBinary {
    /// Its digest.
    pub digest: Digest,
    /// Where it lies.
    pub path: PathBuf,
}

impl OwnBinary {
    /// Reads a binary through, and keeps its digest.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<Self, FleetError> {
        let hashed = File::open(path).and_then(|mut file| hash(&mut file));
        let (digest, _) = hashed.map_err(|source| FleetError::OwnBinary { source })?;
        Ok(Self { digest, path: path.to_owned() })
    }

    /// Gives its bytes, which are read where a machine lacks them: it checks the digest.
    fn bytes(&self) -> Result<Vec<u8>, FleetError> {
        std::fs::read(&self.path).map_err(|source| FleetError::OwnBinary { source })
    }
}

/// A machine that was entered and greeted.
#[derive(Clone)]
pub struct Member {
    /// The way in.
    pub host: Arc<Host>,
    /// The conversation.
    pub link: Link,
    /// The highest epoch the machine had seen before.
    pub epoch: u64,
    /// The operator who acted there when it was entered.
    pub busy: Option<String>,
}

/// Enters every machine side by side and greets it in an epoch; 0 looks without acting.
///
/// Gives what came of each: all problems at once, not the first.
pub async fn enter(
    doors: &BTreeMap<NodeName, Door>,
    own: &OwnBinary,
    epoch: u64,
    operator: &str,
) -> BTreeMap<NodeName, Result<Member, FleetError>> {
    let entered = doors.iter().map(|(node, door)| async move {
        (node.clone(), enter_one(node, door, own, epoch, operator).await)
    });
    join_all(entered).await.into_iter().collect()
}

async fn enter_one(
    node: &NodeName,
    door: &Door,
    own: &OwnBinary,
    epoch: u64,
    operator: &str,
) -> Result<Member, FleetError> {
    let host = Arc::new(Host::enter(door).await?);
    bring(node, &host, own).await?;
    let (link, epoch, busy) = greet(node, &host, epoch, operator).await?;
    tracing::info!(%node, address = %door.address, epoch, "entered");
    Ok(Member { host, link, epoch, busy })
}

/// Opens another conversation with a machine that was entered.
pub(crate) async fn greet(
    node: &NodeName,
    host: &Host,
    epoch: u64,
    operator: &str,
) -> Result<(Link, u64, Option<String>), FleetError> {
    // What the machine logs comes back beside the conversation, and stands in the operator's log.
    let log = if tracing::enabled!(tracing::Level::DEBUG) { "--log-level debug " } else { "" };
    let pipe = host.open(&format!("exec {BINARY} {log}node serve")).await?;
    Ok(Link::greet(node.clone(), pipe, epoch, operator).await?)
}

async fn bring(node: &NodeName, host: &Host, own: &OwnBinary) -> Result<(), FleetError> {
    let there = host.run(&format!("sha256sum {BINARY}"), &[]).await?;
    if there.stdout.starts_with(own.digest.as_str().as_bytes()) {
        return Ok(());
    }
    let put = format!(
        "umask 077 && mkdir -p /var/lib/ringfort/bin && cat >{BINARY}.new && chmod 0755 {BINARY}.new \
         && sync {BINARY}.new && mv {BINARY}.new {BINARY} && sha256sum {BINARY}"
    );
    let done = host.run(&put, &own.bytes()?).await?;
    if done.ok() && done.stdout.starts_with(own.digest.as_str().as_bytes()) {
        return Ok(());
    }
    let (node, why) = (node.clone(), done.complaint());
    let who = host.run("id -u", &[]).await?;
    match who.stdout.trim_ascii() {
        b"0" => Err(FleetError::Binary { node, why }),
        _ => Err(FleetError::NotRoot { node, why }),
    }
}
