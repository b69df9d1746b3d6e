//! A witness that was shown a log tells it from another of the same machine, whatever key that has, also over crashes.

use ringfort_pki::Ed25519Key;

use super::*;
use crate::format::checkpoint::{Checkpoint, Signed, VERSION, hex};
use crate::format::verify::{File, Verifier, Wrong};
use crate::format::witness::{Note, Refused};
use crate::os::notes::Notes;
use crate::os::witness::{SeeError, Witness};

/// Checkpoints of a log, a word for each segment.
fn chain(key: &Ed25519Key, words: &str) -> Vec<Signed> {
    let (mut previous, mut before, mut row) = (String::new(), [0; 32], Vec::new());
    for (number, word) in (1..).zip(words.bytes()) {
        let after: [u8; 32] = blake3::hash(&[&before[..], &[word]].concat()).into();
        let checkpoint = Checkpoint {
            version: VERSION,
            segment: number,
            first: 10 * number - 9,
            last: 10 * number,
            unreadable: 0,
            before: hex(&before),
            after: hex(&after),
            times: Some((number.cast_signed(), number.cast_signed())),
            file: "f".to_owned(),
            bytes: 5,
            sealed: 1_000 * number.cast_signed(),
            previous: previous.clone(),
        };
        let signed = Signed::new(&checkpoint, key);
        (previous, before) = (signed.digest(), after);
        row.push(signed);
    }
    row
}

/// A key as text, since keys are no values.
fn document() -> String {
    Ed25519Key::make().unwrap().pem().unwrap().expose().clone()
}

fn key(document: &str) -> Ed25519Key {
    Ed25519Key::read(document).unwrap()
}

fn open(disk: &Memory, document: &str) -> Witness<Memory> {
    Witness::open(Notes::new(disk.clone()), key(document)).unwrap()
}

fn refusal(
    witness: &mut Witness<Memory>,
    store: &Ed25519Key,
    row: &[Signed],
) -> Result<usize, Refused> {
    match witness.see("cp1", store.public(), row, 77) {
        Ok(sight) => Ok(sight.signatures.len()),
        Err(SeeError::Refused(refused)) => Err(refused),
        Err(SeeError::Notes(error)) => panic!("{error}"),
    }
}

#[test]
fn what_goes_on_from_what_was_seen_is_signed_and_nothing_else() {
    let (disk, own, store) = (Memory::new(3), document(), key(&document()));
    let mut witness = open(&disk, &own);
    let row = chain(&store, "abcde");
    assert_eq!(refusal(&mut witness, &store, &[]), Err(Refused::Nothing));
    let mut see = |now| {
        let sight = witness.see("cp1", store.public(), &row[1..3], now).unwrap();
        assert!(!sight.is_another && sight.through == 3);
        (sight.signatures, disk.file("seen.cp1").unwrap().len())
    };
    let first = see(5_000);
    // Shown again it was seen when it was seen first, and nothing more is noted.
    assert_eq!(see(9_000), first);
    let other = chain(&store, "abXde");
    let stranger = key(&document());
    let strange = chain(&stranger, "abcde");
    let renamed = Signed { statement: row[3].statement.replace("40", "41"), ..row[3].clone() };
    let mixed = [row[2].clone(), other[3].clone()];
    // After a restart it is the same.
    for round in 0..2 {
        let mut check = |row: &[Signed], expected: Result<usize, Refused>| {
            assert_eq!(refusal(&mut witness, &store, row), expected, "round {round}");
        };
        check(&other[2..], Err(Refused::Fork { segment: 3 }));
        check(&other[3..], Err(Refused::Fork { segment: 4 }));
        check(&row[..2], Err(Refused::RolledBack { newest: 2, seen: 3 }));
        check(&row[4..], Err(Refused::Gap { seen: 3 }));
        check(&mixed, Err(Refused::Broken));
        check(std::slice::from_ref(&renamed), Err(Refused::Forged));
        check(&strange[3..], Err(Refused::Forged));
        witness = open(&disk, &own);
    }
    // What came before the first that was seen is known by its row.
    assert_eq!(refusal(&mut witness, &store, &row[..4]), Ok(4));
    assert_eq!(witness.last("cp1", &store.public()), Some(4));
    // Another machine's log is another matter.
    assert!(!witness.see("cp2", stranger.public(), &strange[..1], 1).unwrap().is_another);
    assert_eq!(witness.last("cp2", &stranger.public()), Some(1));
}

