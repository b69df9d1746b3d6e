//! What somebody does so that a change is not seen.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Child, Command};
use std::time::Duration;

use ringfort_integrity::change::{Change, Finding};
use ringfort_integrity::journal::{Tip, Told};
use ringfort_integrity::judge::{Aspect, Kind};
use ringfort_integrity::process::Who;
use ringfort_integrity::protected::Class;
use ringfort_integrity::state::State;
use ringfort_integrity::why::{Cause, Why};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity;
use rustix::fs::{FlockOperation, flock};

use super::agent::{Ears, FILE, LISTED, Site, WATCHED, exe, program};
use super::{Room, run};

const LOG: &str = "/var/log/kubernetes/audit.log";

fn shell(script: &str) {
    run("sh", &["-c", script]);
}

/// The next change of a path, after those that were heard of.
fn next(ears: &Ears, path: &str) -> Change {
    ears.before.borrow_mut().clear();
    ears.change(path)
}

fn says(change: &Change, of: Aspect, text: &str) -> bool {
    let is_it = |it: &ringfort_integrity::judge::Difference| it.of == of && it.found.contains(text);
    change.finding.differences.iter().any(is_it)
}

pub(super) fn a_log_that_is_cut_exchanged_or_written_by_another_is_told(room: &Room) {
    let mut site = Site::new(room, room.at("root"));
    let log = site.at(LOG);
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    fs::write(&log, "one line\nanother\n").unwrap();
    site.logs.push(LOG.to_owned());
    site.baseline("w1", 2, "right");
    let truncate = program(room, "truncate");
    let mv = program(room, "mv");
    site.with_agent(|ears| {
        let act = |program: &std::path::Path, arguments: &[&str]| {
            assert!(Command::new(program).args(arguments).status().unwrap().success());
        };
        let path = log.to_str().unwrap();
        act(&truncate, &["-s", "9", path]);
        let change = next(ears, LOG);
        assert!(says(&change, Aspect::Content, "9 bytes"), "{change:?}");
        assert_eq!(exe(&change), truncate.to_str().unwrap());
        shell(&format!("printf 'a line of theirs\\n' >> {path}"));
        let change = next(ears, LOG);
        assert!(says(&change, Aspect::Content, "written by another"), "{change:?}");
        fs::copy(&log, room.at("copy")).unwrap();
        act(&mv, &["-f", room.at("copy").to_str().unwrap(), path]);
        let change = next(ears, LOG);
        assert!(says(&change, Aspect::Content, "another file"), "{change:?}");
        act(&mv, &[path, room.at("taken").to_str().unwrap()]);
        let change = next(ears, LOG);
        assert!(says(&change, Aspect::Presence, "missing"), "{change:?}");
        assert_eq!(change.why, Why::Unexplained, "no program renames it away but its server");
    });
}

/// Somebody who ends when the test does.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub(super) fn what_cannot_be_read_is_told_when_it_was_written(room: &Room) {
    let site = Site::new(room, room.at("root"));
    let (grown, touched) = (format!("{WATCHED}/grown"), format!("{WATCHED}/touched"));
    // Long enough that it is touched while it is read.
    let (large, same) = ("x".repeat(8 << 20), "y".repeat(8 << 20));
    fs::write(site.at(&grown), "x").unwrap();
    fs::write(site.at(&touched), &large).unwrap();
    site.with_agent(|ears| {
        let to = site.at(&grown).display().to_string();
        shell(&format!("printf evil > {to}; truncate -s 5G {to}"));
        let change = next(ears, &grown);
        assert!(says(&change, Aspect::Content, "bytes"), "{change:?}");
        assert_eq!(change.why, Why::Unexplained);
        let to = site.at(&touched).display().to_string();
        let busy =
            Command::new("sh").args(["-c", &format!("while :; do touch {to}; done")]).spawn();
        let busy = Busy(busy.unwrap());
        std::thread::sleep(Duration::from_secs(1));
        fs::write(site.at(&touched), &same).unwrap();
        let change = next(ears, &touched);
        assert!(!change.finding.differences.is_empty(), "{change:?}");
        drop(busy);
        // What it holds is another, and that is told when it can be seen, if it was not.
        if says(&change, Aspect::Content, "changed each time") {
            let change = next(ears, &touched);
            assert!(says(&change, Aspect::Content, "blake3:"), "{change:?}");
        }
    });
}

