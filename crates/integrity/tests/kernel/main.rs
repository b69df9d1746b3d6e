//! What the kernel tells of changes. Needs root; runs only when asked for with `RINGFORT_E2E=1`.

#![allow(clippy::unwrap_used, reason = "all of this is a test, though without the usual harness")]

mod agent;
mod full;
mod hidden;
mod layers;
mod named;
mod numbers;
mod packages;
mod pods;
mod repair;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use ringfort_integrity::os::{Heard, Listener};
use ringfort_integrity::path::FilePath;
use ringfort_integrity::records::happened;
use rustix::fs::{Mode, OFlags, open};

const TESTS: [fn(&Room); 31] = [
    agent::a_change_is_told_with_its_writer_and_what_happened_meanwhile_at_the_next_start,
    agent::what_comes_with_a_directory_is_told_and_so_is_a_directory_that_was_replaced,
    agent::only_the_right_baseline_is_followed,
    agent::more_than_the_queue_holds_is_looked_for_and_the_blind_time_told,
    agent::a_storm_that_goes_on_does_not_keep_everything_from_being_looked_at,
    hidden::a_log_that_is_cut_exchanged_or_written_by_another_is_told,
    hidden::what_cannot_be_read_is_told_when_it_was_written,
    hidden::a_directory_on_the_way_that_became_a_link_takes_away_what_lay_below,
    hidden::what_was_written_and_put_back_at_once_is_told_in_watched_directories_too,
    hidden::what_no_baseline_says_yet_is_not_told_while_an_operator_acts,
    hidden::what_was_known_and_is_lost_is_told,
    agent::files_of_packages_are_compared_and_told_once,
    agent::changes_in_a_stack_of_file_systems_are_heard,
    repair::a_file_is_put_back_at_once_and_both_changes_are_told,
    repair::a_file_is_left_while_ringfort_acts_and_where_it_has_not_signed_yet,
    repair::who_changes_a_file_again_and_again_is_left_with_it,
    repair::only_what_the_baseline_has_the_digest_of_is_put_back,
    packages::what_dpkg_installed_is_explained_by_its_package_and_what_it_was_misused_for_is_not,
    layers::what_a_container_adds_replaces_and_removes_is_told_with_whose_it_is,
    layers::what_is_written_after_a_file_was_made_is_seen,
    layers::a_container_that_begins_later_is_seen_from_its_first_file_on,
    layers::a_flood_of_one_container_ends,
    pods::who_writes_from_a_pod_is_told_with_the_pods_names,
    numbers::who_has_the_number_now_is_not_taken_for_who_wrote,
    full::a_full_disk_loses_no_change_and_is_told,
    named::what_a_flag_begins_to_name_is_protected_and_told_once,
    named::what_is_put_into_a_named_directory_while_no_agent_runs_is_told,
    what_is_made_written_and_renamed_is_heard_with_its_writer,
    another_name_of_a_file_does_not_hide_it,
    what_goes_through_another_mount_is_heard_and_other_directories_are_not,
    more_than_the_queue_holds_is_told,
];

