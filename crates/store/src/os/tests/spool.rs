//! What waits to be sent is there after any crash, in its order; what there is no room for is counted.

use super::*;
use crate::os::Directory;
use crate::os::spool::{Passed, Room, Spool, passed};

const SMALL: Room = Room { file: 60, all: 240 };

fn lines(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{{\"number\":{number}}}")).collect()
}

fn number(line: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap()
}

/// Sends everything that waits.
fn all(spool: &mut Spool<Memory>) -> Vec<u64> {
    let mut sent = Vec::new();
    loop {
        let batch = spool.next(30).unwrap();
        if batch.lines.is_empty() {
            return sent;
        }
        sent.extend(batch.lines.iter().map(|line| number(line)));
        spool.done(&batch).unwrap();
    }
}

#[test]
fn what_waits_is_sent_once_in_its_order_also_after_a_restart() {
    let disk = Memory::new(3);
    let room = Room { file: 60, all: 10_000 };
    let mut spool = Spool::open(disk.clone(), room).unwrap();
    spool.push(&lines(0..10)).unwrap();
    let first = spool.next(30).unwrap();
    assert_eq!(first.lines.len(), 2);
    spool.done(&first).unwrap();
    assert_eq!((spool.waiting(), spool.lost()), (8, 0));
    let mut spool = Spool::open(disk.clone(), room).unwrap();
    assert_eq!(spool.waiting(), 8);
    spool.push(&lines(10..12)).unwrap();
    assert_eq!(all(&mut spool), (2..12).collect::<Vec<_>>());
    assert_eq!(spool.waiting(), 0);
    spool.push(&lines(12..13)).unwrap();
    assert_eq!(all(&mut Spool::open(disk.clone(), room).unwrap()), [12]);
    // What was sent does not stay, but for the last.
    assert!(super::super::store::numbers(&disk.names().unwrap(), "lines").len() <= 2);
}

#[test]
fn what_there_is_no_room_for_is_the_oldest_and_is_a_number() {
    let disk = Memory::new(5);
    let mut spool = Spool::open(disk.clone(), SMALL).unwrap();
    spool.push(&lines(0..3)).unwrap();
    let batch = spool.next(30).unwrap();
    spool.push(&lines(3..100)).unwrap();
    let lost = spool.lost();
    assert!(lost > 0 && lost + spool.waiting() == 100, "{lost}");
    // It was on its way when there was no more room for it, and came.
    spool.done(&batch).unwrap();
    assert_eq!(spool.lost(), lost - batch.lines.len() as u64);
    let mut spool = Spool::open(disk, SMALL).unwrap();
    assert_eq!(spool.lost(), lost - batch.lines.len() as u64);
    assert_eq!(all(&mut spool), (lost..100).collect::<Vec<_>>());
}

#[test]
fn nothing_that_was_taken_is_lost_whenever_the_power_goes() {
    for seed in 1..=300 {
        check(seed);
    }
}

/// Takes and sends until the power goes, and begins again.
fn check(seed: u64) {
    let disk = Memory::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut chance = Chance(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1);
    let room = Room { file: 60, all: u64::MAX };
    let (mut taken, mut received) = (0, Vec::new());
    for _ in 0..12 {
        disk.set(chance.below(60), usize::MAX);
        if let Ok(mut spool) = Spool::open(disk.clone(), room) {
            for _ in 0..chance.below(20) {
                let end = taken + chance.below(4);
                if spool.push(&lines(taken..end)).is_err() {
                    break;
                }
                taken = end;
                let Ok(batch) = spool.next(30) else { break };
                received.extend(batch.lines.iter().map(|line| number(line)));
                if spool.done(&batch).is_err() {
                    break;
                }
            }
        }
        disk.lose_power();
    }
    received.extend(all(&mut Spool::open(disk, room).unwrap()));
    let mut next = 0;
    for number in received {
        assert!(number <= next, "seed {seed}: {number} came before {next}");
        next = next.max(number + 1);
    }
    assert!(next >= taken, "seed {seed}: {taken} were taken, and {next} came");
}

