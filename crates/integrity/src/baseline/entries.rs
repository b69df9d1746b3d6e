//! Many entries in little memory: bytes that are read where they lie. Pure.

use std::sync::Arc;

use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity;

use crate::path::FilePath;
use crate::protected::{Class, Expected, Hash, ModeRule, Presence, Protected, Protection};

/// Each so many entries one has its whole path, from which reading can begin.
const RESTART_EVERY: usize = 16;
/// No path of the kernel is longer by far.
const LONGEST_PATH_BYTES: usize = 64 << 10;

/// Protected files in order of paths, as bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entries {
    bytes: Arc<[u8]>,
    /// Where entries with whole paths begin.
    restarts: Vec<u32>,
    count: usize,
}

/// Says that bytes are no entries.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("its entry {entry} is not one: {why}")]
pub struct Malformed {
    entry: usize,
    why: &'static str,
}

impl Entries {
    /// Packs what is protected.
    pub fn of(protection: &Protection) -> Self {
        Self::pack(protection.iter().cloned())
    }

    /// Packs entries that come in order of paths; one that comes too late is left out by nobody's wish,
    /// so the caller sorts them.
    pub fn pack(all: impl IntoIterator<Item = Protected>) -> Self {
        let (mut bytes, mut restarts, mut count) = (Vec::new(), Vec::new(), 0);
        let mut before: Vec<u8> = Vec::new();
        for entry in all {
            let path = entry.path.as_bytes();
            let shared = if count % RESTART_EVERY == 0 {
                restarts.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                0
            } else {
                before.iter().zip(path).take_while(|(one, other)| one == other).count()
            };
            push_number(&mut bytes, shared as u64);
            push_number(&mut bytes, (path.len() - shared) as u64);
            bytes.extend_from_slice(&path[shared..]);
            push_rest(&mut bytes, &entry);
            before.clear();
            before.extend_from_slice(path);
            count += 1;
        }
        Self { bytes: bytes.into(), restarts, count }
    }

    /// Takes bytes as entries, if all of them are.
    ///
    /// # Errors
    /// Something is no entry, or they are not in order.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (mut reader, mut restarts, mut count) =
            (Reader { bytes, at: 0, shared: 0 }, Vec::new(), 0);
        let mut before: Vec<u8> = Vec::new();
        while reader.at < bytes.len() {
            let malformed = |why| Malformed { entry: count, why };
            if count % RESTART_EVERY == 0 {
                let at = u32::try_from(reader.at).map_err(|_| malformed("there are too many"))?;
                restarts.push(at);
            }
            let (path, _) = reader.entry(&before).map_err(malformed)?;
            let is_whole = reader.shared == 0;
            if count % RESTART_EVERY == 0 && !is_whole {
                return Err(malformed("its path should be whole"));
            }
            if count > 0 && path <= before {
                return Err(malformed("it is not in order"));
            }
            FilePath::new(path.as_slice()).map_err(|_| malformed("its path is none"))?;
            before = path;
            count += 1;
        }
        Ok(Self { bytes: bytes.into(), restarts, count })
    }

    /// Gives the number of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives the bytes, as they are written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells how much memory they take.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.restarts.capacity() * size_of::<u32>()
    }

    /// Gives all entries in order.
    pub fn iter(&self) -> Iter<'_> {
        self.from(0)
    }

    fn from(&self, at: usize) -> Iter<'_> {
        Iter { reader: Reader { bytes: &self.bytes, at, shared: 0 }, before: Vec::new() }
    }

    /// Finds the entry of a path.
    pub fn find(&self, path: &FilePath) -> Option<Protected> {
        let (start, path) = (self.block_of(path.as_bytes())?, path.as_bytes());
        let mut block = self.from(start).take(RESTART_EVERY);
        block.find(|entry| entry.path.as_bytes() >= path).filter(|it| it.path.as_bytes() == path)
    }

    /// Gives the entries below a path, itself not among them. Names sort before and after a slash, so
    /// that what comes next to a path need not be below it.
    pub fn below(&self, path: &FilePath) -> impl Iterator<Item = Protected> + '_ {
        let mut within = path.as_bytes().to_vec();
        if within != b"/" {
            within.push(b'/');
        }
        let start = self.block_of(&within).unwrap_or_default();
        let (from, within) = (within.clone(), within);
        self.from(start)
            .skip_while(move |entry| entry.path.as_bytes() < from.as_slice())
            .take_while(move |entry| entry.path.as_bytes().starts_with(&within))
            .filter(|entry| entry.path != FilePath::root())
    }

    /// Where reading begins for a path: at the last whole path that does not come after it.
    fn block_of(&self, path: &[u8]) -> Option<usize> {
        let is_before = |start: &u32| {
            let mut reader = Reader { bytes: &self.bytes, at: *start as usize, shared: 0 };
            reader.suffix().is_ok_and(|whole| whole <= path)
        };
        let at = self.restarts.partition_point(is_before).checked_sub(1)?;
        Some(self.restarts[at] as usize)
    }
}