/// A machine that was set up anew goes on being witnessed, and neither of its logs may be told otherwise.
#[test]
fn a_log_of_another_key_is_another_log_and_hides_nothing_of_the_one_before() {
    let (disk, own) = (Memory::new(3), document());
    let mut witness = open(&disk, &own);
    let (old, new) = (key(&document()), key(&document()));
    refusal(&mut witness, &old, &chain(&old, "abc")).unwrap();
    let begun = chain(&new, "x");
    assert!(witness.see("cp1", new.public(), &begun, 7).unwrap().is_another);
    assert!(!witness.see("cp1", new.public(), &begun, 8).unwrap().is_another);
    for _ in 0..2 {
        let shorter = refusal(&mut witness, &old, &chain(&old, "ab"));
        assert_eq!(shorter, Err(Refused::RolledBack { newest: 2, seen: 3 }));
        let other = refusal(&mut witness, &new, &chain(&new, "yz"));
        assert_eq!(other, Err(Refused::Fork { segment: 1 }));
        witness = open(&disk, &own);
    }
    let wrong = looked(&new, &begun, &disk, &key(&own)).wrong;
    let wrong: Vec<_> = wrong.iter().map(|it| (it.segment, it.entries, it.wrong)).collect();
    assert_eq!(wrong, [(1, Some((1, 30)), Wrong::Replaced)]);
}

#[test]
fn a_refusal_is_noted_once_and_what_is_not_signed_at_all_never() {
    let (disk, own, store) = (Memory::new(3), document(), key(&document()));
    let mut witness = open(&disk, &own);
    let (row, other) = (chain(&store, "abc"), chain(&store, "aXc"));
    refusal(&mut witness, &store, &row).unwrap();
    let length = disk.file("seen.cp1").unwrap().len();
    let forged = Signed { statement: row[2].statement.replace("30", "31"), ..row[2].clone() };
    refusal(&mut witness, &store, std::slice::from_ref(&forged)).unwrap_err();
    assert_eq!(disk.file("seen.cp1").unwrap().len(), length);
    for _ in 0..3 {
        refusal(&mut witness, &store, &other).unwrap_err();
        witness = open(&disk, &own);
    }
    let text = String::from_utf8(disk.file("seen.cp1").unwrap()).unwrap();
    let refused: Vec<Note> = text
        .lines()
        .map(|line| Note::read(line.as_bytes()).unwrap())
        .filter(|it| it.refused.is_some())
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].refused.as_ref().unwrap().contains("segment 2"), "{refused:?}");
}

#[test]
fn whoever_got_a_signature_is_remembered_wherever_the_power_goes() {
    let (own, store) = (document(), key(&document()));
    let row = chain(&store, "abcdef");
    for steps in 0..40 {
        let disk = Memory::new(steps + 1);
        let mut witness = open(&disk, &own);
        refusal(&mut witness, &store, &row[..1]).unwrap();
        disk.set(steps, usize::MAX);
        let mut through = 1;
        for (number, one) in (2..).zip(&row[1..]) {
            if witness.see("cp1", store.public(), std::slice::from_ref(one), 7).is_err() {
                break;
            }
            through = number;
        }
        drop(witness);
        disk.lose_power();
        let mut witness = open(&disk, &own);
        let last = witness.last("cp1", &store.public()).unwrap();
        assert!(last == through || last == through + 1, "{steps}: {last} of {through}");
        assert_eq!(refusal(&mut witness, &store, &row), Ok(6), "{steps}");
    }
}