fn main() -> ExitCode {
    if std::env::var_os("RINGFORT_E2E").is_none() {
        println!("skipped: what the kernel tells of changes needs root; set RINGFORT_E2E=1");
        println!("0 passed, 0 failed, {} skipped", TESTS.len());
        return ExitCode::SUCCESS;
    }
    match std::env::args().nth(1).as_deref() {
        Some("inside") => return inside(),
        Some("numbers") => return numbers::inside(),
        _ => {}
    }
    let own = std::env::current_exe().unwrap();
    let mut alone = Command::new("unshare");
    let ended = alone.args(["--mount", "--propagation", "private"]).arg(own).arg("inside").status();
    if ended.unwrap().success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests where mounts are nobody else's.
fn inside() -> ExitCode {
    let passes = |test: &&fn(&Room)| std::panic::catch_unwind(|| test(&Room::new())).is_ok();
    let passed = TESTS.iter().filter(passes).count();
    println!("{passed} passed, {} failed, 0 skipped", TESTS.len() - passed);
    if passed < TESTS.len() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A file system of its own, with two directories.
struct Room {
    directory: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        let room = Self { directory: tempfile::tempdir().unwrap() };
        run("mount", &["-t", "tmpfs", "none", room.at("").to_str().unwrap()]);
        fs::create_dir(room.at("watched")).unwrap();
        fs::create_dir(room.at("other")).unwrap();
        room
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn listening(&self) -> Listener {
        let mut listener = Listener::begin().unwrap();
        listener.add_directory(&path(&self.at("watched")), &place(&self.at("watched"))).unwrap();
        listener
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        run("umount", &["--recursive", self.at("").to_str().unwrap()]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

fn path(at: &Path) -> FilePath {
    let bytes = at.as_os_str().as_bytes();
    FilePath::new(bytes.strip_suffix(b"/").unwrap_or(bytes)).unwrap()
}

fn place(at: &Path) -> OwnedFd {
    open(at, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

/// Everything that is to be heard by now.
fn heard(listener: &mut Listener) -> Heard {
    let mut all = Heard::default();
    loop {
        let more = listener.hear(Duration::from_millis(200)).unwrap();
        if more == Heard::default() {
            return all;
        }
        all.is_incomplete |= more.is_incomplete;
        all.noticed.extend(more.noticed);
    }
}

/// What was heard of a path, all together.
fn mask(heard: &Heard, at: &Path) -> u64 {
    let of = heard.noticed.iter().filter(|it| it.path == path(at));
    of.fold(0, |all, it| all | it.mask)
}

fn what_is_made_written_and_renamed_is_heard_with_its_writer(room: &Room) {
    let mut listener = room.listening();
    let (temporary, last) = (room.at("watched/.a"), room.at("watched/a"));
    let script =
        format!("echo x > {0}; chmod 600 {0}; mv {0} {1}", temporary.display(), last.display());
    let mut shell = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let process = i32::try_from(shell.id()).unwrap();
    assert!(shell.wait().unwrap().success());
    fs::remove_file(&last).unwrap();
    let heard = heard(&mut listener);
    let of_first = mask(&heard, &temporary);
    for each in [happened::CREATE, happened::CLOSE_WRITE, happened::ATTRIB, happened::MOVED_FROM] {
        assert!(of_first & each != 0, "{each:#x} of {heard:?}");
    }
    let of_last = mask(&heard, &last);
    assert!(of_last & happened::MOVED_TO != 0 && of_last & happened::DELETE != 0, "{heard:?}");
    let made = heard.noticed.iter().find(|it| it.mask & happened::CREATE != 0).unwrap();
    assert_eq!(made.process, process);
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(heard.noticed.iter().any(|it| it.process == own && it.mask & happened::DELETE != 0));
    assert!(!heard.is_incomplete);
}

fn another_name_of_a_file_does_not_hide_it(room: &Room) {
    let (file, other) = (room.at("watched/a"), room.at("other/b"));
    fs::write(&file, "right").unwrap();
    fs::hard_link(&file, &other).unwrap();
    let mut listener = room.listening();
    fs::write(&other, "wrong").unwrap();
    let unnamed = heard(&mut listener);
    assert_eq!(mask(&unnamed, &file), 0, "only an added file is known by its handle: {unnamed:?}");
    listener.add_file(&path(&file), &place(&file)).unwrap();
    fs::write(&other, "wrong again").unwrap();
    let named = heard(&mut listener);
    assert!(mask(&named, &file) & happened::CLOSE_WRITE != 0, "{named:?}");
}

fn what_goes_through_another_mount_is_heard_and_other_directories_are_not(room: &Room) {
    fs::create_dir(room.at("bound")).unwrap();
    let (from, to) = (room.at("watched"), room.at("bound"));
    run("mount", &["--bind", from.to_str().unwrap(), to.to_str().unwrap()]);
    let mut listener = room.listening();
    fs::write(to.join("a"), "x").unwrap();
    fs::write(room.at("other/a"), "x").unwrap();
    let heard = heard(&mut listener);
    let paths: BTreeSet<String> = heard.noticed.iter().map(|it| it.path.to_string()).collect();
    assert_eq!(paths, BTreeSet::from([path(&from.join("a")).to_string()]));
}

fn more_than_the_queue_holds_is_told(room: &Room) {
    let most = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    let mut listener = room.listening();
    for number in 0..=most {
        fs::create_dir(room.at(&format!("watched/{number}"))).unwrap();
    }
    let heard = heard(&mut listener);
    assert!(heard.is_incomplete && heard.noticed.len() <= most, "{}", heard.noticed.len());
}
