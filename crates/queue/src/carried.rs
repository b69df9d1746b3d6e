//! An entry on its way: what its store says of it, as JSON, packed.

use ringfort_store::format::checkpoint::hex;
use ringfort_store::format::entry::{Entry, Kind};
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
/// The longest that one is when it is unpacked.
const MOST_BYTES: usize = 64 << 20;
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

    /// Packs it. One that is longer than this even so is replaced by words that say so.
    pub(crate) fn packed(&self, most: usize) -> (Vec<u8>, bool) {
        let bytes = pack(self);
        if bytes.len() <= most {
            return (bytes, false);
        }
        let said = serde_json::json!({ "notCarried": self.id, "bytes": self.text.len() });
        let instead = Self { kind: Kind::Unreadable, text: said.to_string(), ..self.clone() };
        (pack(&instead), true)
    }

    /// Unpacks one; nothing comes of what is none.
    pub(crate) fn unpacked(bytes: &[u8]) -> Option<Self> {
        let unpacked = zstd::bulk::decompress(bytes, MOST_BYTES).ok()?;
        let carried: Self = serde_json::from_slice(&unpacked).ok()?;
        (carried.version == VERSION).then_some(carried)
    }

    /// Gives what a collector keeps of it. From which machine it comes says the subject that the server let it through
    /// on, whatever stands in it: what is not that machine's own log is named after both.
    pub(crate) fn received(self, machine: &str) -> Received {
        let source = match self.source == machine {
            true => self.source,
            false => format!("{machine}/{}", self.source),
        };
        Received { source, kind: self.kind, text: self.text }
    }
}

fn pack(carried: &Carried) -> Vec<u8> {
    let bytes = serde_json::to_vec(carried).expect("an entry is plain data");
    zstd::bulk::compress(&bytes, LEVEL).expect("memory takes whatever is packed into it")
}

/// Gives what is kept of a message: what it carries, or where it carries nothing that is understood, its bytes as words.
pub(crate) fn received(machine: &str, payload: &[u8]) -> Received {
    match Carried::unpacked(payload) {
        Some(carried) => carried.received(machine),
        None => Received {
            source: machine.to_owned(),
            kind: Kind::Unreadable,
            text: String::from_utf8_lossy(payload).into_owned(),
        },
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
        let agent = Entry { source: "agent/w1", kind: Kind::Finding, ..EVENT };
        let (packed, _) = Carried::of(&agent).packed(1 << 20);
        let came = received("cp2", &packed);
        assert_eq!((came.source.as_str(), came.kind), ("cp2/agent/w1", Kind::Finding));
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
        assert_eq!((came.kind, came.text.as_str()), (Kind::Unreadable, "what\u{fffd}ever"));
        // A few bytes that would fill a machine's memory.
        let bomb = zstd::bulk::compress(&vec![b' '; MOST_BYTES + 1], 3).unwrap();
        assert_eq!(received("cp1", &bomb).kind, Kind::Unreadable);
    }
}
