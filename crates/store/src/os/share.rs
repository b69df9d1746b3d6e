//! What is kept is read by the other control planes, so that each judges its own server's events with theirs: from a place
//! on, a piece at a time. Whose a piece is says the certificate that it came by, whatever stands in it. From where on says
//! the collector that judges it, and nobody else: so whoever is started anew brings nothing twice. Who begins says since
//! when it wants what was written, and is given nothing older.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ringfort_model::identity::witness_of;
use ringfort_model::name::NodeName;
use serde::{Deserialize, Serialize};

use super::claim::public_key;
use super::disk::Disk;
use super::follow::{Follower, Place};
use super::http::{Answer, ask_for};
use super::lately::{Begin, Room, lately};
use super::look::{LookError, of};
use super::offer::Peer;
use crate::format::checkpoint::{hex, unhex};
use crate::format::entry::{Entry, Kind, block, entries_within, packed, unpacked};

/// Where what is kept is asked for: what was written since the time that stands behind it, in microseconds of the Unix
/// epoch, or from a place on, that stands behind the time as `STORE/SEGMENT/NEXT`.
pub(super) const KEPT: &str = "/kept/";
/// A piece ends with what was kept together with the last of so many bytes.
const MOST_PIECE: u64 = 1 << 20;
/// A line that is longer is left out, and counted,
const MOST_LINE: usize = 1 << 20;
/// as is what is more than so many lines,
const MOST_LINES: usize = 1 << 16;
/// or than so many bytes.
const MOST_UNPACKED: usize = 8 << 20;
/// What stands in a block around each line, and around all of them.
const AROUND: usize = 16;
/// What does not pack is a little longer than before, and a head stands before it.
const MOST_PACKED: usize = MOST_UNPACKED + (1 << 20);
/// Who is so many segments behind, a day at least where little is logged, begins with what was written lately.
const MOST_BEHIND: u64 = 24;
/// Who begins is given the newest of it, so many bytes at most: so many pieces come before the first of its own events was
/// waited for in vain, however much is logged. What others delivered there is looked through with it.
const LATELY: Room = Room { own: 64 << 20, others: 32 << 20 };
/// Packing is to cost little: it travels once.
const LEVEL: i32 = 1;
/// Of what is asked and answered.
const VERSION: u32 = 1;

/// Why nothing was read of another machine.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// Nobody was reached, or somebody who is not believed.
    #[error("{0} cannot be asked for what it keeps: {1}")]
    Reach(String, #[source] io::Error),
    /// It does not give it.
    #[error("{0} does not say what it keeps: {1}")]
    Refused(String, String),
    /// What it says is nothing that it could keep.
    #[error("{0} does not answer as one that keeps events")]
    Answer(String),
    /// It cannot be handed on here.
    #[error("what {0} keeps cannot be handed on: {1}")]
    HandOn(String, #[source] io::Error),
}

/// A place in a store that is known by its key: one that was made anew is another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Spot {
    /// The public key, in hexadecimal.
    pub(super) store: String,
    pub(super) place: Place,
}

/// What stands before a piece.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Head {
    version: u32,
    /// The place behind it.
    pub(super) behind: Spot,
    /// Whether it does not go on from the place that was asked for: there is none such in this store.
    pub(super) is_anew: bool,
    /// How many pieces of the store could not be read, and lines not be given; with one for all that there was no room for
    /// at its beginning.
    pub(super) unread: u64,
    /// Whether there is more by now.
    pub(super) is_more: bool,
    /// How long the piece is when it is unpacked.
    length: usize,
}

/// What stands before a piece that is handed on here.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Asked {
    /// What was asked for: another run of the collector wants something else.
    pub(super) wanted: Wanted,
    /// When it was asked for, in microseconds of the Unix epoch: what was kept by then is in it, or in what comes.
    pub(super) at: i64,
}

/// Gives others what is kept here.
pub struct Sharing {
    store: PathBuf,
    /// The machines that may read it, and where each is, in the store with a key.
    readers: BTreeMap<String, Option<(String, Follower)>>,
}

