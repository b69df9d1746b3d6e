//! Who begins is given what was written since a time, and nothing older, wherever it is kept.

use std::path::Path;

use super::*;
use crate::os::claim;
use crate::os::follow::Follower;
use crate::os::lately::{Begin, Room, lately};

/// 2026-01-05T10:00:00Z, in microseconds: each event is as many of them later as its number says.
const FIRST: i64 = 1_767_607_200_000_000;
/// Now, in seconds.
const NOW: i64 = FIRST / 1_000_000 + 60;
const MOST: Room = Room { own: 64 << 20, others: 64 << 20 };

/// A line of somebody's.
fn of(source: &str, text: &str) -> (String, String) {
    (source.to_owned(), text.to_owned())
}

fn own(numbers: &[u64]) -> Vec<(String, String)> {
    numbers.iter().map(|number| of("cp2", &event(*number))).collect()
}

fn entry((source, text): &(String, String)) -> Entry<'_> {
    Entry { source, time: 7, kind: Kind::Event, text: text.as_bytes() }
}

/// Keeps groups one after the other, and seals them where that is wanted.
fn keep(store: &Path, groups: &[Vec<(String, String)>], limits: Limits) {
    let claimed = claim(store).unwrap();
    let (mut kept, _) = Store::open(claimed.directory, claimed.key, limits, NOW).unwrap();
    for group in groups {
        let entries: Vec<Entry<'_>> = group.iter().map(entry).collect();
        kept.append(&entries, b"", NOW).unwrap();
    }
    kept.tend(NOW).unwrap();
}

fn sealed(store: &Path, groups: &[Vec<(String, String)>]) {
    keep(store, groups, Limits { seal_seconds: 0, ..ALL });
}

/// What is visited from there on, and how much of it cannot be read.
fn visited(store: &Path, since: i64) -> (Vec<String>, u64) {
    let (texts, is_cut, unread) = all_given(store, since, MOST);
    assert!(!is_cut);
    (texts, unread)
}

/// What is visited from there on, and whether there was no room for more.
fn given(store: &Path, since: i64, room: Room) -> (Vec<String>, bool) {
    let (texts, is_cut, unread) = all_given(store, since, room);
    assert_eq!(unread, 0);
    (texts, is_cut)
}

fn all_given(store: &Path, since: i64, room: Room) -> (Vec<String>, bool, u64) {
    let Begin { place, is_cut } = lately(store, since, room).unwrap();
    let mut follower = Follower::new(store, Some(place)).unwrap();
    let mut texts = Vec::new();
    let mut visit = |entry: &Entry<'_>| texts.push(String::from_utf8(entry.text.to_vec()).unwrap());
    while follower.look(&mut visit).unwrap() > 0 {}
    (texts, is_cut, follower.unread())
}

fn events(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(event).collect()
}

/// Two segments that are sealed, each of one block, and one that is written to.
fn store(at: &Path) {
    sealed(at, &[own(&[0, 1]), own(&[2])]);
    sealed(at, &[own(&[3]), own(&[4, 5])]);
    keep(at, &[own(&[6]), own(&[7, 8])], ALL);
}

#[test]
fn nothing_that_is_older_is_given_wherever_it_is_kept() {
    let at = tempfile::tempdir().unwrap();
    store(at.path());
    for number in 0_u64..9 {
        let given = given(at.path(), FIRST + number.cast_signed(), MOST);
        assert_eq!(given, (events(number..9), false), "since {number}");
    }
    assert_eq!(given(at.path(), i64::MIN, MOST), (events(0..9), false));
    // Nothing was written since: what comes from now on is.
    let Begin { place, .. } = lately(at.path(), FIRST + 9, MOST).unwrap();
    keep(at.path(), &[own(&[9])], ALL);
    let mut texts = Vec::new();
    let mut follower = Follower::new(at.path(), Some(place)).unwrap();
    follower.look(&mut |entry| texts.push(entry.text.to_vec())).unwrap();
    assert_eq!(texts, [event(9).into_bytes()]);
}