/// All entries, one after the other.
pub struct Iter<'a> {
    reader: Reader<'a>,
    before: Vec<u8>,
}

impl Iterator for Iter<'_> {
    type Item = Protected;

    fn next(&mut self) -> Option<Protected> {
        let (path, rest) = self.reader.entry(&self.before).ok()?;
        self.before.clone_from(&path);
        Some(Protected { path: FilePath::new(path).ok()?, ..rest })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How much the last path had in common with the one before.
    shared: usize,
}

const CUT: &str = "it is cut off";

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(CUT)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    /// A number of seven bits a byte, the least first, written in as few bytes as it needs.
    fn number(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err("a number is too large");
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let is_short = byte != 0 || shift == 0;
                return if is_short { Ok(value) } else { Err("a number is longer than it needs") };
            }
        }
        Err("a number is too large")
    }

    fn small(&mut self) -> Result<u32, &'static str> {
        u32::try_from(self.number()?).map_err(|_| "a number is too large")
    }

    /// What a path has that the one before has not.
    fn suffix(&mut self) -> Result<&'a [u8], &'static str> {
        self.shared = self.small()? as usize;
        let length = self.small()? as usize;
        if self.shared > LONGEST_PATH_BYTES || length > LONGEST_PATH_BYTES {
            return Err("its path is too long");
        }
        self.take(length)
    }

    /// A path, and the rest of its entry with the root in place of the path.
    fn entry(&mut self, before: &[u8]) -> Result<(Vec<u8>, Protected), &'static str> {
        let suffix = self.suffix()?;
        let shared = before.get(..self.shared).ok_or("it has too much in common with none")?;
        let path = [shared, suffix].concat();
        let (how, what) = (self.byte()?, self.byte()?);
        let pick = |table: usize, value: u8| (usize::from(value) < table).then_some(value);
        let class = CLASSES[usize::from(pick(CLASSES.len(), how & 7).ok_or("its class is none")?)];
        let presence = pick(PRESENCES.len(), (how >> 3) & 3).ok_or("its presence is none")?;
        let mode = match what & 3 {
            0 => None,
            1 => Some(ModeRule::Is(FileMode(self.small()?))),
            2 => Some(ModeRule::AtMost(FileMode(self.small()?))),
            _ => return Err("its mode is none"),
        };
        let owner = match how >> 7 {
            0 => None,
            _ => Some(Owner { uid: self.small()?, gid: self.small()? }),
        };
        let expected = self.expected(what)?;
        let rest = Protected {
            path: FilePath::root(),
            class,
            presence: PRESENCES[usize::from(presence)],
            severity: Severity::ALL[usize::from((how >> 5) & 3)],
            mode,
            owner,
            expected,
        };
        Ok((path, rest))
    }

    fn expected(&mut self, what: u8) -> Result<Option<Expected>, &'static str> {
        let (kind, has_size) = ((what >> 2) & 3, what & 16 != 0);
        if what >> 5 != 0 || (kind == 0 && has_size) {
            return Err("its content is none");
        }
        if kind == 0 {
            return Ok(None);
        }
        let size = if has_size { Some(self.number()?) } else { None };
        let hash = match kind {
            1 => Hash::Blake3(self.take(32)?.try_into().map_err(|_| CUT)?),
            2 => Hash::Sha256(self.take(32)?.try_into().map_err(|_| CUT)?),
            _ => Hash::Md5(self.take(16)?.try_into().map_err(|_| CUT)?),
        };
        Ok(Some(Expected { size, hash }))
    }
}

const CLASSES: [Class; 8] = [
    Class::Exact,
    Class::Growing,
    Class::Listed,
    Class::Watched,
    Class::Swapped,
    Class::Kept,
    Class::Packaged,
    Class::Layer,
];
const PRESENCES: [Presence; 3] = [Presence::Required, Presence::Optional, Presence::Forbidden];

fn place<T: PartialEq>(all: &[T], wanted: &T) -> u8 {
    all.iter().position(|each| each == wanted).map_or(0, |at| at as u8)
}