impl Sharing {
    /// Gives what a store holds to these machines, and to nobody else.
    pub fn new(store: PathBuf, readers: impl IntoIterator<Item = String>) -> Self {
        Self { store, readers: readers.into_iter().map(|reader| (reader, None)).collect() }
    }

    /// Answers whom a certificate speaks for.
    pub(super) fn answer(&mut self, caller: &str, path: &str) -> Answer {
        let mut readers = self.readers.iter_mut();
        let Some((_, known)) = readers.find(|(reader, _)| witness_of(reader) == caller) else {
            return Answer::said(403, &"this certificate opens nothing here");
        };
        let Some(wanted) = path.strip_prefix(KEPT).and_then(Wanted::read) else {
            return Answer::said(400, &"this is no place");
        };
        match piece(&self.store, known, wanted) {
            Ok(body) => Answer { status: 200, body },
            Err(error) => Answer::said(503, &error),
        }
    }
}

fn spot(said: &str) -> Option<Spot> {
    let (store, place) = said.split_once('/')?;
    let (segment, next) = place.split_once('/')?;
    let place = Place { segment: segment.parse().ok()?, next: next.parse().ok()? };
    unhex(store).map(|_| Spot { store: store.to_owned(), place })
}

/// Gives what stands behind a place. Who goes on where it was is not looked for anew.
fn piece(
    store: &Path,
    known: &mut Option<(String, Follower)>,
    wanted: Wanted,
) -> Result<Vec<u8>, LookError> {
    let Wanted { since, behind } = wanted;
    let key = hex(&public_key(store).map_err(of(store))?.0);
    let from = behind.filter(|behind| behind.store == key).map(|behind| behind.place);
    let is_there = |(of, known): &(String, Follower)| *of == key && from == Some(known.place());
    let mut begun = match known.take().filter(is_there) {
        Some((_, following)) => Begun { following, is_anew: false, is_cut: false },
        None => begin(store, from, since)?,
    };
    let mut looked = look(&mut begun.following)?;
    if begun.following.is_beyond() {
        begun = begin(store, None, since)?;
        looked = look(&mut begun.following)?;
    }
    let Begun { following, is_anew, is_cut } = begun;
    let behind = Spot { store: key.clone(), place: following.place() };
    let Looked { lines, unread, is_more } = looked;
    let unread = unread + u64::from(is_cut);
    let head = Head { version: VERSION, behind, is_anew, unread, is_more, length: 0 };
    *known = Some((key, following));
    Ok(written(&lines, head))
}

/// Who begins to follow a store.
struct Begun {
    following: Follower,
    /// Whether it begins anew,
    is_anew: bool,
    /// with less than is wanted.
    is_cut: bool,
}

/// Begins at a place, or with what was written since a time. So it does for a place that the store does not have, and for
/// one of long ago.
fn begin(store: &Path, from: Option<Place>, since: i64) -> Result<Begun, LookError> {
    let newest = Follower::new(store, None)?.place().segment;
    let is_there = |from: &Place| from.segment <= newest && newest - from.segment <= MOST_BEHIND;
    let from = from.filter(is_there);
    let Begin { place, is_cut } = match from {
        Some(place) => Begin { place, is_cut: false },
        None => lately(store, since, LATELY)?,
    };
    Ok(Begun { following: Follower::new(store, Some(place))?, is_anew: from.is_none(), is_cut })
}

/// Whether it may be given. What others delivered is theirs, and not this machine's server's.
pub(super) fn is_own(entry: &Entry<'_>) -> bool {
    entry.kind == Kind::Event && !entry.source.contains('/')
}

/// What was looked through.
struct Looked {
    lines: Vec<(i64, Vec<u8>)>,
    unread: u64,
    is_more: bool,
}

/// Looks on for what may be given: whoever reads takes no more at once, whoever says it.
fn look(following: &mut Follower) -> Result<Looked, LookError> {
    let (before, mut lines, mut left_out) = (following.unread(), Vec::new(), 0);
    let mut room = MOST_UNPACKED - AROUND;
    let looked = following.look_at_bytes(MOST_PIECE, &mut |entry| {
        if !is_own(entry) {
            return;
        }
        let weight = entry.text.len() + AROUND;
        let is_line =
            (1..=MOST_LINE).contains(&entry.text.len()) && std::str::from_utf8(entry.text).is_ok();
        if is_line && weight <= room && lines.len() < MOST_LINES {
            room -= weight;
            lines.push((entry.time, entry.text.to_vec()));
        } else {
            left_out += 1;
        }
    })?;
    let unread = following.unread() - before + left_out;
    Ok(Looked { lines, unread, is_more: looked >= MOST_PIECE })
}