#[test]
fn no_more_is_given_than_may_be_and_of_that_the_newest() {
    let at = tempfile::tempdir().unwrap();
    store(at.path());
    let of = |events: u64| Room { own: events * event(0).len() as u64, others: 0 };
    let cut = |from: u64| (events(from..9), true);
    assert_eq!(given(at.path(), FIRST, of(2)), cut(7));
    assert_eq!(given(at.path(), FIRST, of(3)), cut(6));
    assert_eq!(given(at.path(), FIRST, of(5)), cut(6), "a block is given whole or not");
    assert_eq!(given(at.path(), FIRST, of(9)), (events(0..9), false));
    assert_eq!(given(at.path(), FIRST, of(1)), cut(9));
    // What is not wanted needs no room.
    assert_eq!(given(at.path(), FIRST + 6, of(3)), (events(6..9), false));
}

/// Whoever may deliver anything there fills it, and takes nothing away of what the server logged.
#[test]
fn what_others_delivered_has_room_of_its_own_and_is_counted_where_that_is_gone() {
    let at = tempfile::tempdir().unwrap();
    let delivered = || vec![of("agent/w1", &event(0))];
    keep(at.path(), &[own(&[4]), delivered(), own(&[5]), delivered(), own(&[6])], ALL);
    let room = |others: u64| {
        let bytes = event(0).len() as u64;
        Room { own: 3 * bytes, others: others * bytes }
    };
    let all = [event(4), event(0), event(5), event(0), event(6)];
    assert_eq!(given(at.path(), FIRST, room(2)), (all.to_vec(), false));
    assert_eq!(given(at.path(), FIRST, room(1)), (all[2..].to_vec(), true));
}

/// What is wanted may stand in it.
#[test]
fn what_cannot_be_read_before_all_that_is_given_is_visited_and_counted() {
    let since = FIRST + 6;
    let damaged = |damage: &dyn Fn(&mut Vec<u8>)| {
        let at = tempfile::tempdir().unwrap();
        store(at.path());
        let file = at.path().join(crate::os::store::name(2, "seg"));
        let mut bytes = std::fs::read(&file).unwrap();
        damage(&mut bytes);
        std::fs::write(&file, bytes).unwrap();
        visited(at.path(), since)
    };
    assert_eq!(damaged(&|_| ()), (events(6..9), 0));
    let block = |bytes: &mut Vec<u8>| {
        let table = crate::format::sealed::Table::of(bytes).unwrap();
        // Nothing that is packed begins so.
        bytes[table.blocks[0].at as usize] ^= 0xff;
    };
    assert_eq!(damaged(&block), (events(6..9), 1), "a block");
    assert_eq!(damaged(&|bytes| bytes.truncate(40)), (events(6..9), 1), "its table");
}

/// A watch that ends has the time at which it began, and an agent may deliver what it found long ago.
#[test]
fn what_came_long_ago_and_is_written_now_keeps_nothing_back() {
    let at = tempfile::tempdir().unwrap();
    let began = r#""requestReceivedTimestamp":"2026-01-05T09:00:00.000000Z""#;
    let ended = r#""stageTimestamp":"2026-01-05T10:00:00.000006Z""#;
    let (before, _) = event(6).rsplit_once(r#""requestReceivedTimestamp""#).map(owned).unwrap();
    let watch = format!("{before}{began},{ended}}}");
    let delivered = of("agent/w1", &event(0));
    let group = |text: &str| vec![of("cp2", text)];
    keep(at.path(), &[own(&[4]), own(&[5]), group(&watch), vec![delivered], own(&[7])], ALL);
    let expected = [event(5), watch, event(0), event(7)];
    assert_eq!(given(at.path(), FIRST + 5, MOST), (expected.to_vec(), false));
}

fn owned((before, behind): (&str, &str)) -> (String, String) {
    (before.to_owned(), behind.to_owned())
}

#[test]
fn a_store_that_holds_nothing_is_begun_at_its_beginning() {
    let at = tempfile::tempdir().unwrap();
    let Begin { place, is_cut } = lately(at.path(), FIRST, MOST).unwrap();
    assert_eq!((place.segment, place.next, is_cut), (1, 0, false));
}
