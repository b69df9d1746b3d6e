//! An agent whose disk is full hears on, says so, and loses nothing of what it heard.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::process::Command;

use ringfort_integrity::journal::Told;
use ringfort_integrity::os::read_journals;

use super::Room;
use super::agent::{FILE, Site};

/// So many changes fit into what a file system gave to the journal before it was full, at most.
const MOST: usize = 200;

pub(super) fn a_full_disk_loses_no_change_and_is_told(room: &Room) {
    let site = Site::new(room, room.at("root"));
    let state = &site.settings.state;
    fs::create_dir_all(state).unwrap();
    let small = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "none"];
    assert!(Command::new("mount").args(small).arg(state).status().unwrap().success());
    let changes = site.with_agent(|ears| {
        let filler = state.join("filler");
        let mut file = File::create(&filler).unwrap();
        let full = loop {
            if let Err(error) = file.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let mut changes = 0;
        while site.status().blind_since.is_none() {
            fs::write(site.at(FILE), format!("wrong {changes}")).unwrap();
            ears.change(FILE);
            changes += 1;
            assert!(changes < MOST, "nothing is said of a full disk");
        }
        assert!(site.status().unwritten.is_some_and(|why| why.contains("journal")));
        // It hears on.
        fs::write(site.at(FILE), "wrong again").unwrap();
        ears.change(FILE);
        drop(file);
        fs::remove_file(filler).unwrap();
        let why = ears.wait("that it is over", |told| match told {
            Told::Blind(blind) => Some(blind.why.clone()),
            _ => None,
        });
        assert!(why.contains("could not be written down"), "{why}");
        // What else could not be written then is tried again by itself.
        let most = changes + MOST;
        while site.status().unwritten.is_some() {
            fs::write(site.at(FILE), format!("wrong once more {changes}")).unwrap();
            ears.change(FILE);
            changes += 1;
            assert!(changes < most, "it still says that something is not written");
        }
        changes + 1
    });
    assert_eq!(site.status().unwritten, None);
    let read = read_journals(state).unwrap();
    let told = read.lines.iter().filter(|line| matches!(line.told, Told::Change(_))).count();
    assert_eq!(read.broken, None);
    assert!(told >= changes, "{told} of {changes}");
}
