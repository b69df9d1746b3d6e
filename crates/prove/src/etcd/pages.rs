//! Goes through all that a member stores, a page at a time, in bounded memory of its machine.

use std::mem;

use ringfort_host::Host;

use super::page::Pair;
use super::{field, get, read, status};
use crate::machine::run;

/// Keys and values that are read at a time, at first.
const FIRST_PAGE: usize = 500;
/// The most of them at a time.
const MOST_PAGE: usize = 8_000;
/// A page is about as large as this, by what the one before it held: each page costs another start of `etcdctl`.
const PAGE_BYTES: usize = 8 << 20;
/// No page has more keys than so many times those of the one before: the rest may be larger.
const GROWTH: usize = 4;
/// No value is larger, as etcd takes no larger request where nobody sets it otherwise.
const VALUE_BYTES: u64 = 1536 << 10;
/// How often a machine holds a page, at most: the member as values and as a message, and `etcdctl` as a message, as
/// values, and as what it writes, twice; and as much again that was let go of and not collected.
const HELD: u64 = 8;

/// All pages of a member.
pub(super) struct Pages {
    /// The key that the last page ended with. etcd knows no empty key: none stands for the smallest.
    last: Vec<u8>,
    /// The key that came last of the page that is read,
    newest: Vec<u8>,
    /// and how many bytes of values it has so far.
    bytes: usize,
    pub(super) ended: bool,
    /// How many keys the next page has.
    size: usize,
    room: Room,
}

/// What bounds a page, however large its values are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Room {
    /// All that was not read yet has no more bytes: what the member's file holds, and what was read taken off.
    left_bytes: u64,
    /// A page may have so many.
    most_bytes: u64,
}

impl Room {
    /// Reads what a member says of itself, and then what its machine says of its memory.
    fn read(said: &str) -> Result<Self, String> {
        let free = |line: &str| -> Option<u64> {
            line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse().ok()
        };
        let free = said.lines().find_map(free);
        let free_kb = free.ok_or("the machine does not say how much memory it has left")?;
        let left_bytes = field(said, "DBSizeInUse")?;
        Ok(Self { left_bytes, most_bytes: free_kb.saturating_mul(1 << 10) / HELD })
    }

    /// How many keys fit into it if each has the largest value. One of a page is the last one's.
    fn keys(self) -> usize {
        match self.left_bytes <= self.most_bytes {
            true => MOST_PAGE,
            false => usize::try_from(self.most_bytes / VALUE_BYTES).unwrap_or(MOST_PAGE).max(2),
        }
    }
}

impl Pages {
    /// Asks how much there is to read, and how much memory to read it by.
    pub(super) async fn begin(host: &Host) -> Result<Self, String> {
        let asked = format!("{} && grep MemAvailable: /proc/meminfo", status());
        let said = run(host, &asked).await?;
        Ok(Self::within(Room::read(&String::from_utf8_lossy(&said))?))
    }

    fn within(room: Room) -> Self {
        let size = FIRST_PAGE.min(room.keys());
        let (last, newest) = (Vec::new(), Vec::new());
        Self { last, newest, bytes: 0, ended: false, size, room }
    }

    /// Reads the next page.
    pub(super) async fn next(
        &mut self,
        host: &Host,
        give: &mut impl FnMut(Pair),
    ) -> Result<(), String> {
        let from: &[u8] = if self.last.is_empty() { b"\0" } else { &self.last };
        let asked = get(&format!("--from-key --limit={} ", self.size), from);
        let mut take = |pair| {
            if let Some(pair) = self.take(pair) {
                give(pair);
            }
        };
        let more = read(host, &asked, &mut take).await?;
        self.turn(more)
    }

    /// Takes a value of the page, unless its key is the one that the page before ended with.
    fn take(&mut self, pair: Pair) -> Option<Pair> {
        self.bytes += pair.value.len();
        self.newest.clear();
        self.newest.extend_from_slice(&pair.key);
        let is_new = *pair.key > *self.last;
        if is_new {
            let bytes = u64::try_from(pair.value.len()).unwrap_or(u64::MAX);
            self.room.left_bytes = self.room.left_bytes.saturating_sub(bytes);
        }
        is_new.then_some(pair)
    }

    /// Ends a page. One that leads no further would be read again for ever, or leave out what is behind it.
    fn turn(&mut self, more: bool) -> Result<(), String> {
        let bytes = mem::take(&mut self.bytes);
        self.size = sized(self.size, bytes).min(self.room.keys());
        self.ended = !more;
        // The last key may be gone by now.
        let is_over = !more && (self.newest.is_empty() || self.newest == self.last);
        if self.newest <= self.last && !is_over {
            return Err("etcd gave a page that leads no further".to_owned());
        }
        self.last = mem::take(&mut self.newest);
        Ok(())
    }
}