/// Who looks from outside sees of each line whether it was received, and how much was lost.
#[test]
fn what_was_received_is_seen_from_outside() {
    let at = tempfile::tempdir().unwrap();
    let look = |line: u64| passed(at.path(), |text| number(text) == line).unwrap();
    assert_eq!(look(0), Passed::default(), "nothing was ever sent");
    let mut spool = Spool::open(Directory::new(at.path()).unwrap(), SMALL).unwrap();
    spool.push(&lines(0..2)).unwrap();
    assert!(!look(0).is_sent);
    let batch = spool.next(1).unwrap();
    assert_eq!(batch.lines.len(), 1);
    spool.done(&batch).unwrap();
    assert_eq!((look(0).is_sent, look(1).is_sent), (true, false));
    // Over the end of a file, and where the oldest had to go.
    spool.push(&lines(2..40)).unwrap();
    let lost = spool.lost();
    assert!(lost > 0);
    let batch = spool.next(1_000).unwrap();
    let last = number(batch.lines.last().unwrap());
    spool.done(&batch).unwrap();
    assert_eq!(look(last), Passed { is_sent: true, lost });
    assert_eq!(look(last + 1), Passed { is_sent: false, lost });
    assert_eq!(look(1), Passed { is_sent: false, lost }, "it was lost");
}

/// The file that was sent last is there until the next was sent: nobody looks in the moment between the two.
#[test]
fn what_was_sent_is_seen_until_another_file_was() {
    let at = tempfile::tempdir().unwrap();
    let is_sent = |line: u64| passed(at.path(), |text| number(text) == line).unwrap().is_sent;
    let room = Room { file: 60, all: 10_000 };
    let open = || Spool::open(Directory::new(at.path()).unwrap(), room).unwrap();
    let mut spool = open();
    spool.push(&lines(0..12)).unwrap();
    let send = |spool: &mut Spool<Directory>| {
        let batch = spool.next(1_000).unwrap();
        spool.done(&batch).unwrap();
        number(batch.lines.last().unwrap())
    };
    let first = send(&mut spool);
    let second = send(&mut spool);
    assert!(first < second && is_sent(0) && is_sent(first) && is_sent(second));
    assert!(!is_sent(second + 1));
    // Also where the sender is killed, and begins again.
    drop(spool);
    let mut spool = open();
    assert!(is_sent(0) && is_sent(second) && !is_sent(second + 1));
    let third = send(&mut spool);
    assert!(third > second && !is_sent(0) && is_sent(second) && is_sent(third));
    let left = Directory::new(at.path()).unwrap().names().unwrap();
    assert_eq!(super::super::store::numbers(&left, "lines").len(), 2, "{left:?}");
}

/// Whoever is killed between taking note that a file was given up and removing it leaves lines that nobody was told.
#[test]
fn what_was_given_up_was_not_received_though_its_file_is_still_there() {
    let at = tempfile::tempdir().unwrap();
    let is_sent = |line: u64| passed(at.path(), |text| number(text) == line).unwrap().is_sent;
    let open = || Spool::open(Directory::new(at.path()).unwrap(), SMALL).unwrap();
    let mut spool = open();
    spool.push(&lines(0..3)).unwrap();
    let file = at.path().join(super::super::store::name(1, "lines"));
    let oldest = std::fs::read(&file).unwrap();
    spool.push(&lines(3..40)).unwrap();
    assert!(spool.lost() > 3 && !file.exists());
    std::fs::write(&file, oldest).unwrap();
    assert!(!is_sent(0) && !is_sent(2));
    let lost = spool.lost();
    drop(spool);
    let spool = open();
    assert!(!file.exists() && spool.lost() == lost && !is_sent(0));
}
