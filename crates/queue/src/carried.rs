//! An entry on its way: what its store says of it, as JSON, packed.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringfort_audit::lines::MOST_BYTES as MOST_LINE;
use ringfort_store::format::checkpoint::hex;
use ringfort_store::format::entry::{Entry, Kind};
use ringfort_store::format::reported::Reported;
use ringfort_store::os::Received;
use serde::{Deserialize, Serialize};

/// An entry on its way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Carried {
    /// Of this form.
    version: u32,
    /// Names it, so that what comes twice is known: what its store knows it by, in hexadecimal.
    id: String,
    /// Whose it is, as its store says.
    source: String,
    /// What it is.
    kind: Kind,
    /// The line. What of it is no UTF-8 is replaced: the store that it is from has it as it came.
    text: String,
}

const VERSION: u32 = 1;
/// The longest that one is when it is unpacked: longer ones no store could keep.
const MOST_BYTES: usize = 32 << 20;
/// The longest that a source is.
const MOST_SOURCE: usize = 300;
const LEVEL: i32 = 3;

impl Carried {
    /// Makes one of an entry that is kept.
    pub fn of(entry: &Entry<'_>) -> Self {
        let id = hex(&entry.key());
        let text = String::from_utf8_lossy(entry.text).into_owned();
        Self { version: VERSION, id, source: entry.source.to_owned(), kind: entry.kind, text }
    }

    /// What it is known by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Packs it. One that is longer than this even so, or too long when it is unpacked, is replaced by words that say so.
    pub(crate) fn packed(&self, most: usize) -> (Vec<u8>, bool) {
        let (bytes, length) = pack(self);
        if bytes.len() <= most && length <= MOST_BYTES {
            return (bytes, false);
        }
        let said = serde_json::json!({ "notCarried": self.id, "bytes": self.text.len() });
        let instead = Self { kind: Kind::Unreadable, text: said.to_string(), ..self.clone() };
        (pack(&instead).0, true)
    }

    /// Gives what a collector keeps of it. From which machine it comes says the subject that the server let it through
    /// on, whatever stands in it: what is not that machine's own log is named after both, and so is whoever found
    /// something.
    fn received(self, machine: &str) -> Received {
        let is_plain = self.source.len() <= MOST_SOURCE && !self.source.contains(char::is_control);
        let source = match (self.source == machine, is_plain) {
            (true, _) => self.source,
            (false, true) => format!("{machine}/{}", self.source),
            (false, false) => machine.to_owned(),
        };
        let kind = if is_plain { self.kind } else { Kind::Unreadable };
        if self.text.len() > MOST_LINE {
            let text = self.text.chars().take(1024).collect();
            return Received { source, kind: Kind::Unreadable, text };
        }
        let found = match kind {
            Kind::Finding => Reported::read(self.text.as_bytes()).and_then(|mut reported| {
                reported.finding = reported.finding.by(&source);
                serde_json::to_string(&reported).ok()
            }),
            _ => None,
        };
        Received { source, kind, text: found.unwrap_or(self.text) }
    }
}

fn pack(carried: &Carried) -> (Vec<u8>, usize) {
    let bytes = serde_json::to_vec(carried).expect("an entry is plain data");
    let packed =
        zstd::bulk::compress(&bytes, LEVEL).expect("memory takes whatever is packed into it");
    (packed, bytes.len())
}

/// Unpacks what is no longer than it may be.
fn unpacked(payload: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = zstd::stream::read::Decoder::new(payload).ok()?;
    reader.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= MOST_BYTES).then_some(bytes)
}

