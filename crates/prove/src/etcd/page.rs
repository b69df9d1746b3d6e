//! A page of what a member stores, as etcd writes it. Each value is given as soon as it is there, so that no page is ever
//! held as a whole.

use prost::Message as _;
use prost::bytes::{Buf as _, Bytes, BytesMut};

/// etcd's `KeyValue`. Its bytes stay where they came in.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Pair {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    /// The revision that wrote it.
    #[prost(int64, tag = "3")]
    pub(super) mod_revision: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) value: Bytes,
}

impl Pair {
    /// Lets go of what it came in.
    pub(super) fn apart(self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        Self { key: copy(&self.key), value: copy(&self.value), ..self }
    }
}

/// What has come of a page and was not given yet: etcd's `RangeResponse`, as the one outcome of a `TxnResponse`.
#[derive(Debug, Default)]
pub(super) struct Page {
    rest: BytesMut,
    at: At,
    /// How many values were given,
    given: u64,
    /// and how many there are from the first of them to the last that is stored.
    count: u64,
    more: bool,
}

/// Where in an answer the next byte stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum At {
    /// In what is said of the transaction,
    #[default]
    Answer,
    /// in its one outcome, of which so many bytes are to come,
    Outcome(usize),
    /// in the page that this is,
    Page(usize),
    /// or behind it.
    End,
}

impl At {
    /// Gives the place behind some bytes, if there are so many.
    fn behind(self, bytes: usize) -> Option<Self> {
        match self {
            Self::Answer => Some(self),
            Self::Page(left) if left == bytes => Some(Self::End),
            Self::Page(left) => left.checked_sub(bytes).map(Self::Page),
            Self::Outcome(_) | Self::End => None,
        }
    }
}

/// How much room there is for what comes next.
const ROOM_BYTES: usize = 256 << 10;
/// No value is larger: etcd takes 1.5 MiB in a request, where nobody sets it otherwise.
const MOST_BYTES: usize = 64 << 20;
/// The fields that are looked at: of the answer, of its outcome, and of a page.
const OUTCOMES: u64 = 3;
const RANGE: u64 = 1;
const VALUES: u64 = 2;
const MORE: u64 = 3;
const COUNT: u64 = 4;
/// How fields are written: a number, or so many bytes.
const NUMBER: u64 = 0;
const BYTES: u64 = 2;
/// The most bytes of a number.
const NUMBER_BYTES: usize = 10;

impl Page {
    /// Where the next bytes go.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.rest.reserve(ROOM_BYTES);
        &mut self.rest
    }

    /// Gives the next value, once all of it has come.
    pub(super) fn value(&mut self) -> Result<Option<Pair>, String> {
        loop {
            if self.at == At::End {
                return if self.rest.is_empty() { Ok(None) } else { Err(strange()) };
            }
            let Some((tag, what, begin)) = head(&self.rest) else {
                let may_go_on = self.rest.len() < 2 * NUMBER_BYTES;
                return may_go_on.then_some(None).ok_or_else(strange);
            };
            let field = tag >> 3;
            match (self.at, tag & 7) {
                (At::Answer | At::Page(_), NUMBER) => {
                    self.note(field, what);
                    self.pass(begin)?;
                }
                (At::Answer, BYTES) if field == OUTCOMES => {
                    self.rest.advance(begin);
                    self.at = At::Outcome(usize::try_from(what).map_err(|_| strange())?);
                }
                (At::Outcome(left), BYTES) if field == RANGE => self.enter(begin, what, left)?,
                (At::Answer | At::Page(_), BYTES) => {
                    let length = usize::try_from(what).ok().filter(|it| *it <= MOST_BYTES);
                    let length = length.ok_or_else(too_large)?;
                    if self.rest.len() < begin + length {
                        return Ok(None);
                    }
                    let is_value = field == VALUES && self.at != At::Answer;
                    self.pass(begin)?;
                    let whole = self.pass(length)?;
                    if is_value {
                        self.given += 1;
                        return Pair::decode(whole).map(Some).map_err(|_| strange());
                    }
                }
                _ => return Err(strange()),
            }
        }
    }

    /// Keeps what a page says of itself.
    fn note(&mut self, field: u64, what: u64) {
        match (self.at, field) {
            (At::Page(_), MORE) => self.more = what != 0,
            (At::Page(_), COUNT) => self.count = what,
            _ => {}
        }
    }

    /// Enters the page, which is all of what the outcome has left.
    fn enter(&mut self, begin: usize, what: u64, left: usize) -> Result<(), String> {
        let length = usize::try_from(what).ok().filter(|it| begin.checked_add(*it) == Some(left));
        let length = length.ok_or_else(strange)?;
        self.rest.advance(begin);
        self.at = if length == 0 { At::End } else { At::Page(length) };
        Ok(())
    }

    /// Goes past bytes that have come, if they are where they should be, and gives them.
    fn pass(&mut self, bytes: usize) -> Result<Bytes, String> {
        if bytes > 0 {
            self.at = self.at.behind(bytes).ok_or_else(strange)?;
        }
        Ok(self.rest.split_to(bytes).freeze())
    }

    /// Says at its end whether the member stores more than it gave. A page tells how many values there are from its first
    /// on, so that none that was not given is taken for one that is not there.
    pub(super) fn has_more(&self) -> Result<bool, String> {
        if self.at != At::End || !self.rest.is_empty() {
            return Err("etcdctl: the page is cut off".to_owned());
        }
        match self.more {
            true if self.given < self.count => Ok(true),
            false if self.given == self.count => Ok(false),
            _ => Err(format!(
                "etcdctl: the page holds {} values of {} and does not say so",
                self.given, self.count
            )),
        }
    }
}

