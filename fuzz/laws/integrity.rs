//! Any bytes are entries of a baseline or are refused, and entries are found again; any bytes are records of
//! the kernel up to a place that is told. The first byte says as what they are read.

use ringfort_integrity::baseline::Entries;
use ringfort_integrity::records;

/// Reads bytes.
pub fn holds(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'e', body)) => entries(body),
        Some((_, body)) => events(body),
        None => {}
    }
}

fn entries(body: &[u8]) {
    let Ok(entries) = Entries::read(body) else { return };
    let all: Vec<_> = entries.iter().collect();
    assert_eq!(all.len(), entries.len(), "every entry is read");
    assert!(all.is_sorted_by(|one, other| one.path < other.path), "entries are in order");
    for entry in &all {
        assert_eq!(entries.find(&entry.path).as_ref(), Some(entry), "an entry is found");
    }
    let again = Entries::pack(all.iter().cloned());
    assert!(again.iter().eq(all), "entries are read as they were packed");
}

fn events(body: &[u8]) {
    let read = records::read(body);
    assert!(
        read.broken.is_some() || read.events.is_empty() == body.is_empty(),
        "bytes say something"
    );
    assert!(read.events.len() <= body.len() / 24, "an event takes bytes");
}
