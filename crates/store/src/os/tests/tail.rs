//! A log is followed over everything that happens to files, and each line comes once.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::tail::{Cursor, Line, Tail, digest};

struct Log {
    at: tempfile::TempDir,
    tail: Tail,
    came: Vec<String>,
}

impl Log {
    fn new() -> Self {
        let at = tempfile::tempdir().unwrap();
        let tail = Tail::new(&at.path().join("audit.log"), None);
        Self { at, tail, came: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.at.path().join(name)
    }

    fn write(&self, bytes: impl AsRef<[u8]>) {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path("audit.log")).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
    }

    fn rotate(&self, number: u32) -> PathBuf {
        let to = self.path(&format!("audit-2026-01-05T10-00-0{number}.000.log"));
        fs::rename(self.path("audit.log"), &to).unwrap();
        to
    }

    fn look(&mut self) -> Vec<String> {
        let came = &mut self.came;
        while self
            .tail
            .look(&mut |line| {
                came.push(match line {
                    Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                    Line::Cut(text) => format!("cut {}", String::from_utf8_lossy(text)),
                    Line::TooLong => "too long".to_owned(),
                    Line::Gap => "gap".to_owned(),
                });
            })
            .unwrap()
        {}
        std::mem::take(came)
    }

    /// Ends and begins anew, with the cursor as it was kept.
    fn restart(&mut self) {
        let kept = serde_json::to_vec(&self.tail.cursor()).unwrap();
        let cursor: Option<Cursor> = serde_json::from_slice(&kept).unwrap();
        self.tail = Tail::new(&self.path("audit.log"), cursor);
    }
}

fn pack(path: &Path) {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(&fs::read(path).unwrap()).unwrap();
    fs::write(format!("{}.gz", path.display()), out.finish().unwrap()).unwrap();
    fs::remove_file(path).unwrap();
}

/// Runs the same with a tail that goes on and with one that begins anew between all looks.
fn both(act: impl Fn(&mut Log, &dyn Fn(&mut Log) -> Vec<String>)) {
    act(&mut Log::new(), &Log::look);
    act(&mut Log::new(), &|log| {
        log.restart();
        log.look()
    });
}

#[test]
fn lines_come_when_they_are_whole() {
    both(|log, look| {
        assert_eq!(look(log), [""; 0]);
        log.write("one\ntw");
        assert_eq!(look(log), ["one"]);
        log.write(b"o\n\0\0\n\xff");
        assert_eq!(look(log), ["two", "\0\0"]);
        log.write(b"\xff\n");
        assert_eq!(look(log).len(), 1);
        assert_eq!(look(log), [""; 0]);
    });
}

#[test]
fn a_line_of_five_megabytes_is_one_line() {
    both(|log, look| {
        let long = "x".repeat(5 << 20);
        log.write(format!("one\n{long}\ntwo\n"));
        let came = look(log);
        assert_eq!(came.iter().map(String::len).collect::<Vec<_>>(), [3, 5 << 20, 3]);
    });
}

#[test]
fn a_log_is_followed_over_its_rotation_also_twice_between_looks() {
    both(|log, look| {
        log.write("one\n");
        assert_eq!(look(log), ["one"]);
        log.write("two\n");
        log.rotate(1);
        log.write("three\n");
        log.rotate(2);
        log.write("four\n");
        assert_eq!(look(log), ["two", "three", "four"]);
        log.rotate(3);
        assert_eq!(look(log), [""; 0], "nothing is there under the name");
        log.write("five\n");
        assert_eq!(look(log), ["five"]);
    });
}

#[test]
fn rotated_files_are_found_by_what_they_hold_also_compressed() {
    both(|log, look| {
        log.write("one\n");
        assert_eq!(look(log), ["one"]);
        log.write("two\n");
        pack(&log.rotate(1));
        log.write("three\n");
        assert_eq!(look(log), ["two", "three"]);
        pack(&log.rotate(2));
        log.write("four\nfive");
        assert_eq!(look(log), ["four"]);
    });
}

#[test]
fn half_a_line_at_the_end_of_a_rotated_file_is_told() {
    both(|log, look| {
        log.write("one\nhal");
        assert_eq!(look(log), ["one"]);
        log.rotate(1);
        log.write("two\n");
        assert_eq!(look(log), ["cut hal", "two"]);
    });
}

#[test]
fn a_log_that_is_copied_and_cut_is_followed() {
    both(|log, look| {
        log.write("one\n");
        assert_eq!(look(log), ["one"]);
        log.write("two\n");
        fs::copy(log.path("audit.log"), log.path("audit.log.1")).unwrap();
        fs::write(log.path("audit.log"), "").unwrap();
        log.write("3\n");
        assert_eq!(look(log), ["two", "3"]);
    });
}

/// The machine lost power while it packed the file, or the disk went bad.
#[test]
fn a_packed_file_that_is_cut_or_damaged_is_a_gap_and_what_is_behind_it_comes() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        // Without its end, of which all lines can be had,
        |bytes| bytes.truncate(bytes.len() - 6),
        // in the midst,
        |bytes| bytes.truncate(bytes.len() / 2),
        // with other bytes in it,
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8].fill(0xff);
        },
        // and as nothing that could be unpacked.
        |bytes| bytes[..2].fill(0),
    ];
    let more: Vec<String> = (0..500_u64).map(|it| digest(&it.to_le_bytes())).collect();
    let look = |log: &mut Log| {
        log.restart();
        log.look()
    };
    for (number, damage) in damages.into_iter().enumerate() {
        let mut log = Log::new();
        log.write("one\n");
        assert_eq!(look(&mut log), ["one"]);
        log.write(more.join("\n") + "\n");
        let rotated = log.rotate(1);
        pack(&rotated);
        let packed = PathBuf::from(format!("{}.gz", rotated.display()));
        let mut bytes = fs::read(&packed).unwrap();
        damage(&mut bytes);
        fs::write(&packed, bytes).unwrap();
        log.write("three\n");
        let came = look(&mut log);
        assert!(came.contains(&"gap".to_owned()), "{number}: {came:?}");
        assert_eq!(came.last().unwrap(), "three", "{number}");
        assert_eq!(look(&mut log), [""; 0], "{number}: it is told once");
        log.write("four\n");
        log.rotate(2);
        log.write("five\n");
        assert_eq!(look(&mut log), ["four", "five"], "{number}");
    }
    // What was read of it already is not in it any more.
    let mut log = Log::new();
    log.write(more.join("\n") + "\n");
    assert_eq!(log.look().len(), 500);
    let rotated = log.rotate(1);
    pack(&rotated);
    let packed = PathBuf::from(format!("{}.gz", rotated.display()));
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
    log.write("two\n");
    log.restart();
    assert_eq!(log.look(), ["gap", "two"]);
}

#[test]
fn what_may_be_lost_is_told() {
    both(|log, look| {
        log.write("one\n");
        assert_eq!(look(log), ["one"]);
        fs::write(log.path("audit.log"), "2\n").unwrap();
        assert_eq!(look(log), ["gap", "2"]);
    });
    // What was read is not there any more, and the file is the same.
    let mut log = Log::new();
    log.write("one\ntwo\n");
    assert_eq!(log.look(), ["one", "two"]);
    let (kept, path) = (log.tail.cursor().cloned().unwrap(), log.path("audit.log"));
    fs::write(&path, "one\n2 and more\n").unwrap();
    log.tail = Tail::new(&path, Some(Cursor { prefix: 4, digest: digest(b"one\n"), ..kept }));
    assert_eq!(log.look(), ["gap", "one", "2 and more"]);
}