fn strange() -> String {
    "etcdctl: it gives what is no page of etcd".to_owned()
}

fn too_large() -> String {
    format!("etcdctl: it gives what is no page of etcd, or a value above {MOST_BYTES} bytes")
}

/// Reads what stands before a field: its tag, its number or length, and where that ends. Nothing while it has not all
/// come.
fn head(bytes: &[u8]) -> Option<(u64, u64, usize)> {
    let (tag, rest) = number(bytes)?;
    let (what, rest) = number(rest)?;
    Some((tag, what, bytes.len() - rest.len()))
}

/// Reads a number of seven bits a byte, the lowest first, and gives what is behind it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(NUMBER_BYTES).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(last + 1);
    let add = |sum: u64, byte: &u8| (sum << 7) | u64::from(byte & 0x7f);
    Some((number.iter().rev().fold(0, add), rest))
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Page, Pair};

    /// The parts of a page, as a server writes it: a header, two values with all their fields, more to come, and a count.
    const WRITTEN: &[&[u8]] = &[
        &[0x0a, 2, 0x18, 9],
        &[0x12, 14, 0x0a, 2, b'/', b'a', 0x10, 2, 0x18, 7, 0x20, 1, 0x2a, 2, 0, 0xff],
        &[0x12, 6, 0x0a, 2, b'/', b'b', 0x18, 8],
        MORE,
        COUNT,
    ];
    const MORE: &[u8] = &[0x18, 1];
    /// There are 133.
    const COUNT: &[u8] = &[0x20, 0x85, 1];

    /// The answer to a transaction that read a page: a header, that it was done, and the page as its outcome.
    fn answer(parts: &[&[u8]]) -> Vec<u8> {
        let page = parts.concat();
        let length = u8::try_from(page.len()).unwrap();
        let mut answer = vec![0x0a, 4, 0x08, 1, 0x18, 9, 0x10, 1, 0x1a, length + 2, 0x0a, length];
        answer.extend(page);
        answer
    }

    /// Reads a page that comes in pieces of so many bytes.
    fn read(bytes: &[u8], size: usize) -> Result<(Vec<Pair>, bool), String> {
        let (mut page, mut pairs) = (Page::default(), Vec::new());
        for piece in bytes.chunks(size) {
            page.room().extend_from_slice(piece);
            while let Some(pair) = page.value()? {
                pairs.push(pair);
            }
        }
        Ok((pairs, page.has_more()?))
    }

    #[test]
    fn a_page_is_read_as_etcd_writes_it_however_it_comes() {
        let pair = |key: &[u8], mod_revision, value: &[u8]| Pair {
            key: Bytes::copy_from_slice(key),
            mod_revision,
            value: Bytes::copy_from_slice(value),
        };
        let (first, second) = (pair(b"/a", 7, &[0, 0xff]), pair(b"/b", 8, b""));
        let written = answer(WRITTEN);
        for size in 1..=written.len() {
            let read = read(&written, size).unwrap();
            assert_eq!(read, (vec![first.clone(), second.clone()], true), "pieces of {size}");
        }
        let last = answer(&[WRITTEN[0], WRITTEN[1], &[0x20, 1]]);
        assert_eq!(read(&last, 5), Ok((vec![first], false)));
        assert_eq!(read(&answer(&[]), 1), Ok((Vec::new(), false)));
        assert_eq!(read(&answer(&WRITTEN[..1]), 1), Ok((Vec::new(), false)));
    }

    #[test]
    fn what_is_cut_off_anywhere_or_no_page_is_an_error() {
        let written = answer(WRITTEN);
        for end in 0..written.len() {
            let error = read(&written[..end], 4).unwrap_err();
            assert_eq!(error, "etcdctl: the page is cut off", "after {end}");
        }
        let complaint = b"Error: context deadline exceeded";
        let endless = [0xff; 40];
        let garbled = answer(&[&[0x12, 3, 0x0a, 9, b'/']]);
        let beyond = answer(&[&[0x12, 6, 0x0a, 2, b'/', b'b']]);
        let beyond = [beyond.as_slice(), &[0x18, 8]].concat();
        let twice = [written.as_slice(), &written[8..]].concat();
        for strange in [&complaint[..], &endless, &garbled, &beyond, &twice] {
            let error = read(strange, 7).unwrap_err();
            assert_eq!(error, "etcdctl: it gives what is no page of etcd", "{strange:?}");
        }
        let error = read(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1], 7).unwrap_err();
        assert!(error.contains("a value above"), "{error}");
    }

    #[test]
    fn a_page_that_does_not_hold_what_it_counts_is_an_error() {
        let [header, one, two, ..] = *WRITTEN else { panic!("{WRITTEN:?}") };
        let check = |parts: &[&[u8]]| {
            let error = read(&answer(parts), 9).unwrap_err();
            assert!(error.contains("does not say so"), "{parts:?}: {error}");
        };
        // It ends where there are more, without a word,
        check(&[header, one, two, COUNT]);
        check(&[header, COUNT]);
        // counts fewer than it gives,
        check(&[header, one, two, &[0x20, 1]]);
        check(&[header, one]);
        // or says more, where all were given.
        check(&[header, one, two, MORE, &[0x20, 2]]);
        check(&[header, MORE]);
    }
}