pub(super) fn a_directory_on_the_way_that_became_a_link_takes_away_what_lay_below(room: &Room) {
    let mut site = Site::new(room, room.at("root"));
    let path = "/srv/settings/policy".to_owned();
    fs::create_dir_all(site.at("/srv/settings")).unwrap();
    fs::write(site.at(&path), "right").unwrap();
    fs::set_permissions(site.at(&path), Permissions::from_mode(0o600)).unwrap();
    site.more.push((path.clone(), "right".to_owned()));
    site.baseline("w1", 2, "right");
    site.with_agent(|ears| {
        fs::create_dir(room.at("elsewhere")).unwrap();
        fs::write(room.at("elsewhere/policy"), "wrong").unwrap();
        fs::rename(site.at("/srv/settings"), site.at("/srv/aside")).unwrap();
        symlink(room.at("elsewhere"), site.at("/srv/settings")).unwrap();
        let change = ears.change(&path);
        assert!(says(&change, Aspect::Presence, "missing"), "{change:?}");
        assert_eq!(change.why, Why::Unexplained);
    });
}

pub(super) fn what_was_written_and_put_back_at_once_is_told_in_watched_directories_too(
    room: &Room,
) {
    let site = Site::new(room, room.at("root"));
    let path = format!("{WATCHED}/unit");
    fs::write(site.at(&path), "right").unwrap();
    let sh = program(room, "sh");
    site.with_agent(|ears| {
        let to = site.at(&path).display().to_string();
        let script = format!("printf wrong > {to}; printf right > {to}");
        assert!(Command::new(&sh).args(["-c", &script]).status().unwrap().success());
        let change = ears.change(&path);
        assert_eq!((&change.why, exe(&change)), (&Why::Unexplained, sh.to_str().unwrap()));
    });
}

/// Writes into the journal that a step of ringfort's wrote a file.
fn converged(site: &Site, text: &str) {
    let about = fs::metadata(site.at(FILE)).unwrap();
    let after = State {
        kind: Kind::File,
        mode: FileMode(0o600),
        owner: Owner { uid: about.uid(), gid: about.gid() },
        size: text.len() as u64,
        digest: Some(format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex())),
        number: None,
        capabilities: None,
    };
    let change = Change {
        id: "converged".to_owned(),
        finding: Finding {
            path: FILE.parse().unwrap(),
            class: Class::Exact,
            severity: Severity::Low,
            differences: ringfort_integrity::state::differences(None, Some(&after)),
        },
        is_right: false,
        before: None,
        after: Some(after),
        drift: None,
        who: Who::Unknown("it is of a test".to_owned()),
        why: Why::Explained(Cause::Converge { step: 1 }),
    };
    let (_, line) = Tip::default().append(1, Told::Change(Box::new(change)));
    fs::create_dir_all(&site.settings.state).unwrap();
    fs::write(site.settings.state.join("journal"), line).unwrap();
}

pub(super) fn what_no_baseline_says_yet_is_not_told_while_an_operator_acts(room: &Room) {
    let is_told = |told: &Told| match told {
        Told::Change(it) => it.finding.path.to_string() == FILE && it.why == Why::Unexplained,
        _ => false,
    };
    for comes in [true, false] {
        let site = Site::new(room, room.at(&format!("root-{comes}")));
        fs::remove_dir_all(&site.settings.state).unwrap_or(());
        fs::write(site.at(FILE), "newer").unwrap();
        converged(&site, "newer");
        let lock = File::create(&site.settings.lock).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        site.with_agent(|ears| {
            // Everything was looked at, and the baseline comes last.
            ears.nothing(Duration::from_secs(2), is_told);
            assert!(!ears.before.borrow().iter().any(|line| line.contains("\"unexplained\"")));
            if comes {
                site.baseline("w1", 2, "newer");
            }
            flock(&lock, FlockOperation::Unlock).unwrap();
            if comes {
                ears.nothing(Duration::from_secs(3), is_told);
            } else {
                ears.wait("that nothing explains it", |told| is_told(told).then_some(()));
            }
        });
    }
}

pub(super) fn what_was_known_and_is_lost_is_told(room: &Room) {
    let site = Site::new(room, room.at("root"));
    fs::write(site.at(&format!("{LISTED}/x")), "x").unwrap();
    let lost = |told: &Told| match told {
        Told::Refused { why } => why.contains("what was known is lost").then(|| why.clone()),
        _ => None,
    };
    site.with_agent(|ears| {
        ears.nothing(Duration::from_millis(500), |told| lost(told).is_some());
    });
    fs::write(site.settings.state.join("known"), "damaged").unwrap();
    site.with_agent(|ears| {
        let why = ears.wait("what was lost", lost);
        assert!(why.contains("paths are taken as they are"), "{why}");
    });
}
