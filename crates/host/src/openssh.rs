//! SSH spoken by the system's `ssh`: one master connection, a session for each command.

use std::process::Stdio;

use tokio::process::Command;

use crate::known::HostKeys;
use crate::local;
use crate::pipe::Pipe;
use crate::{Door, DoorError};

/// A machine behind the system's `ssh`.
pub(crate) struct Session {
    door: Door,
    /// Removed, with its files, when the session ends.
    directory: tempfile::TempDir,
}

impl Session {
    pub(crate) async fn open(door: &Door) -> Result<Self, DoorError> {
        let broken = |why: String| DoorError::Broken { address: door.address, why };
        let directory = tempfile::tempdir().map_err(|source| broken(source.to_string()))?;
        if let HostKeys::Pinned(keys) = &door.host_keys {
            let lines: String =
                keys.iter().map(|key| format!("{} {key}\n", pattern(door))).collect();
            tokio::fs::write(directory.path().join("known_hosts"), lines)
                .await
                .map_err(|source| broken(source.to_string()))?;
        }
        let session = Self { door: door.clone(), directory };
        let probe = session
            .command("true")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|source| DoorError::NoProgram { program: "ssh".to_owned(), source })?;
        if probe.status.success() {
            return Ok(session);
        }
        let text = String::from_utf8_lossy(&probe.stderr);
        Err(broken(text.lines().last().unwrap_or("ssh gave no message").to_owned()))
    }

    pub(crate) fn exec(&self, command: &str) -> Result<Pipe, DoorError> {
        local::spawn(self.command(command), self.door.address)
    }

    fn command(&self, command: &str) -> Command {
        let door = &self.door;
        let control = self.directory.path().join("control");
        let mut ssh = Command::new("ssh");
        ssh.args(["-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        ssh.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o"]);
        ssh.arg(format!("ControlPath={}", control.display()));
        ssh.args(["-o", "ConnectTimeout=10", "-p", &door.port.to_string(), "-l", &door.user]);
        if let Some(identity) = &door.identity {
            ssh.arg("-i").arg(identity);
        }
        let known = match &door.host_keys {
            HostKeys::Pinned(_) => Some(self.directory.path().join("known_hosts")),
            HostKeys::File(path) => Some(path.clone()),
        };
        if let Some(known) = known {
            ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        }
        ssh.arg(door.address.to_string()).arg("--").arg(command);
        ssh
    }
}

fn pattern(door: &Door) -> String {
    match door.port {
        22 => door.address.to_string(),
        port => format!("[{}]:{port}", door.address),
    }
}
