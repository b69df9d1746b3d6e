//! Files that the agent puts back.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ringfort_engine::journal::{encode, header};
use ringfort_integrity::change::Change;
use ringfort_integrity::journal::Told;
use ringfort_integrity::why::{Cause, Why};
use ringfort_model::digest::Digest;
use ringfort_model::integrity::{PutBack, REPAIR};
use ringfort_model::item::ItemId;
use ringfort_model::journal::{Phase, Record};
use rustix::fs::{FlockOperation, flock};

use super::agent::{Ears, FILE, LISTED, Site, exe, program};
use super::{Room, run};

/// A file in a directory of which every name is known.
const POD: &str = "/etc/manifests/pod.yaml";
/// After so long an agent has said how it goes.
const BEATS: Duration = Duration::from_secs(2);

/// A site of which two files and the list itself are put back.
fn site(room: &Room) -> Site {
    let mut site = Site::new(room, room.at("root"));
    let readers = [ItemId::unit("kubelet.service")];
    let list = [(FILE, readers.as_slice()), (POD, &[]), (REPAIR, &[])];
    let list = list.map(|(path, readers)| (path.to_owned(), readers.iter().cloned().collect()));
    let list = PutBack(list.into()).text();
    fs::create_dir_all(site.at("/etc/ringfort/integrity")).unwrap();
    for (path, text) in [(POD, "pod"), (REPAIR, list.as_str())] {
        fs::write(site.at(path), text).unwrap();
        fs::set_permissions(site.at(path), Permissions::from_mode(0o600)).unwrap();
        site.more.push((path.to_owned(), text.to_owned()));
    }
    site.baseline("w1", 2, "right");
    site
}

/// The change that tells that a file was put back, and the one that this was after.
fn put_back(ears: &Ears, after: &Change) -> Change {
    ears.wait("that it was put back", |told| match told {
        Told::Change(change) => match &change.why {
            Why::Explained(Cause::Repair { change: Some(before), .. }) if *before == after.id => {
                Some((**change).clone())
            }
            _ => None,
        },
        _ => None,
    })
}

fn left(ears: &Ears, path: &str, says: &str) {
    ears.wait(says, |told| match told {
        Told::Left { path: of, why, .. } if of.to_string() == path && why.contains(says) => {
            Some(())
        }
        _ => None,
    });
}

/// The newest unexplained change of a path that has not been answered yet.
fn unexplained(ears: &Ears, path: &str, not: &[String]) -> Change {
    ears.wait(path, |told| match told {
        Told::Change(it) if it.finding.path.to_string() == path => {
            (it.why == Why::Unexplained && !not.contains(&it.id)).then(|| (**it).clone())
        }
        _ => None,
    })
}

/// Has another process do it: what the agent's own does to these files is the agent's.
fn shell(script: &str) {
    run("sh", &["-c", script]);
}

fn write(path: &Path, text: &str) {
    shell(&format!("printf '%s' '{text}' > {}", path.display()));
}

fn reads(site: &Site, path: &str) -> String {
    fs::read_to_string(site.at(path)).unwrap()
}

pub(super) fn a_file_is_put_back_at_once_and_both_changes_are_told(room: &Room) {
    let site = site(room);
    let copy = program(room, "cp");
    fs::write(room.at("evil"), "wrong").unwrap();
    fs::write(room.at("elsewhere"), "kept").unwrap();
    site.with_agent(|ears| {
        let mut known = Vec::new();
        let mut waits = Vec::new();
        let mut undone = |path: &str, text: &str, act: &dyn Fn()| {
            let began = Instant::now();
            act();
            let change = unexplained(ears, path, &known);
            let back = put_back(ears, &change);
            waits.push(began.elapsed());
            assert!(back.is_right && !change.is_right, "{back:?}");
            assert_eq!(reads(&site, path), text);
            let about = fs::symlink_metadata(site.at(path)).unwrap();
            assert!(about.is_file() && about.nlink() == 1);
            assert_eq!(about.permissions().mode() & 0o7777, 0o600);
            let own = std::env::current_exe().unwrap();
            assert_eq!(exe(&back), own.to_str().unwrap());
            known.push(change.id.clone());
            change
        };
        let copied = || {
            let to = site.at(FILE);
            assert!(Command::new(&copy).arg(room.at("evil")).arg(to).status().unwrap().success());
        };
        let change = undone(FILE, "right", &copied);
        assert_eq!(exe(&change), copy.to_str().unwrap());
        let noted = fs::read_to_string(site.settings.state.join("misread")).unwrap();
        assert_eq!(noted, "unit:kubelet.service\n");
        undone(FILE, "right", &|| {
            let (to, file) = (room.at("elsewhere"), site.at(FILE));
            shell(&format!("rm {1} && ln -s {0} {1}", to.display(), file.display()));
        });
        assert_eq!(fs::read_to_string(room.at("elsewhere")).unwrap(), "kept");
        undone(FILE, "right", &|| {
            shell(&format!("chmod 4777 {}", site.at(FILE).display()));
        });
        undone(POD, "pod", &|| shell(&format!("rm {}", site.at(POD).display())));
        undone(POD, "pod", &|| {
            fs::hard_link(site.at(POD), room.at("other-name")).unwrap();
            write(&room.at("other-name"), "evil pod");
        });
        // What is too large to be read is wrong all the same.
        undone(POD, "pod", &|| shell(&format!("truncate -s 5G {}", site.at(POD).display())));
        let list = reads(&site, REPAIR);
        undone(REPAIR, &list, &|| write(&site.at(REPAIR), "/etc/shadow"));
        waits.sort();
        println!(
            "     put back and told {:?} after the change, in the median of {}",
            waits[3],
            waits.len()
        );
        let names = |told: &Told| match told {
            Told::Change(it) => it.finding.path.to_string().contains("ringfort.back"),
            _ => false,
        };
        ears.nothing(Duration::from_millis(300), names);
        assert!(!ears.before.borrow().iter().any(|line| line.contains("ringfort.back")));
        std::thread::sleep(BEATS);
        let status = site.status();
        let repair = status.repair.clone().unwrap();
        assert_eq!((repair.listed, repair.put_back, repair.left.len()), (3, 7, 0), "{status:?}");
        assert_eq!(
            status.unexplained_count, 7,
            "what was undone is still to be answered: {status:?}"
        );
        // What nobody owns is told, and nothing is taken away.
        fs::write(site.at(&format!("{LISTED}/evil.yaml")), "x").unwrap();
        ears.change(&format!("{LISTED}/evil.yaml"));
        assert!(site.at(&format!("{LISTED}/evil.yaml")).exists());
    });
}