/// How many keys the page after one of so many keys and bytes has: pages are neither many nor large.
fn sized(keys: usize, bytes: usize) -> usize {
    let each = (bytes / keys.max(1)).max(1);
    let most = (keys * GROWTH).min(MOST_PAGE);
    // One key of a page is the last one's.
    (PAGE_BYTES / each).clamp(2, most.max(2))
}

#[cfg(test)]
mod tests {
    use super::{FIRST_PAGE, GROWTH, HELD, MOST_PAGE, PAGE_BYTES, Pages, Pair, Room, sized};

    const WIDE: Room = Room { left_bytes: 1 << 20, most_bytes: 1 << 30 };

    /// Reads pages of keys, and gives those that were taken of the last.
    fn turned(pages: &[(&[&'static str], bool)]) -> Result<(Vec<String>, bool), String> {
        let mut all = Pages::within(WIDE);
        let mut taken = Vec::new();
        for (keys, more) in pages {
            let pair = |key: &&'static str| Pair { key: (*key).into(), ..Pair::default() };
            let new = keys.iter().filter_map(|key| all.take(pair(key)));
            taken = new.map(|pair| String::from_utf8_lossy(&pair.key).into_owned()).collect();
            all.turn(*more)?;
        }
        Ok((taken, all.ended))
    }

    #[test]
    fn every_key_comes_once() {
        let first: (&[&str], bool) = (&["a", "b"], true);
        assert_eq!(turned(&[first]), Ok((vec!["a".into(), "b".into()], false)));
        assert_eq!(turned(&[first, (&["b", "c"], false)]), Ok((vec!["c".into()], true)));
        assert_eq!(turned(&[first, (&["b"], false)]), Ok((vec![], true)));
        assert_eq!(turned(&[first, (&[], false)]), Ok((vec![], true)));
        assert_eq!(turned(&[(&[], false)]), Ok((vec![], true)));
        // Neither a 0 byte nor a newline is lost on the way to the next page.
        let strange = turned(&[(&["a", "s\0~\n"], true), (&["s\0~\n", "s\0~\n1"], true)]);
        assert_eq!(strange, Ok((vec!["s\0~\n1".into()], false)));
    }

    #[test]
    fn a_page_that_leads_no_further_is_an_error() {
        let first: (&[&str], bool) = (&["a", "b"], true);
        let stray: [(&[&str], bool); 4] =
            [(&["b"], true), (&[], true), (&["a"], true), (&["a"], false)];
        for page in stray {
            assert!(turned(&[first, page]).is_err(), "{page:?}");
        }
        assert!(turned(&[(&[], true)]).is_err());
    }

    #[test]
    fn pages_grow_and_shrink_with_what_they_hold() {
        assert_eq!(sized(500, 500 << 10), 500 * GROWTH);
        assert_eq!(sized(4_000, 4_000 << 11), 4 << 10);
        assert_eq!(sized(MOST_PAGE, 1 << 10), MOST_PAGE);
        assert_eq!(sized(2_000, PAGE_BYTES / 2), 4_000);
        assert_eq!(sized(2_000, 1 << 30), 15);
        assert_eq!(sized(3, 1 << 30), 2);
        assert_eq!(sized(0, 0), 2);
    }

    /// What comes behind thousands of small values may be as large as any.
    #[test]
    fn no_page_takes_more_memory_than_its_machine_has() {
        let mut pages = Pages::within(Room { left_bytes: 2 << 30, most_bytes: 48 << 20 });
        assert_eq!(pages.size, 32);
        let mut page = |value: usize, first: char| {
            for at in 0..pages.size {
                let key = format!("{first}{at:04}").into_bytes().into();
                let value = vec![0_u8; value].into();
                pages.take(Pair { key, value, ..Pair::default() });
            }
            pages.turn(true).unwrap();
            pages.size
        };
        assert_eq!(page(2 << 10, 'a'), 32);
        assert_eq!(page(2 << 10, 'b'), 32);
        assert_eq!(page(1 << 20, 'c'), 8);
        // What is left altogether fits into it.
        let few = Pages::within(Room { left_bytes: 48 << 20, most_bytes: 48 << 20 });
        assert_eq!(few.size, FIRST_PAGE);
        let least = Room { left_bytes: 1, most_bytes: 0 };
        assert_eq!(Pages::within(least).size, 2);
    }

    #[test]
    fn what_bounds_a_page_is_read_of_the_member_and_of_its_machine() {
        let member = "\"DBSize\" : 9000\n\"DBSizeInUse\" : 4096\n";
        let room = Room::read(&format!("{member}\nMemAvailable:     800 kB\n"));
        assert_eq!(room, Ok(Room { left_bytes: 4096, most_bytes: (800 << 10) / HELD }));
        assert!(Room::read(member).unwrap_err().contains("memory"));
        assert!(Room::read("MemAvailable: 800 kB\n").unwrap_err().contains("DBSizeInUse"));
    }
}
