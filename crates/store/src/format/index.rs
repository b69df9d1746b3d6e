//! Which blocks of a sealed segment may hold a term. A term is 32 bits of what was said, so a block may be
//! looked at in vain, and never be missed.

use std::collections::BTreeMap;

use ringfort_audit::envelope::{Found, each};
use ringfort_audit::event::Event;
use ringfort_audit::finding::Finding;

use super::entry::{Entry, Kind};
use super::reported::Reported;
use super::wire::{Reader, put_short};

/// What can be searched by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// Who asked, and as whom.
    User,
    /// What was done.
    Verb,
    /// To what kind of objects, such as `pods` or `pods/exec`.
    Resource,
    /// In which namespace.
    Namespace,
    /// To which object.
    Name,
    /// From which address.
    Source,
}

/// All of them, with the words for them.
pub const FIELDS: [(&str, Field); 6] = [
    ("user", Field::User),
    ("verb", Field::Verb),
    ("resource", Field::Resource),
    ("namespace", Field::Namespace),
    ("name", Field::Name),
    ("source", Field::Source),
];

/// A term.
pub fn term(field: Field, value: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[field as u8]);
    hasher.update(value.as_bytes());
    hasher.finalize()
}

/// Visits what an event says of each field.
pub fn each_value(event: &Event<'_>, visit: &mut dyn FnMut(Field, &str)) {
    visit(Field::User, &event.user.username);
    if let Some(user) = &event.impersonated_user {
        visit(Field::User, &user.username);
    }
    visit(Field::Verb, &event.verb);
    visit(Field::Namespace, event.namespace());
    visit(Field::Name, event.name());
    visit(Field::Source, event.source());
    visit(Field::Resource, event.resource());
    if !event.subresource().is_empty() {
        visit(Field::Resource, &format!("{}/{}", event.resource(), event.subresource()));
    }
}

/// Visits what an agent says of what it found: files are a kind of objects.
pub fn each_reported(finding: &Finding, visit: &mut dyn FnMut(Field, &str)) {
    visit(Field::User, &finding.user);
    visit(Field::Verb, &finding.verb);
    visit(Field::Source, &finding.source);
    let (kind, name) = finding.object.split_once(' ').unwrap_or((&finding.object, ""));
    visit(Field::Resource, kind);
    visit(Field::Name, name);
}

/// Terms with the blocks that they are in, while a segment is sealed.
#[derive(Debug, Default)]
pub struct Terms(BTreeMap<u32, Vec<u32>>);

impl Terms {
    /// Adds an entry of a block; blocks come in their order.
    pub fn add(&mut self, block: u32, entry: &Entry<'_>) {
        let mut visit = |field, value: &str| {
            if value.is_empty() {
                return;
            }
            let blocks = self.0.entry(term(field, value)).or_default();
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
        };
        if entry.kind == Kind::Finding {
            if let Some(reported) = Reported::read(entry.text) {
                each_reported(&reported.finding, &mut visit);
            }
            return;
        }
        each(entry.text, &mut |found| {
            if let Found::Event(event) = found {
                each_value(event, &mut visit);
            }
        });
    }

    /// Writes them: where each bucket begins, and the buckets, terms in their order.
    pub fn bytes(&self) -> Vec<u8> {
        let mut offsets = Vec::with_capacity(TABLE);
        let mut buckets = Vec::new();
        for bucket in 0..BUCKETS as u32 {
            offsets.extend_from_slice(&(buckets.len() as u32).to_le_bytes());
            let (low, mut before) = (bucket << SHIFT, bucket << SHIFT);
            for (term, blocks) in self.0.range(low..=low | MASK) {
                put_short(&mut buckets, u64::from(term - before));
                put_short(&mut buckets, blocks.len() as u64);
                before = *term;
                let mut last = 0;
                for block in blocks {
                    put_short(&mut buckets, u64::from(block - last));
                    last = *block;
                }
            }
        }
        offsets.extend_from_slice(&(buckets.len() as u32).to_le_bytes());
        offsets.extend_from_slice(&buckets);
        offsets
    }
}

const SHIFT: u32 = 22;
const MASK: u32 = (1 << SHIFT) - 1;
const BUCKETS: usize = 1 << (32 - SHIFT);
/// How long the table of buckets is.
pub const TABLE: usize = 4 * (BUCKETS + 1);

/// Where the bucket of a term begins and ends behind the table: where its two numbers stand in the table.
pub fn place_in_table(term: u32) -> usize {
    4 * (term >> SHIFT) as usize
}

/// Gives where a bucket begins and ends, from the eight bytes of the table that say it.
pub fn bucket(table: [u8; 8]) -> Option<(usize, usize)> {
    let mut reader = Reader(&table);
    let (begin, end) = (reader.u32()? as usize, reader.u32()? as usize);
    (begin <= end).then_some((TABLE + begin, TABLE + end))
}

/// Gives the blocks of a term from the bucket that it would be in; nothing if the bucket cannot be read.
pub fn blocks(bucket: &[u8], wanted: u32) -> Option<Vec<u32>> {
    let mut reader = Reader(bucket);
    let mut term = wanted & !MASK;
    while !reader.0.is_empty() {
        term = term.checked_add(reader.short()?.try_into().ok()?)?;
        let count = reader.length()?;
        let mut blocks = Vec::with_capacity(count.min(reader.0.len()));
        let mut last = 0_u32;
        for _ in 0..count {
            last = last.checked_add(reader.short()?.try_into().ok()?)?;
            blocks.push(last);
        }
        if term == wanted {
            return Some(blocks);
        }
    }
    Some(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8], term: u32) -> Option<Vec<u32>> {
        let at = place_in_table(term);
        let (begin, end) = bucket(bytes[at..at + 8].try_into().unwrap())?;
        blocks(bytes.get(begin..end)?, term)
    }

    #[test]
    fn every_term_leads_to_its_blocks_and_no_other_does() {
        let mut terms = Terms::default();
        for number in 0..4_000_u32 {
            let line = format!(
                r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"get","user":{{"username":"u{}"}},"objectRef":{{"resource":"pods","subresource":"exec","name":"p{number}"}}}}"#,
                number % 7
            );
            let entry = Entry { source: "a", time: 0, kind: Kind::Event, text: line.as_bytes() };
            terms.add(number / 100, &entry);
        }
        terms.add(40, &Entry { source: "a", time: 0, kind: Kind::Event, text: b"no event" });
        let bytes = terms.bytes();
        let all: Vec<u32> = (0..40).collect();
        for (field, value) in
            [(Field::Verb, "get"), (Field::Resource, "pods"), (Field::Resource, "pods/exec")]
        {
            assert_eq!(found(&bytes, term(field, value)).unwrap(), all, "{value}");
        }
        for number in 0..4_000 {
            let name = term(Field::Name, &format!("p{number}"));
            assert!(found(&bytes, name).unwrap().contains(&(number / 100)), "p{number}");
        }
        assert_eq!(found(&bytes, term(Field::User, "p1")), Some(vec![]));
        assert_eq!(found(&bytes, term(Field::Verb, "delete")), Some(vec![]));
    }
}