pub(super) fn a_file_is_left_while_ringfort_acts_and_where_it_has_not_signed_yet(room: &Room) {
    let site = site(room);
    let lock = File::create(&site.settings.lock).unwrap();
    site.with_agent(|ears| {
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        write(&site.at(FILE), "wrong");
        let change = unexplained(ears, FILE, &[]);
        let is_back = |told: &Told| matches!(told, Told::Change(it) if it.is_right);
        ears.nothing(Duration::from_secs(3), is_back);
        assert_eq!(reads(&site, FILE), "wrong");
        flock(&lock, FlockOperation::Unlock).unwrap();
        put_back(ears, &change);
        assert_eq!(reads(&site, FILE), "right");
        // Now an up changes it, and is cut off before its baseline.
        let record = Record {
            seq: 1,
            epoch: 1,
            item: ItemId::file(FILE),
            phase: Phase::Intent,
            digest: Digest::of(b""),
        };
        let journal = [header().into_bytes(), encode(&record)].concat();
        fs::write(&site.settings.steps, journal).unwrap();
        write(&site.at(FILE), "newer");
        left(ears, FILE, "came after the baseline");
        assert_eq!(reads(&site, FILE), "newer");
        site.baseline("w1", 3, "newer");
        let told = |told: &Told| matches!(told, Told::Verified { .. }).then_some(());
        ears.before.borrow_mut().clear();
        ears.wait("a round", told);
        write(&site.at(FILE), "wrong");
        let back = ears.wait("that it was put back", |told| match told {
            Told::Change(it) if it.is_right => Some((**it).clone()),
            _ => None,
        });
        assert!(matches!(back.why, Why::Explained(Cause::Repair { .. })), "{back:?}");
        assert_eq!(reads(&site, FILE), "newer");
        fs::write(&site.settings.steps, "damaged").unwrap();
        write(&site.at(FILE), "wrong");
        left(ears, FILE, "whether ringfort changed it is not known");
    });
}

pub(super) fn who_changes_a_file_again_and_again_is_left_with_it(room: &Room) {
    let site = site(room);
    let changed = site.with_agent(|ears| {
        // Whoever does it ends by himself.
        let file = site.at(FILE).display().to_string();
        let script = format!(
            "n=0; while [ $n -lt 1000 ]; do n=$((n+1)); grep -q right {file} && printf wrong > {file}; sleep 0.01; done"
        );
        let mut stubborn = Command::new("sh").args(["-c", &script]).spawn().unwrap();
        left(ears, FILE, "GIVEN UP");
        stubborn.kill().unwrap();
        stubborn.wait().unwrap();
        std::thread::sleep(BEATS);
        assert_eq!(reads(&site, FILE), "wrong");
        let status = site.status();
        let repair = status.repair.clone().unwrap();
        assert_eq!((repair.put_back, repair.left.len()), (3, 1), "{status:?}");
        let told = ears.before.borrow();
        told.iter().filter(|line| line.contains("\"unexplained\"")).count()
    });
    assert!((1..=4).contains(&changed), "{changed}");
}

pub(super) fn only_what_the_baseline_has_the_digest_of_is_put_back(room: &Room) {
    let site = site(room);
    site.with_agent(|ears| {
        let contents = fs::read_dir(site.settings.state.join("contents")).unwrap();
        for entry in contents {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "what is kept is open to nobody else");
            fs::write(path, "evil").unwrap();
        }
        write(&site.at(FILE), "wrong");
        left(ears, FILE, "nothing here has the digest");
        assert_eq!(reads(&site, FILE), "wrong");
        fs::set_permissions(site.at(LISTED), Permissions::from_mode(0o777)).unwrap();
        write(&site.at(POD), "wrong");
        left(ears, POD, "others than root");
    });
    // Another list is not believed, whoever wrote it.
    fs::write(site.at(REPAIR), format!("{FILE}\n/etc/shadow\n")).unwrap();
    site.with_agent(|ears| {
        left(ears, REPAIR, "the list of that is not what the baseline says");
        std::thread::sleep(BEATS);
        assert_eq!(site.status().repair.map(|it| it.listed), Some(0));
    });
}
