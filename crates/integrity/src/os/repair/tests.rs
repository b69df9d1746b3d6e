//! Files that are put in the place of changed ones.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use ringfort_model::digest::Digest;
use ringfort_model::mode::{FileMode, Owner};

use super::*;
use crate::os::look::Pace;

const FILE: &str = "/etc/a";
const RIGHT: &str = "right";

struct Site {
    directory: tempfile::TempDir,
    root: Root,
    contents: Contents,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("root/etc")).unwrap();
        fs::create_dir(at("store")).unwrap();
        let root = Root::open(&at("root"), Pace::free()).unwrap();
        let contents = Contents::at(&at("state"), &at("store"));
        let mut site = Self { directory, root, contents };
        site.write(RIGHT);
        site.contents.keep(&mut site.root, &path(), &blake3_of(RIGHT)).unwrap();
        site
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(&path[1..])
    }

    fn write(&self, text: &str) {
        fs::write(self.at(FILE), text).unwrap();
    }

    fn put_back(&mut self, whole: &Whole) -> Result<(), String> {
        stage(&mut self.root, &path(), whole, &self.contents)?.place()
    }

    /// What is beside the file.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.at("/etc")).unwrap();
        names.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn path() -> FilePath {
    FILE.parse().unwrap()
}

fn blake3_of(text: &str) -> Expected {
    let hash = Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes());
    Expected { size: Some(text.len() as u64), hash }
}

fn whole(expected: Expected) -> Whole {
    let own = Owner {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    };
    Whole { mode: FileMode(0o640), owner: own, expected }
}

#[test]
fn a_file_is_put_back_as_a_new_one_with_the_mode_that_it_should_have() {
    let mut site = Site::new();
    fs::hard_link(site.at(FILE), site.directory.path().join("other-name")).unwrap();
    site.write("wrong");
    fs::set_permissions(site.at(FILE), Permissions::from_mode(0o666)).unwrap();
    site.put_back(&whole(blake3_of(RIGHT))).unwrap();
    assert_eq!(fs::read_to_string(site.at(FILE)).unwrap(), RIGHT);
    let about = fs::metadata(site.at(FILE)).unwrap();
    assert_eq!((about.permissions().mode() & 0o7777, about.nlink()), (0o640, 1));
    assert_eq!(site.names(), ["a"]);
    fs::remove_file(site.at(FILE)).unwrap();
    site.put_back(&whole(blake3_of(RIGHT))).unwrap();
    assert_eq!(fs::read_to_string(site.at(FILE)).unwrap(), RIGHT);
}

#[test]
fn a_file_of_somebody_elses_is_given_to_him_by_root() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let mut site = Site::new();
    let whole = Whole { owner: Owner { uid: 1000, gid: 1001 }, ..whole(blake3_of(RIGHT)) };
    site.put_back(&whole).unwrap();
    let about = fs::metadata(site.at(FILE)).unwrap();
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (1000, 1001, 0o640));
}

#[test]
fn a_link_is_replaced_and_never_followed() {
    let mut site = Site::new();
    let elsewhere = site.directory.path().join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    fs::remove_file(site.at(FILE)).unwrap();
    symlink(&elsewhere, site.at(FILE)).unwrap();
    // What lies where the new file is written is no way to elsewhere either.
    symlink(&elsewhere, site.at("/etc/.a.ringfort.back")).unwrap();
    site.put_back(&whole(blake3_of(RIGHT))).unwrap();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
    assert!(fs::symlink_metadata(site.at(FILE)).unwrap().is_file());
    fs::rename(site.at("/etc"), site.directory.path().join("moved")).unwrap();
    symlink(site.directory.path().join("moved"), site.at("/etc")).unwrap();
    let why = site.put_back(&whole(blake3_of(RIGHT))).unwrap_err();
    assert!(why.contains("no directory"), "{why}");
}

#[test]
fn nothing_is_put_where_others_can_exchange_it() {
    let mut site = Site::new();
    for (directory, mode) in [("/etc", 0o775), ("/etc", 0o757), ("/", 0o777)] {
        fs::set_permissions(site.at(directory), Permissions::from_mode(mode)).unwrap();
        let why = site.put_back(&whole(blake3_of(RIGHT))).unwrap_err();
        assert!(why.contains("others than root"), "{why}");
        fs::set_permissions(site.at(directory), Permissions::from_mode(0o755)).unwrap();
    }
    site.put_back(&whole(blake3_of(RIGHT))).unwrap();
}

#[test]
fn only_what_has_the_digest_is_put_back() {
    let mut site = Site::new();
    site.write("wrong");
    let why = site.put_back(&whole(blake3_of("newer"))).unwrap_err();
    assert!(why.contains("nothing here has the digest"), "{why}");
    assert!(site.contents.keep(&mut site.root, &path(), &blake3_of("newer")).is_err());
    let kept = fs::read_dir(site.directory.path().join("state/contents")).unwrap();
    for entry in kept {
        fs::write(entry.unwrap().path(), "evil!").unwrap();
    }
    assert!(site.put_back(&whole(blake3_of(RIGHT))).is_err(), "somebody altered what was kept");
    assert_eq!(site.contents.small(&blake3_of(RIGHT)), None);
    assert_eq!(fs::read_to_string(site.at(FILE)).unwrap(), "wrong");
    assert_eq!(site.names(), ["a"], "nothing is left beside it");
}

#[test]
fn what_a_bundle_brought_comes_from_the_store_and_ringfort_from_the_one_that_runs() {
    let mut site = Site::new();
    let of = |bytes: &[u8]| {
        let hash = Digest::of(bytes);
        let byte = |at: usize| u8::from_str_radix(&hash.as_str()[2 * at..2 * at + 2], 16).unwrap();
        whole(Expected { size: None, hash: Hash::Sha256(std::array::from_fn(byte)) })
    };
    assert!(site.put_back(&of(b"program")).is_err());
    let store = site.directory.path().join("store");
    fs::write(store.join(Digest::of(b"program").as_str()), "program").unwrap();
    site.put_back(&of(b"program")).unwrap();
    assert_eq!(fs::read_to_string(site.at(FILE)).unwrap(), "program");
    let own = fs::read("/proc/self/exe").unwrap();
    site.put_back(&of(&own)).unwrap();
    assert!(fs::read(site.at(FILE)).unwrap() == own);
}

#[test]
fn what_no_file_should_hold_any_more_is_thrown_away_and_what_was_left_beside_one_too() {
    let mut site = Site::new();
    let kept =
        |site: &Site| fs::read_dir(site.directory.path().join("state/contents")).unwrap().count();
    assert_eq!(kept(&site), 1);
    site.contents.forget_all_but([blake3_of(RIGHT)].into_iter());
    assert_eq!(kept(&site), 1);
    site.contents.forget_all_but([blake3_of("newer")].into_iter());
    assert_eq!(kept(&site), 0);
    fs::write(site.at("/etc/.a.ringfort.back"), "half").unwrap();
    sweep(&mut site.root, &path());
    assert_eq!(site.names(), ["a"]);
}

#[test]
fn nobody_is_held_off_who_acts() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    assert!(matches!(hold_off(&lock), Ok(Some(_))), "nobody ever acted");
    let operator = File::create(&lock).unwrap();
    let held = hold_off(&lock).unwrap();
    assert!(flock(&operator, FlockOperation::NonBlockingLockExclusive).is_err());
    drop(held);
    flock(&operator, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(matches!(hold_off(&lock), Ok(None)));
}
