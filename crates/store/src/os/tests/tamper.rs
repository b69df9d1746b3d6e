//! Somebody has been at a store. Each thing that can be done to it is seen, and told with its place.

use ringfort_pki::{Ed25519Key, Ed25519Public};

use super::*;
use crate::format::checkpoint::{Checkpoint, Signed};
use crate::format::open::{Group, Start};
use crate::format::sealed::{Table, seal};
use crate::format::verify::{File, Verifier, Wrong};

/// A store of three sealed segments and one that is written to, with its key.
fn made() -> (Memory, String) {
    let document = Ed25519Key::make().unwrap().pem().unwrap().expose().clone();
    let disk = Memory::new(3);
    let limits = Limits { seal_bytes: 1 << 30, ..ALL };
    let key = Ed25519Key::read(&document).unwrap();
    let (mut store, _) = Store::open(disk.clone(), key, limits, 0).unwrap();
    for part in 0..4_u64 {
        for group in 0..3 {
            let first = 30 * part + 10 * group;
            append(&mut store, first..first + 10, 100 * part.cast_signed()).unwrap();
        }
        if part < 3 {
            assert!(store.tend(100 * part.cast_signed() + 60).unwrap().is_some());
        }
    }
    assert_eq!(verified(&disk, &document).wrong, []);
    (disk, document)
}

fn check(expected: &[(u64, Wrong)], act: impl FnOnce(&Memory)) {
    let (disk, document) = made();
    act(&disk);
    let report = verified(&disk, &document);
    let found: Vec<_> = report.wrong.iter().map(|it| (it.segment, it.wrong)).collect();
    assert_eq!(found, expected);
}

const SECOND: &str = "0000000002.seg";
const SECOND_POINT: &str = "0000000002.checkpoint";
const OPEN: &str = "0000000004.open";

fn altered(disk: &Memory, name: &str, act: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.file(name).unwrap();
    act(&mut bytes);
    disk.replace(name, Some(bytes));
}

/// Seals a segment anew, with one event of it left out or exchanged.
fn forged(disk: &Memory, key: &Ed25519Key) -> crate::format::sealed::Sealed {
    let table = Table::of(&disk.file(SECOND).unwrap()).unwrap();
    let text = event(999);
    let entry = Entry { source: "a", time: 7, kind: Kind::Event, text: text.as_bytes() };
    let entries = vec![entry; table.count() as usize];
    let group = Group::of(&table.start, table.start.first, &table.start.before, &entries, b"", key);
    seal(table.start, &[group]).unwrap()
}

#[test]
fn a_segment_that_was_rewritten_is_seen_wherever_that_is() {
    let (disk, _) = made();
    let length = disk.file(SECOND).unwrap().len();
    let index = Table::of(&disk.file(SECOND).unwrap()).unwrap().index.0 as usize;
    for at in (0..length).step_by(11) {
        let wrong = if at < 8 || at >= index { None } else { Some(Wrong::Rewritten) };
        let (disk, document) = made();
        altered(&disk, SECOND, |bytes| bytes[at.min(length - 1)] ^= 1);
        let report = verified(&disk, &document);
        assert_eq!(report.wrong.len(), 1, "byte {at}: {report:?}");
        assert_eq!(report.wrong[0].segment, 2, "byte {at}");
        assert_eq!(report.wrong[0].entries, Some((31, 60)), "byte {at}");
        if let Some(wrong) = wrong {
            assert_eq!(report.wrong[0].wrong, wrong, "byte {at}");
        }
    }
}

#[test]
fn a_segment_made_anew_without_the_key_is_seen() {
    let stranger = Ed25519Key::make().unwrap();
    check(&[(2, Wrong::Rewritten)], |disk| {
        let sealed = forged(disk, &stranger);
        disk.replace(SECOND, Some(sealed.bytes));
    });
    check(&[(2, Wrong::Forged), (3, Wrong::Broken)], |disk| {
        let sealed = forged(disk, &stranger);
        let old = Signed::read(&disk.file(SECOND_POINT).unwrap()).unwrap();
        let said: Checkpoint = serde_json::from_str(&old.statement).unwrap();
        let point = Checkpoint::of(&sealed, said.sealed, &said.previous);
        disk.replace(SECOND_POINT, Some(Signed::new(&point, &stranger).bytes()));
        disk.replace(SECOND, Some(sealed.bytes));
    });
}