/// Gives what is kept of a message: what it carries, or else its words, which a newer sender may have written; of what
/// cannot be unpacked, its bytes in base64.
pub(crate) fn received(machine: &str, payload: &[u8]) -> Received {
    let of = |text: String| Received { source: machine.to_owned(), kind: Kind::Unreadable, text };
    let Some(bytes) = unpacked(payload) else { return of(STANDARD.encode(payload)) };
    match serde_json::from_slice::<Carried>(&bytes) {
        Ok(carried) if carried.version == VERSION => carried.received(machine),
        _ if bytes.len() <= MOST_LINE => of(String::from_utf8_lossy(&bytes).into_owned()),
        _ => of(STANDARD.encode(payload)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Entry<'_> =
        Entry { source: "cp1", time: 5, kind: Kind::Event, text: b"{\"auditID\":\"a\"}" };

    #[test]
    fn an_entry_arrives_as_it_was_kept() {
        let (packed, is_replaced) = Carried::of(&EVENT).packed(1 << 20);
        assert!(!is_replaced);
        let Received { source, kind, text } = received("cp1", &packed);
        assert_eq!((source.as_str(), kind, text.as_bytes()), ("cp1", Kind::Event, EVENT.text));
    }

    #[test]
    fn nobody_speaks_for_another_machine() {
        let (packed, _) = Carried::of(&EVENT).packed(1 << 20);
        assert_eq!(received("cp2", &packed).source, "cp2/cp1");
        let line = r#"{"id":"a","finding":{"detection":"integrity/unexplained-change","severity":"high","time":"T","user":"eve","source":"cp1","verb":"change","object":"files /etc/passwd","said":"\u001b[2Jwell"},"line":{}}"#;
        assert!(Reported::read(line.as_bytes()).is_some(), "{line}");
        let agent =
            Entry { source: "agent/w1", kind: Kind::Finding, text: line.as_bytes(), ..EVENT };
        let (packed, _) = Carried::of(&agent).packed(1 << 20);
        let came = received("cp2", &packed);
        assert_eq!((came.source.as_str(), came.kind), ("cp2/agent/w1", Kind::Finding));
        let finding = Reported::read(came.text.as_bytes()).unwrap().finding;
        assert_eq!(
            (finding.source.as_str(), finding.said.as_str()),
            ("cp2/agent/w1", r"\u{1b}[2Jwell")
        );
        for source in ["a\u{1b}b".to_owned(), "a".repeat(MOST_SOURCE + 1)] {
            let (packed, _) = Carried::of(&Entry { source: &source, ..EVENT }).packed(1 << 20);
            let came = received("cp2", &packed);
            assert_eq!((came.source.as_str(), came.kind), ("cp2", Kind::Unreadable));
        }
    }

    #[test]
    fn what_is_too_long_is_named_and_what_is_not_understood_is_kept() {
        let letters: Vec<u8> = (0..9000_u32).flat_map(|it| (it * it).to_le_bytes()).collect();
        let long = Entry { text: &letters, ..EVENT };
        let (packed, is_replaced) = Carried::of(&long).packed(600);
        assert!(is_replaced);
        let came = received("cp1", &packed);
        assert_eq!(came.kind, Kind::Unreadable);
        assert!(came.text.contains(&hex(&long.key())), "{}", came.text);
        let came = received("cp1", b"what\xffever");
        assert_eq!((came.kind, came.text), (Kind::Unreadable, STANDARD.encode(b"what\xffever")));
        let newer = zstd::bulk::compress(br#"{"version":2,"said":"else"}"#, 3).unwrap();
        assert_eq!(received("cp1", &newer).text, r#"{"version":2,"said":"else"}"#);
        // A few bytes that would fill a machine's memory, and more than a store can keep.
        let bomb = zstd::bulk::compress(&vec![b' '; MOST_BYTES + 1], 3).unwrap();
        let came = received("cp1", &bomb);
        assert_eq!((came.kind, came.text), (Kind::Unreadable, STANDARD.encode(&bomb)));
        let long = Carried { text: "a".repeat(MOST_LINE + 1), ..Carried::of(&EVENT) };
        let (packed, is_replaced) = long.packed(1 << 20);
        let came = received("cp1", &packed);
        assert!(!is_replaced && came.kind == Kind::Unreadable && came.text.len() == 1024);
        // What JSON makes too long is named by who sends it.
        let zeros = vec![0; MOST_LINE];
        assert!(Carried::of(&Entry { text: &zeros, ..EVENT }).packed(1 << 20).1);
    }
}