fn written(lines: &[(i64, Vec<u8>)], mut head: Head) -> Vec<u8> {
    let entries: Vec<Entry<'_>> = lines
        .iter()
        .map(|(time, text)| Entry { source: "", time: *time, kind: Kind::Event, text })
        .collect();
    let block = block(&entries);
    head.length = block.len();
    let mut body = serde_json::to_vec(&head).expect("a head is plain data");
    body.push(b'\n');
    body.extend(packed(&block, LEVEL));
    body
}

/// Reads what another machine keeps, and hands it on to the collector.
pub struct Reading<D> {
    peer: Peer,
    inbox: D,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Brought {
    /// All that there is.
    All,
    /// Something, and there is more.
    More,
    /// The collector did not take yet what was brought before, or has not begun: nobody was asked.
    Waits,
}

impl<D: Disk> Reading<D> {
    /// Reads of a machine into the directory that the collector takes it from.
    pub fn new(peer: Peer, inbox: D) -> Self {
        Self { peer, inbox }
    }

    /// The machine.
    pub fn machine(&self) -> &str {
        &self.peer.machine
    }

    /// Reads on from where the collector is, at a time in microseconds of the Unix epoch, and hands over what there is.
    ///
    /// # Errors
    /// Nothing was handed over, and it goes on from the same place.
    pub fn read(&mut self, now: i64) -> Result<Brought, ShareError> {
        let machine = self.peer.machine.clone();
        let wanted = wanted(&self.inbox, &machine);
        let wanted = wanted.map_err(|error| ShareError::HandOn(machine.clone(), error))?;
        let Some(wanted) = wanted else { return Ok(Brought::Waits) };
        let answer = self.ask(&format!("{KEPT}{}", wanted.said()))?;
        let Some((head, _)) = read(&answer) else { return Err(ShareError::Answer(machine)) };
        hand_on(&mut self.inbox, &machine, &Asked { wanted, at: now }, &answer)
            .map_err(|error| ShareError::HandOn(machine, error))?;
        Ok(if head.is_more { Brought::More } else { Brought::All })
    }

    fn ask(&self, path: &str) -> Result<Vec<u8>, ShareError> {
        let Peer { machine, at, tls } = &self.peer;
        let (status, answer) = ask_for(tls, *at, ("GET", path), b"", MOST_PACKED)
            .map_err(|error| ShareError::Reach(machine.clone(), error))?;
        if !status.starts_with("200") {
            return Err(ShareError::Refused(machine.clone(), status));
        }
        Ok(answer)
    }
}

/// Reads a piece. Only events come of it, and no more than whoever keeps them would give, whatever it holds.
fn read(answer: &[u8]) -> Option<(Head, Vec<String>)> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&answer[..end]).ok()?;
    if head.version != VERSION || head.length > MOST_UNPACKED || answer.len() > MOST_PACKED {
        return None;
    }
    unhex(&head.behind.store)?;
    let block = unpacked(&answer[end + 1..], head.length)?;
    let text = |entry: Entry<'_>| {
        let text = std::str::from_utf8(entry.text).ok()?;
        (1..=MOST_LINE).contains(&text.len()).then(|| text.to_owned())
    };
    let entries = entries_within(&block, MOST_LINES)?;
    let texts: Option<Vec<String>> = entries.into_iter().map(text).collect();
    Some((head, texts?))
}

/// From where on a collector wants more of a machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wanted {
    /// Since when, in microseconds of the Unix epoch, what was written matters to it, where there is no place to go on from,
    pub(super) since: i64,
    /// and the place; nothing at the beginning.
    pub(super) behind: Option<Spot>,
}