#[test]
fn a_full_disk_signs_nothing_and_a_foreign_file_is_not_believed() {
    let (disk, own, store) = (Memory::new(3), document(), key(&document()));
    let mut witness = open(&disk, &own);
    let row = chain(&store, "abc");
    refusal(&mut witness, &store, &row[..1]).unwrap();
    disk.set(u64::MAX, 1_500);
    let full = witness.see("cp1", store.public(), &row[1..], 7);
    assert!(matches!(full, Err(SeeError::Notes(_))), "what is not noted is not signed");
    assert_eq!(witness.last("cp1", &store.public()), Some(1));
    disk.set(u64::MAX, usize::MAX);
    assert_eq!(refusal(&mut witness, &store, &row), Ok(3));
    // Somebody else's notes, or none, do not pass for one's own.
    assert!(Witness::open(Notes::new(disk.clone()), key(&document())).is_err());
    disk.replace("seen.cp1", Some(b"{}\n".to_vec()));
    assert!(Witness::open(Notes::new(disk), key(&own)).is_err());
}

/// Verifies the checkpoints of a log by what a witness noted of it.
fn looked(
    store: &Ed25519Key,
    row: &[Signed],
    seen: &Memory,
    witness: &Ed25519Key,
) -> crate::format::verify::Report {
    let mut verifier = Verifier::new(store.public(), None);
    for (number, signed) in (1..).zip(row) {
        verifier.sealed(number, Some(&signed.bytes()), File::Long(5));
    }
    let text = String::from_utf8(seen.file("seen.cp1").unwrap()).unwrap();
    for note in text.lines().map(|line| Note::read(line.as_bytes()).unwrap()) {
        if note.refused.is_none() {
            verifier.witnessed(&note.signed, &witness.public());
        }
    }
    verifier.end()
}

#[test]
fn a_log_that_its_own_key_wrote_anew_is_told_by_the_witness() {
    let (disk, own, store) = (Memory::new(3), document(), key(&document()));
    let mut witness = open(&disk, &own);
    let row = chain(&store, "abcd");
    for (number, one) in (1..).zip(&row) {
        witness.see("cp1", store.public(), std::slice::from_ref(one), 1_000 * number + 5).unwrap();
    }
    let own = key(&own);
    let wrong = |store: &Ed25519Key, row: &[Signed]| {
        let report = looked(store, row, &disk, &own);
        report.wrong.iter().map(|it| (it.segment, it.entries, it.wrong)).collect::<Vec<_>>()
    };
    let report = looked(&store, &row, &disk, &own);
    assert_eq!((report.witnessed, report.wrong, report.unseen), (4, vec![], vec![]));
    // From the start, with the machine's own key,
    assert_eq!(wrong(&store, &chain(&store, "XYZU")), [(1, Some((1, 40)), Wrong::Witness)]);
    // from some place on,
    assert_eq!(wrong(&store, &chain(&store, "abXd")), [(3, Some((21, 40)), Wrong::Witness)]);
    // put back to what it was, or shortened,
    assert_eq!(wrong(&store, &row[..2]), [(3, Some((21, 40)), Wrong::RolledBack)]);
    // both,
    assert_eq!(
        wrong(&store, &chain(&store, "aX")),
        [(2, Some((11, 20)), Wrong::Witness), (3, Some((21, 40)), Wrong::RolledBack)]
    );
    // and with a key that was made anew.
    let another = key(&document());
    assert_eq!(wrong(&another, &chain(&another, "abcd")), [(1, Some((1, 40)), Wrong::Replaced)]);
}

#[test]
fn what_no_witness_saw_and_what_was_seen_late_is_told() {
    let (disk, own, store) = (Memory::new(3), document(), key(&document()));
    let mut witness = open(&disk, &own);
    let row = chain(&store, "abcdefg");
    let store_key = store.public();
    witness.see("cp1", store_key, &row[..1], 1_010).unwrap();
    // It was away for a while, is shown the rest together, and then nothing any more.
    witness.see("cp1", store_key, &row[1..5], 5_010).unwrap();
    let unseen = looked(&store, &row, &disk, &key(&own)).unseen;
    let told: Vec<_> = unseen.iter().map(|it| (it.segments, it.entries, it.seen)).collect();
    assert_eq!(told, [((2, 4), (11, 40), Some(5_010)), ((6, 7), (51, 70), None)]);
    assert_eq!(unseen[0].times, Some((2, 4)));
}
