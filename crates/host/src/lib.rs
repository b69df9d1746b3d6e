//! The door to a machine: run a command there and talk with it.
//!
//! Performs, never decides. Three ways in: SSH spoken by this binary, SSH spoken by the system's
//! `ssh` (for jump hosts, hardware keys and whatever `ssh_config` says), and the machine itself.
//! Never here: accepting a host key that was not pinned or known.

mod known;
mod local;
mod openssh;
mod pipe;
mod ssh;
mod tunnel;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use crate::known::HostKeys;
pub use crate::pipe::{Ending, Output, Pipe, Reader, Writer};
pub use crate::tunnel::Tunnel;

/// How to get into a machine.
#[derive(Clone, Debug)]
pub struct Door {
    /// The machine's address.
    pub address: IpAddr,
    /// The SSH port.
    pub port: u16,
    /// The user there.
    pub user: String,
    /// The private key to show; without one, the agent's keys.
    pub identity: Option<PathBuf>,
    /// The host keys that are accepted.
    pub host_keys: HostKeys,
    /// Whether commands go through `sudo -n`.
    pub sudo: Sudo,
    /// Who speaks SSH.
    pub transport: Transport,
}

/// Whether commands go through `sudo`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sudo {
    /// The user is root.
    No,
    /// The user may become root without a password.
    Yes,
}

/// Who speaks SSH.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// This binary.
    Builtin,
    /// The system's `ssh`.
    OpenSsh,
}

/// Says why a machine could not be entered, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Nobody answers.
    #[error("{address} port {port} does not answer within {} s: is the machine on, and is the address right", .wait.as_secs())]
    NoAnswer {
        /// Where.
        address: IpAddr,
        /// On which port.
        port: u16,
        /// How long was waited.
        wait: Duration,
    },
    /// Nobody listens.
    #[error("{address} port {port} refuses the connection: is sshd running there")]
    Refused {
        /// Where.
        address: IpAddr,
        /// On which port.
        port: u16,
    },
    /// There is no way there.
    #[error(
        "{address} port {port} cannot be reached ({why}): is the machine on, is the address right, and is there a way to its network from here"
    )]
    NoWay {
        /// Where.
        address: IpAddr,
        /// On which port.
        port: u16,
        /// What the system said.
        why: String,
    },
    /// The host key is unknown.
    #[error(
        "{address} shows the host key {fingerprint}, which is not known here: compare it with the machine's console, then pin it under ssh.hostKeys or add it with ssh-keyscan to {file}"
    )]
    UnknownHostKey {
        /// Where.
        address: IpAddr,
        /// The key's fingerprint.
        fingerprint: String,
        /// Where a known key would stand.
        file: String,
    },
    /// The host key is another one.
    #[error(
        "{address} shows the host key {fingerprint}, but {file} holds another one: the machine was reinstalled, or somebody stands between; nothing was sent"
    )]
    WrongHostKey {
        /// Where.
        address: IpAddr,
        /// The key's fingerprint.
        fingerprint: String,
        /// Where the other key stands.
        file: String,
    },
    /// The key was not accepted.
    #[error(
        "{address} does not let {user:?} in with {key}: check ssh.user, ssh.identity and the machine's authorized_keys"
    )]
    NotLetIn {
        /// Where.
        address: IpAddr,
        /// The user.
        user: String,
        /// Which key was shown.
        key: String,
    },
    /// The private key cannot be used.
    #[error("the private key {path} cannot be used: {why}")]
    BadIdentity {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
    /// Something else went wrong on the way.
    #[error("talking with {address} failed: {why}")]
    Broken {
        /// Where.
        address: IpAddr,
        /// What went wrong.
        why: String,
    },
    /// A program of this machine could not be started.
    #[error("{program} could not be started here")]
    NoProgram {
        /// Which.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DoorError {
    /// Says whether nobody answered at all: then nothing is known to be wrong there but that.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::Refused { .. } | Self::NoWay { .. })
    }
}

/// A machine that was entered.
pub struct Host {
    inner: Inner,
    sudo: Sudo,
}

enum Inner {
    Ssh(ssh::Session),
    OpenSsh(openssh::Session),
    Local,
}

impl Host {
    /// Enters a machine.
    ///
    /// # Errors
    /// Each says whose fault it is and the way out; nothing was run on the machine.
    pub async fn enter(door: &Door) -> Result<Self, DoorError> {
        let inner = match door.transport {
            Transport::Builtin => Inner::Ssh(ssh::Session::open(door).await?),
            Transport::OpenSsh => Inner::OpenSsh(openssh::Session::open(door).await?),
        };
        Ok(Self { inner, sudo: door.sudo })
    }

    /// Stays on this machine.
    pub fn local() -> Self {
        Self { inner: Inner::Local, sudo: Sudo::No }
    }

    /// Starts a shell command as root and gives its input and output.
    ///
    /// # Errors
    /// The channel could not be opened.
    pub async fn open(&self, command: &str) -> Result<Pipe, DoorError> {
        let command = match self.sudo {
            Sudo::No => command.to_owned(),
            Sudo::Yes => format!("sudo -n -- sh -c {}", quote(command)),
        };
        match &self.inner {
            Inner::Ssh(session) => session.exec(&command).await,
            Inner::OpenSsh(session) => session.exec(&command),
            Inner::Local => local::exec(&command),
        }
    }

    /// Runs a shell command as root to its end.
    ///
    /// # Errors
    /// The channel broke. A command that fails is no error here: see [`Output::code`].
    pub async fn run(&self, command: &str, input: &[u8]) -> Result<Output, DoorError> {
        self.open(command).await?.finish(input).await
    }
}

/// Quotes a text for a POSIX shell.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{Host, quote};

    #[test]
    fn quoting_survives_a_shell() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("a b", "'a b'");
        check("it's", r"'it'\''s'");
        check("$(reboot)", "'$(reboot)'");
    }

    #[tokio::test]
    async fn a_command_gets_its_input_and_tells_its_end() {
        let output = Host::local().run("cat; echo no >&2; exit 3", b"hello").await.unwrap();
        assert_eq!(output.stdout, b"hello");
        assert_eq!(output.stderr, b"no\n");
        assert_eq!(output.code, Some(3));
    }
}