impl Wanted {
    /// Writes it as it is asked for.
    fn said(&self) -> String {
        let Self { since, behind } = self;
        behind.as_ref().map_or_else(
            || since.to_string(),
            |Spot { store, place: Place { segment, next } }| {
                format!("{since}/{store}/{segment}/{next}")
            },
        )
    }

    /// Reads what is asked for.
    fn read(said: &str) -> Option<Self> {
        let Some((since, place)) = said.split_once('/') else {
            return Some(Self { since: said.parse().ok()?, behind: None });
        };
        Some(Self { since: since.parse().ok()?, behind: Some(spot(place)?) })
    }
}

/// The end of the name of the file in which a piece of a machine waits,
const PIECE: &str = "piece";
/// and of the one in which stands from where on more is wanted.
const PLACE: &str = "place";

fn file(machine: &str, kind: &str) -> String {
    format!("{machine}.{kind}")
}

/// Says from where on more of a machine is wanted.
pub(super) fn want<D: Disk>(disk: &mut D, machine: &str, wanted: &Wanted) -> io::Result<()> {
    disk.put(&file(machine, PLACE), &serde_json::to_vec(wanted).expect("a place is plain data"))
}

/// Gives from where on more is wanted; nothing while what was brought before waits, or nobody wants anything. The place
/// is written before the piece is gone, so it is known by then.
fn wanted<D: Disk>(disk: &D, machine: &str) -> io::Result<Option<Wanted>> {
    let (piece, place) = (file(machine, PIECE), file(machine, PLACE));
    let names = disk.names()?;
    if names.contains(&piece) || !names.contains(&place) {
        return Ok(None);
    }
    serde_json::from_slice(&disk.read(&place)?).map(Some).map_err(io::Error::other)
}

/// Tells, by machine, how many milliseconds ago a collector took what came of it: the place behind that is written down
/// then. Of whom nothing came since it began has no place. A directory that is not there holds nothing.
pub(super) fn heard(inbox: &Path) -> io::Result<BTreeMap<NodeName, u64>> {
    let mut heard = BTreeMap::new();
    let entries = match std::fs::read_dir(inbox) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(heard),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let machine = name.to_str().and_then(|name| name.strip_suffix(PLACE)?.strip_suffix('.'));
        let Some(machine) = machine.and_then(|machine| NodeName::new(machine).ok()) else {
            continue;
        };
        let Ok(Wanted { behind: Some(_), .. }) =
            serde_json::from_slice(&std::fs::read(entry.path())?)
        else {
            continue;
        };
        // Where the clock was set back meanwhile nobody knows when that was: what comes next is written by the new time.
        let Ok(ago) = entry.metadata()?.modified()?.elapsed() else { continue };
        heard.insert(machine, u64::try_from(ago.as_millis()).unwrap_or(u64::MAX));
    }
    Ok(heard)
}

/// Hands a piece on as it came.
fn hand_on<D: Disk>(disk: &mut D, machine: &str, asked: &Asked, piece: &[u8]) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(asked).expect("a place is plain data");
    bytes.push(b'\n');
    bytes.extend_from_slice(piece);
    disk.put(&file(machine, PIECE), &bytes)
}

