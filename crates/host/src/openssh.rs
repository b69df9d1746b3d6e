//! SSH spoken by the system's `ssh`: one master connection, a session for each command.

use std::process::Stdio;
use std::time::Duration;

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
        let probe = session.command("true").stdin(Stdio::null()).kill_on_drop(true).output();
        let probe = tokio::time::timeout(PROBE_LIMIT, probe)
            .await
            .map_err(|_| no_answer(door, PROBE_LIMIT))?
            .map_err(|source| DoorError::NoProgram { program: "ssh".to_owned(), source })?;
        match probe.status.success() {
            true => Ok(session),
            false => {
                let said = String::from_utf8_lossy(&probe.stderr);
                Err(failure(door, probe.status.code(), &said))
            }
        }
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
        ssh.arg("-o").arg(format!("ConnectTimeout={}", CONNECT_LIMIT.as_secs()));
        ssh.args(["-p", &door.port.to_string(), "-l", &door.user]);
        if let Some(identity) = &door.identity {
            // Whatever else an agent holds would be shown before it, until the server has seen enough.
            ssh.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(identity);
        }
        if let HostKeys::Pinned(_) = &door.host_keys {
            // What the specification pins goes before what this system knows otherwise.
            ssh.args(["-o", "GlobalKnownHostsFile=/dev/null"]);
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

/// How long `ssh` waits for a machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take to be let in, by way of other machines and with keys that a person touches.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// The code by which `ssh` tells a fault of its own, and not how the command ended.
const OWN_FAULT: i32 = 255;

/// What is said where nobody answers. A machine that is known to be silent is no reason to leave the others.
const TIMED_OUT: &str = "timed out";
const REFUSED: &str = "Connection refused";
const NO_WAY: [&str; 3] = ["No route to host", "Network is unreachable", "Host is down"];

/// Says what it means that `ssh` failed.
fn failure(door: &Door, code: Option<i32>, said: &str) -> DoorError {
    let (address, port) = (door.address, door.port);
    let says = |words: &str| said.contains(words);
    // What a server says before it lets anybody in may hold any words.
    let has_answered = says("Permission denied") || says("verification failed");
    if code == Some(OWN_FAULT) && !has_answered {
        if says(TIMED_OUT) {
            return no_answer(door, CONNECT_LIMIT);
        }
        if says(REFUSED) {
            return DoorError::Refused { address, port };
        }
        if let Some(why) = NO_WAY.into_iter().find(|words| says(words)) {
            return DoorError::NoWay { address, port, why: why.to_owned() };
        }
    }
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    DoorError::Broken { address, why: last.unwrap_or("ssh gave no message").to_owned() }
}

fn no_answer(door: &Door, wait: Duration) -> DoorError {
    DoorError::NoAnswer { address: door.address, port: door.port, wait }
}

fn pattern(door: &Door) -> String {
    match door.port {
        22 => door.address.to_string(),
        port => format!("[{}]:{port}", door.address),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::PathBuf;

    use super::{Session, failure};
    use crate::{Door, DoorError, HostKeys, Sudo, Transport};

    fn door(host_keys: HostKeys, identity: Option<&str>) -> Door {
        Door {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 22,
            user: "root".to_owned(),
            identity: identity.map(PathBuf::from),
            host_keys,
            sudo: Sudo::No,
            transport: Transport::OpenSsh,
        }
    }

    #[test]
    fn silence_is_known_from_what_is_wrong() {
        let check = |code, said: &str, is_silence: bool, expected: &str| {
            let found = failure(&door(HostKeys::Pinned(Vec::new()), None), code, said);
            assert_eq!(found.is_silence(), is_silence, "{said}: {found:?}");
            assert!(found.to_string().contains(expected), "{said}: {found}");
        };
        let at = "ssh: connect to host 10.0.0.1 port 22: ";
        check(Some(255), &format!("{at}Connection timed out\r\n"), true, "within 10 s");
        check(Some(255), "Connection timed out during banner exchange\n", true, "within 10 s");
        check(Some(255), &format!("{at}Connection refused\n"), true, "refuses the connection");
        check(Some(255), &format!("{at}No route to host\n"), true, "(No route to host)");
        check(Some(255), &format!("{at}Network is unreachable\n"), true, "cannot be reached");
        let by_jump = "channel 0: open failed: connect failed: Connection refused\n\
                       stdio forwarding failed\nConnection closed by UNKNOWN port 65535\n";
        check(Some(255), by_jump, true, "refuses the connection");
        check(Some(255), "root@10.0.0.1: Permission denied (publickey).\n", false, "Permission");
        let banner =
            "Idle sessions are timed out.\nroot@10.0.0.1: Permission denied (publickey).\n";
        check(Some(255), banner, false, "Permission");
        check(Some(255), "Host key verification failed.\r\n\n", false, "verification failed");
        check(Some(255), "", false, "ssh gave no message");
        // What a machine itself says is no silence.
        check(Some(1), "curl: (7) Connection refused\n", false, "curl");
        check(None, "timed out", false, "timed out");
    }

    #[test]
    fn what_is_pinned_goes_before_what_the_system_knows() {
        let words = |door: Door| -> Vec<String> {
            let session = Session { door, directory: tempfile::tempdir().unwrap() };
            let command = session.command("true");
            let words = command.as_std().get_args();
            words.map(|word| word.to_string_lossy().into_owned()).collect()
        };
        let has = |words: &[String], word: &str| words.iter().any(|it| it == word);
        let pinned = words(door(HostKeys::Pinned(Vec::new()), Some("/id")));
        assert!(has(&pinned, "GlobalKnownHostsFile=/dev/null"), "{pinned:?}");
        assert!(has(&pinned, "IdentitiesOnly=yes"), "{pinned:?}");
        let plain = words(door(HostKeys::File(PathBuf::from("/known_hosts")), None));
        assert!(!has(&plain, "GlobalKnownHostsFile=/dev/null"), "{plain:?}");
        assert!(!has(&plain, "IdentitiesOnly=yes"), "{plain:?}");
        assert!(has(&plain, "UserKnownHostsFile=/known_hosts"), "{plain:?}");
    }

    #[test]
    fn a_wrong_key_is_no_silence() {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (fingerprint, file) = (String::new(), String::new());
        assert!(!DoorError::WrongHostKey { address, fingerprint, file }.is_silence());
    }
}
