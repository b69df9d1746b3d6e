//! What was accepted, by whom and why: a chain of signed records that only grows. Pure.

use ringfort_pki::{Ed25519Key, Ed25519Public};
use serde::{Deserialize, Serialize};

/// Somebody took responsibility for a change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The change, by its id.
    pub change: String,
    /// What is told in this way is accepted with it: the same drift in every container of the same image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    /// Who took it.
    pub owner: String,
    /// Why it is well.
    pub reason: String,
    /// When.
    pub at: String,
    /// The digest of the record before it; of the first, of nothing.
    pub before: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    record: String,
    signature: String,
}

/// Says what is wrong with a history.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// A line is none.
    #[error("line {line} of the history is not a record")]
    Shape {
        /// Its number.
        line: usize,
    },
    /// Somebody else wrote or changed a line.
    #[error("line {line} of the history was not signed by the key that is trusted here")]
    Unsigned {
        /// Its number.
        line: usize,
    },
    /// A line was removed, or put in.
    #[error("line {line} of the history does not follow the one before it")]
    Unchained {
        /// Its number.
        line: usize,
    },
}

/// Writes a record as the line that follows a history.
pub fn append(history: &str, mut record: Accepted, key: &Ed25519Key) -> Option<String> {
    record.before = tip(history);
    let record = serde_json::to_string(&record).ok()?;
    let signature = hex(&key.sign(record.as_bytes()));
    serde_json::to_string(&Line { record, signature }).ok().map(|line| line + "\n")
}

/// Reads a history, if all of it was signed and nothing of it is missing but perhaps its end.
///
/// # Errors
/// A line is not to be believed.
pub fn read(history: &str, public: &str) -> Result<Vec<Accepted>, Broken> {
    let key = Ed25519Public::read(public);
    let (mut before, mut all) = (digest(""), Vec::new());
    for (text, line) in history.lines().zip(1..) {
        let read: Line = serde_json::from_str(text).map_err(|_| Broken::Shape { line })?;
        let signature = unhex(&read.signature).ok_or(Broken::Shape { line })?;
        if !key.is_some_and(|key| key.has_signed(read.record.as_bytes(), &signature)) {
            return Err(Broken::Unsigned { line });
        }
        let record: Accepted =
            serde_json::from_str(&read.record).map_err(|_| Broken::Shape { line })?;
        if record.before != before {
            return Err(Broken::Unchained { line });
        }
        before = digest(text);
        all.push(record);
    }
    Ok(all)
}

fn tip(history: &str) -> String {
    digest(history.lines().last().unwrap_or_default())
}

fn digest(line: &str) -> String {
    blake3::hash(line.as_bytes()).to_hex().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_cannot_be_changed_in_its_middle() {
        let (key, other) = (Ed25519Key::make().unwrap(), Ed25519Key::make().unwrap());
        let record = |change: &str| Accepted {
            change: change.to_owned(),
            drift: (change == "b").then(|| "abc".to_owned()),
            owner: "ops".to_owned(),
            reason: "planned".to_owned(),
            at: "now".to_owned(),
            before: String::new(),
        };
        let mut history = String::new();
        for change in ["a", "b", "c"] {
            let line = append(&history, record(change), &key).unwrap();
            history.push_str(&line);
        }
        let public = key.public().pem();
        let read_all = |text: &str| read(text, &public);
        let drifts: Vec<_> = read_all(&history).unwrap().into_iter().map(|it| it.drift).collect();
        assert_eq!(drifts, [None, Some("abc".to_owned()), None]);
        assert_eq!(read_all("").unwrap(), []);
        let lines: Vec<&str> = history.lines().collect();
        let without = format!("{}\n{}\n", lines[0], lines[2]);
        assert_eq!(read_all(&without), Err(Broken::Unchained { line: 2 }));
        assert_eq!(read_all(lines[1]), Err(Broken::Unchained { line: 1 }));
        let changed = history.replacen("ops", "me", 1);
        assert_eq!(read_all(&changed), Err(Broken::Unsigned { line: 1 }));
        let forged = append(&history, record("d"), &other).unwrap();
        assert_eq!(read_all(&(history.clone() + &forged)), Err(Broken::Unsigned { line: 4 }));
        assert_eq!(read_all("{}"), Err(Broken::Shape { line: 1 }));
    }
}
