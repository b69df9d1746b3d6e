//! `ringfort kubeconfig --break-glass`: rights without bounds, for an hour and on the record. What is
//! issued is written down before it can be used.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use ringfort_model::certificate::Subject;
use ringfort_pki::ClientIdentity;

use super::Fault;
use super::session::operator_name;

/// Who breaks the glass, in audit logs.
pub const USER: &str = "ringfort:break-glass";
/// The kubeconfig, beside the operator's state.
pub const FILE: &str = "break-glass.conf";
/// Nobody can take the identity back, so it must end by itself.
pub const LIFE: Duration = Duration::from_secs(3_600);
/// The record of all that was issued, beside the operator's state.
const LOG: &str = "break-glass.log";
const VERSION: u32 = 1;

/// The identity, with rights that no role can take from it.
pub fn subject() -> Subject {
    Subject::member(USER, "system:masters")
}

/// One line of the record.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    version: u32,
    time: Timestamp,
    expires: Timestamp,
    operator: &'a str,
    reason: &'a str,
    serial: &'a str,
}

/// Writes down that an identity was made, and tells it.
///
/// # Errors
/// The record cannot be written: then nothing is to be issued.
pub fn record(directory: &Path, reason: &str, client: &ClientIdentity) -> Result<(), Fault> {
    let operator = operator_name();
    let entry = Entry {
        version: VERSION,
        time: Timestamp::now(),
        expires: Timestamp::from_second(client.not_after).map_err(Fault::unable)?,
        operator: &operator,
        reason,
        serial: &client.serial,
    };
    let path = directory.join(LOG);
    append(&path, &entry).map_err(|error| {
        Fault::unable(format!(
            "{} cannot be written, so nothing was issued: {error}",
            path.display()
        ))
    })?;
    anstream::eprintln!(
        "glass broken by {operator}: {reason}\n  certificate {}, good until {:.0}; on record in {}",
        client.serial,
        entry.expires,
        path.display()
    );
    Ok(())
}

fn append(path: &Path, entry: &Entry<'_>) -> std::io::Result<()> {
    let line = serde_json::to_string(entry)? + "\n";
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Takes the reason for breaking the glass: who reads the record must understand it.
///
/// # Errors
/// It says nothing.
pub fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match text.chars().any(char::is_control) || text.len() < 4 {
        true => Err("say in one line what for: it goes on the record"),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use ringfort_model::secret::Secret;

    use super::{ClientIdentity, LOG, reason, record};

    #[test]
    fn what_is_issued_is_appended_to_the_record() {
        let directory = tempfile::tempdir().unwrap();
        for serial in ["4a", "5b"] {
            let client = ClientIdentity {
                certificate_pem: "CERT".to_owned(),
                key_pem: Secret::new("KEY".to_owned()),
                serial: serial.to_owned(),
                not_after: 1_790_000_000,
            };
            record(directory.path(), "the webhook is stuck", &client).unwrap();
        }
        let path = directory.path().join(LOG);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["serial"], "4a");
        assert_eq!(lines[1]["reason"], "the webhook is stuck");
        assert_eq!(lines[1]["expires"], "2026-09-21T14:13:20Z");
        assert!(!text.contains("KEY"));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others can read the record");
    }

    #[test]
    fn a_reason_says_something_in_one_line() {
        assert_eq!(reason(" a webhook is stuck "), Ok("a webhook is stuck".to_owned()));
        assert!(reason("  ").is_err());
        assert!(reason("x").is_err());
        assert!(reason("one\ntwo").is_err());
    }
}
