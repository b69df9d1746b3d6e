//! What was found on machines beside what their servers log, as it is delivered and kept.

use ringfort_audit::finding::{Finding, OF_LOGS};
use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Something that an agent found, or a witness that counts what an API server logs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reported<'r> {
    /// Names it, so that what comes twice is known.
    pub id: String,
    /// What is told of it. Where it comes from is what the certificate says, not this.
    pub finding: Finding,
    /// What was written by whoever found it.
    #[serde(borrow)]
    pub line: &'r RawValue,
}

/// What stands before the name of the machine whose agent delivered something.
pub const AGENTS: &str = "agent/";
/// What stands before the name of the machine whose witness counted something.
pub const WITNESSES: &str = "witness/";
/// That a proof changed a file of its own: kept, to show that what is found arrives, and told to nobody.
pub const OF_A_PROOF: &str = "integrity/canary";

/// Everything that is found beside what servers log, by its name, and told: of audit logs themselves, and of machines'
/// files.
pub const REPORTED: [&str; 13] = [
    "audit/bodies-missing",
    "audit/events-lost",
    "audit/judged-alone",
    "audit/not-judged",
    "audit/nothing-comes",
    "audit/usual-forgotten",
    "integrity/agent-returned",
    "integrity/agent-silent",
    "integrity/baseline-refused",
    "integrity/blind",
    "integrity/lost",
    "integrity/settled",
    "integrity/unexplained-change",
];

/// Finds something of a machine's audit log itself, at a time in microseconds of the Unix epoch.
pub fn of_log(machine: &str, name: &str, now: i64, said: String) -> Finding {
    let time = jiff::Timestamp::from_microsecond(now).ok();
    Finding {
        verb: "log".to_owned(),
        object: format!("audit-log {machine}"),
        said,
        ..Finding::on_machine(machine, format!("{OF_LOGS}{name}"), Severity::High, time)
    }
}

impl<'r> Reported<'r> {
    /// Reads one; nothing comes of a line that is none.
    pub fn read(line: &'r [u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(line).ok()?;
        read.finding.is_reported().then_some(read)
    }
}