#[test]
fn what_is_shortened_removed_or_exchanged_is_seen() {
    check(&[(2, Wrong::Shortened)], |disk| {
        altered(disk, SECOND, |bytes| bytes.truncate(bytes.len() - 40));
    });
    check(&[(2, Wrong::Gone)], |disk| disk.replace(SECOND, None));
    check(&[(2, Wrong::NoCheckpoint), (3, Wrong::Broken)], |disk| {
        disk.replace(SECOND_POINT, None);
        disk.replace(SECOND, None);
    });
    check(&[(3, Wrong::NoCheckpoint), (4, Wrong::Broken)], |disk| {
        disk.replace("0000000003.checkpoint", None);
        disk.replace("0000000003.seg", None);
    });
    check(&[(1, Wrong::Rewritten), (2, Wrong::Rewritten)], |disk| {
        let (one, two) = (disk.file("0000000001.seg"), disk.file(SECOND));
        disk.replace("0000000001.seg", two);
        disk.replace(SECOND, one);
    });
    check(&[(1, Wrong::Exchanged), (2, Wrong::Exchanged), (3, Wrong::Broken)], |disk| {
        for kind in ["seg", "checkpoint"] {
            let (one, two) = (format!("0000000001.{kind}"), format!("0000000002.{kind}"));
            let (first, second) = (disk.file(&one), disk.file(&two));
            disk.replace(&one, second);
            disk.replace(&two, first);
        }
    });
}

#[test]
fn what_is_done_to_the_segment_that_is_written_to_is_seen() {
    let (disk, _) = made();
    let length = disk.file(OPEN).unwrap().len();
    let (first, _) = Group::read(&disk.file(OPEN).unwrap()[START_BYTES..])
        .map(|(group, length)| (START_BYTES + length, group))
        .unwrap();
    let (_, second) = Group::read(&disk.file(OPEN).unwrap()[first..]).unwrap();
    check(&[(4, Wrong::Damaged)], |disk| altered(disk, OPEN, |bytes| bytes[first + 40] ^= 1));
    check(&[(4, Wrong::Damaged)], |disk| {
        altered(disk, OPEN, |bytes| drop(bytes.drain(first..first + second)));
    });
    check(&[(4, Wrong::Broken)], |disk| altered(disk, OPEN, |bytes| bytes[9] ^= 1));
    check(&[(4, Wrong::Damaged)], |disk| {
        // With sums and chain in order, and without the key.
        let stranger = Ed25519Key::make().unwrap();
        altered(disk, OPEN, |bytes| {
            let start = Start::read(bytes).unwrap();
            let text = event(999);
            let entry = Entry { source: "a", time: 7, kind: Kind::Event, text: text.as_bytes() };
            let group = Group::of(&start, 91, &start.before, &[entry], b"", &stranger);
            bytes.truncate(START_BYTES);
            bytes.extend_from_slice(&group.bytes());
        });
    });
    assert!(length > first + second);
}

#[test]
fn a_damaged_segment_is_kept_and_what_is_whole_of_it_goes_on() {
    let (disk, document) = made();
    altered(&disk, OPEN, |bytes| {
        let (_, empty) = Group::read(&bytes[START_BYTES..]).unwrap();
        bytes[START_BYTES + empty + 100] ^= 1;
    });
    let before = disk.file(OPEN).unwrap();
    let key = Ed25519Key::read(&document).unwrap();
    let (mut store, found) = Store::open(disk.clone(), key, ALL, 0).unwrap();
    assert!(found.is_damaged);
    assert_eq!(store.cursors(), b"120");
    append(&mut store, 120..121, 0).unwrap();
    let expected: Vec<String> = (0..90).chain(100..121).map(event).collect();
    assert_eq!(stored(&disk), expected);
    assert_eq!(disk.file("0000000004.damaged"), Some(before));
    let wrong = verified(&disk, &document).wrong;
    assert_eq!(wrong.iter().map(|it| it.wrong).collect::<Vec<_>>(), [Wrong::Damaged]);
}

#[test]
fn a_history_that_the_key_itself_rewrote_is_seen_by_a_witness() {
    let (disk, document) = made();
    let (key, witness) = (Ed25519Key::read(&document).unwrap(), Ed25519Key::make().unwrap());
    let last = "0000000003.checkpoint";
    let mut seen = Signed::read(&disk.file(last).unwrap()).unwrap();
    let report = |disk: &Memory, seen: &Signed, witness: Ed25519Public| {
        let mut verifier = Verifier::new(key.public(), None);
        for number in 1..=3 {
            let point = disk.file(&format!("{number:010}.checkpoint"));
            let file = disk.file(&format!("{number:010}.seg"));
            verifier.sealed(number, point.as_deref(), File::Whole(&file.unwrap()));
        }
        verifier.witnessed(seen, &witness);
        verifier.end()
    };
    let wrong = |report: crate::format::verify::Report| {
        report.wrong.iter().map(|it| (it.segment, it.wrong)).collect::<Vec<_>>()
    };
    assert_eq!(wrong(report(&disk, &seen, witness.public())), [(0, Wrong::NoWitness)]);
    seen.countersign(&witness, 360);
    let looked = report(&disk, &seen, witness.public());
    assert_eq!((looked.witnessed, looked.wrong.len()), (1, 0));
    let said: Checkpoint = serde_json::from_str(&seen.statement).unwrap();
    let other = Checkpoint { sealed: said.sealed + 1, ..said };
    disk.replace(last, Some(Signed::new(&other, &key).bytes()));
    assert_eq!(wrong(report(&disk, &seen, witness.public())), [(3, Wrong::Witness)]);
}