/// Gives what waits of a machine; nothing where nothing does.
pub(super) fn waiting<D: Disk>(disk: &D, machine: &str) -> io::Result<Option<Vec<u8>>> {
    match disk.read(&file(machine, PIECE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Reads what waits, as it was asked for. Nothing comes of what nobody could have handed on.
pub(super) fn handed_on(bytes: &[u8]) -> Option<(Asked, Head, Vec<String>)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let asked = serde_json::from_slice(&bytes[..end]).ok()?;
    let (head, lines) = read(&bytes[end + 1..])?;
    Some((asked, head, lines))
}

/// Takes away what waits of a machine.
pub(super) fn taken<D: Disk>(disk: &mut D, machine: &str) -> io::Result<()> {
    match disk.remove(&file(machine, PIECE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a machine would hand on, for tests: these lines, from one place of its store to another.
#[cfg(test)]
pub(super) fn bring<D: Disk>(
    disk: &mut D,
    machine: &str,
    (asked, behind): (Asked, Spot),
    lines: &[String],
    (is_anew, is_more, unread): (bool, bool, u64),
) -> io::Result<()> {
    let lines: Vec<(i64, Vec<u8>)> = lines.iter().map(|it| (7, it.as_bytes().to_vec())).collect();
    let head = Head { version: VERSION, behind, is_anew, unread, is_more, length: 0 };
    hand_on(disk, machine, &asked, &written(&lines, head))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{
        Head, MOST_LINE, MOST_LINES, MOST_UNPACKED, Place, Spot, VERSION, Wanted, heard, read,
        written,
    };

    fn head() -> Head {
        let place = Place { segment: 1, next: 2 };
        let behind = Spot { store: "ab".repeat(32), place };
        let (is_anew, is_more) = (false, false);
        Head { version: VERSION, behind, is_anew, unread: 0, is_more, length: 0 }
    }

    fn lines(count: usize, text: &[u8]) -> Vec<(i64, Vec<u8>)> {
        vec![(7, text.to_vec()); count]
    }

    /// Whoever is root on another control plane says what it wants.
    #[test]
    fn a_piece_that_nobody_would_give_is_none() {
        let read = |lines: &[(i64, Vec<u8>)]| read(&written(lines, head())).map(|it| it.1.len());
        assert_eq!(read(&[]), Some(0));
        assert_eq!(read(&lines(MOST_LINES, b"{}")), Some(MOST_LINES));
        assert_eq!(read(&lines(MOST_LINES + 1, b"{}")), None, "too many");
        assert_eq!(read(&lines(1, b"")), None, "an empty one");
        assert_eq!(read(&lines(1, b"\xff")), None, "no text");
        let long = vec![b'x'; MOST_LINE];
        assert_eq!(read(&lines(7, &long)), Some(7));
        assert_eq!(read(&lines(1, &[&long[..], b"x"].concat())), None, "a long one");
        assert_eq!(read(&lines(MOST_UNPACKED / MOST_LINE, &long)), None, "too much in all");
        let nameless = Spot { store: "../x".to_owned(), ..head().behind };
        assert!(super::read(&written(&[], Head { behind: nameless, ..head() })).is_none());
        assert!(super::read(b"").is_none());
    }

    #[test]
    fn what_is_wanted_is_read_as_it_is_asked_for() {
        for behind in [None, Some(head().behind)] {
            let wanted = Wanted { since: -7, behind };
            assert_eq!(Wanted::read(&wanted.said()), Some(wanted));
        }
        for said in ["", "/", "x", "7/", "7/1/2"] {
            assert_eq!(Wanted::read(said), None, "{said}");
        }
    }

    #[test]
    fn who_was_heard_is_told_by_what_a_collector_wrote_down() {
        let at = tempfile::tempdir().unwrap();
        let inbox = at.path().join("inbox");
        assert!(heard(&inbox).unwrap().is_empty(), "nobody judges together");
        std::fs::create_dir(&inbox).unwrap();
        let wanted = Wanted { since: 7, behind: Some(head().behind) };
        let place = serde_json::to_vec(&wanted).unwrap();
        let begins = serde_json::to_vec(&Wanted { behind: None, ..wanted }).unwrap();
        for (name, bytes) in [
            ("cp1.place", &place[..]),
            ("cp2.place", &begins[..]),
            ("cp3.piece", &place[..]),
            ("cp4.place.tmp", &place[..]),
            ("cp5.place", b"{"),
            (".place", &place[..]),
            ("cp6.place", &place[..]),
        ] {
            std::fs::write(inbox.join(name), bytes).unwrap();
        }
        let (now, away) = (SystemTime::now(), Duration::from_secs(90));
        for (name, at) in [("cp1.place", now - away), ("cp6.place", now + away)] {
            let file = std::fs::File::options().write(true).open(inbox.join(name)).unwrap();
            file.set_modified(at).unwrap();
        }
        let told = heard(&inbox).unwrap();
        let told: Vec<(&str, bool)> =
            told.iter().map(|(machine, ago_ms)| (machine.as_str(), *ago_ms >= 90_000)).collect();
        assert_eq!(told, [("cp1", true)], "a time to come is none");
    }
}