fn push_number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Writes all of an entry but its path.
fn push_rest(bytes: &mut Vec<u8>, entry: &Protected) {
    let how = place(&CLASSES, &entry.class)
        | place(&PRESENCES, &entry.presence) << 3
        | place(&Severity::ALL, &entry.severity) << 5
        | u8::from(entry.owner.is_some()) << 7;
    let (mode, bits) = match entry.mode {
        None => (0, None),
        Some(ModeRule::Is(mode)) => (1, Some(mode.0)),
        Some(ModeRule::AtMost(mode)) => (2, Some(mode.0)),
    };
    let (kind, size, digest) = match &entry.expected {
        None => (0, None, None),
        Some(Expected { size, hash: Hash::Blake3(digest) }) => (1, *size, Some(&digest[..])),
        Some(Expected { size, hash: Hash::Sha256(digest) }) => (2, *size, Some(&digest[..])),
        Some(Expected { size, hash: Hash::Md5(digest) }) => (3, *size, Some(&digest[..])),
    };
    bytes.extend([how, mode | kind << 2 | u8::from(size.is_some()) << 4]);
    bits.into_iter().for_each(|bits| push_number(bytes, u64::from(bits)));
    if let Some(owner) = entry.owner {
        push_number(bytes, u64::from(owner.uid));
        push_number(bytes, u64::from(owner.gid));
    }
    size.into_iter().for_each(|size| push_number(bytes, size));
    digest.into_iter().for_each(|digest| bytes.extend_from_slice(digest));
}

#[cfg(test)]
mod tests {
    use ringfort_model::blueprint::Role;

    use super::*;

    fn many() -> Vec<Protected> {
        let table = Protection::derive(None, &[], Role::ControlPlane);
        let mut all: Vec<Protected> = table.iter().cloned().collect();
        for number in 0..1000_u32 {
            let hash = *blake3::hash(&number.to_le_bytes()).as_bytes();
            let hash = match number % 3 {
                0 => Hash::Blake3(hash),
                1 => Hash::Sha256(hash),
                _ => Hash::Md5(*hash.first_chunk().unwrap()),
            };
            let size = (number % 3 != 0).then_some(u64::from(number) << (number % 40));
            all.push(Protected {
                path: format!("/usr/share/doc/package-{:03}/file-{number}", number / 10)
                    .parse()
                    .unwrap(),
                class: CLASSES[number as usize % 7],
                presence: PRESENCES[number as usize % 3],
                severity: Severity::ALL[number as usize % 4],
                mode: [None, Some(ModeRule::Is(FileMode(0o4755)))][number as usize % 2],
                owner: [None, Some(Owner { uid: number, gid: u32::MAX })][number as usize % 2],
                expected: Some(Expected { size, hash }),
            });
        }
        for path in ["/usr/share/doc/package-001-x", "/usr/share/doc/package-001"] {
            all.push(Protected { path: path.parse().unwrap(), ..all[0].clone() });
        }
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    #[test]
    fn every_entry_is_read_as_it_was_packed_and_found_by_its_path() {
        let all = many();
        let entries = Entries::pack(all.clone());
        assert_eq!(entries.iter().collect::<Vec<_>>(), all);
        assert_eq!(Entries::read(entries.as_bytes()).unwrap(), entries);
        for entry in &all {
            assert_eq!(entries.find(&entry.path).as_ref(), Some(entry));
            let near = entry.path.join(b"x").unwrap();
            assert_eq!(entries.find(&near), None);
            let below = |it: &&Protected| it.path.is_within(&entry.path) && it != &entry;
            let expected: Vec<Protected> = all.iter().filter(below).cloned().collect();
            assert_eq!(entries.below(&entry.path).collect::<Vec<_>>(), expected);
        }
        assert_eq!(entries.find(&"/a".parse().unwrap()), None);
        assert_eq!(entries.below(&FilePath::root()).count(), all.len());
    }

    #[test]
    fn entries_that_are_cut_or_out_of_order_are_refused() {
        let all = many();
        let entries = Entries::pack(all[..40].to_vec());
        let ends: Vec<usize> =
            (0..40).map(|n| Entries::pack(all[..n].to_vec()).as_bytes().len()).collect();
        for cut in 0..entries.as_bytes().len() {
            let is_whole = ends.contains(&cut);
            assert_eq!(Entries::read(&entries.as_bytes()[..cut]).is_ok(), is_whole, "{cut}");
        }
        let twice = Entries::pack([all[0].clone(), all[0].clone()]);
        let error = Entries::read(twice.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "its entry 1 is not one: it is not in order");
    }

    #[test]
    fn an_entry_takes_at_most_120_bytes() {
        let entries = Entries::pack(many());
        let each = entries.memory_bytes() / entries.len();
        assert!(each <= 120, "{each} bytes an entry");
    }
}
