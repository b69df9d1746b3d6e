//! Any bytes are a request with a batch of events, or are refused; how they are cut on their way makes no difference,
//! and every event that a batch brings is one in what is kept of it.

use std::io::{self, Read};

use ringfort_audit::envelope::{Found, each, events};
use ringfort_store::os::{Request, request};

/// No body is longer than this.
const MOST: usize = 1 << 16;

/// Reads bytes as a request and as what is sent with one. The first byte says how they are cut.
pub fn holds(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let pieces = Pieces { rest: bytes, size: usize::from(*first).max(1) };
    let whole = read(Pieces { rest: bytes, size: usize::MAX });
    // How much of a head that is too long is read depends on how it comes.
    if bytes.len() < 1 << 14 {
        assert_eq!(whole, read(pieces), "cut into pieces of {first}");
    }
    batch(bytes);
    if let Ok((_, _, body)) = whole {
        assert!(body.len() <= MOST);
        batch(&body);
    }
}

/// Method, path and body, or how it was refused.
type Came = Result<(String, String, Vec<u8>), Option<u16>>;

fn read(mut stream: Pieces<'_>) -> Came {
    match request(&mut stream, MOST) {
        Ok(Ok(Request { method, path, body })) => Ok((method, path, body)),
        Ok(Err(status)) => {
            assert!((400..500).contains(&status), "{status}");
            Err(Some(status))
        }
        Err(_) => Err(None),
    }
}

/// What a list brings is found again in the lines that are kept of it.
fn batch(body: &[u8]) {
    let Some(lines) = events(body) else { return };
    let of_list = |line: &str| {
        let list =
            format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{line}]}}"#);
        found(list.as_bytes())
    };
    for line in &lines {
        assert!(of_list(line) <= found(line.as_bytes()), "{line:?}");
    }
}

/// How many events there are.
fn found(line: &[u8]) -> usize {
    let mut count = 0;
    each(line, &mut |found| count += usize::from(matches!(found, Found::Event(_))));
    count
}

/// Bytes that come in pieces.
struct Pieces<'p> {
    rest: &'p [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.size.min(buffer.len()).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.rest = rest;
        Ok(count)
    }
}
