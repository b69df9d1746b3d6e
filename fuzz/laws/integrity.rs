//! Any bytes are entries of a baseline or are refused, and entries are found again; any bytes are a database
//! of packages, of which every path is found again; any bytes are records of the kernel up to a place that is
//! told. The first byte says as what they are read.

use ringfort_integrity::baseline::Entries;
use ringfort_integrity::packages::{Alternatives, Builder, Names, State, read_status};
use ringfort_integrity::records;

/// Reads bytes.
pub fn holds(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'e', body)) => entries(body),
        Some((b'p', body)) => packages(body),
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

/// The parts of a database are parted by a byte that no path holds.
fn packages(body: &[u8]) {
    let mut parts = body.split(|&byte| byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (status, list, sums, diversions, choices) = (next(), next(), next(), next(), next());
    let mut names = Names::default();
    let _ = names.divert(diversions);
    let mut alternatives = Alternatives::default();
    let _ = alternatives.take(b"a", choices, &names);
    let (packages, gaps) = read_status(status);
    assert!(
        !packages.is_empty() || !gaps.is_empty() || status.trim_ascii().is_empty(),
        "it is told"
    );
    let mut builder = Builder::new(names.clone());
    packages.iter().for_each(|package| builder.add(package, Some(list), Some(sums)));
    let read = builder.finish(alternatives);
    if packages.iter().any(|package| package.state == State::There) {
        let lines = list.split(|&byte| byte == b'\n').filter(|line| *line != b"/.");
        let mut paths = lines.filter_map(|line| names.path(line));
        let is_told = paths.all(|path| read.find(&path).is_some() || !diversions.is_empty());
        assert!(is_told, "every path of a list is found");
    }
    let all: Vec<_> = read.files().map(|(entry, _)| entry.path).collect();
    assert!(all.is_sorted_by(|one, other| one < other), "paths are in order");
    let text = [status, list].concat();
    let mut left_out = read.clone();
    left_out.take_settings(&text);
    for path in &all {
        let _ = left_out.leaves_out(path);
    }
}

fn events(body: &[u8]) {
    let read = records::read(body);
    assert!(
        read.broken.is_some() || read.events.is_empty() == body.is_empty(),
        "bytes say something"
    );
    assert!(read.events.len() <= body.len() / 24, "an event takes bytes");
}
