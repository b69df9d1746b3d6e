//! What a scan makes of a tree with everything in it that can go wrong.

use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity;
use rustix::fs::{CWD, FileType, Mode, mkdirat, mknodat, openat};

use super::*;
use crate::judge::Content;
use crate::protected::{Expected, Hash, ModeRule, Presence, Protection};

struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
    }

    fn owner(&self) -> Owner {
        let own = fs::metadata(self.0.path()).unwrap();
        Owner { uid: own.uid(), gid: own.gid() }
    }

    fn exact(&self, path: &str, text: &str) -> Protected {
        let hash = Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes());
        Protected {
            path: path.parse().unwrap(),
            class: Class::Exact,
            presence: Presence::Required,
            severity: Severity::High,
            mode: Some(ModeRule::Is(FileMode(0o600))),
            owner: Some(self.owner()),
            expected: Some(Expected { size: None, hash }),
        }
    }

    fn listed(&self, path: &str) -> Protected {
        Protected { class: Class::Listed, expected: None, mode: None, ..self.exact(path, "") }
    }

    fn scan(&self, all: Vec<Protected>) -> Scan {
        let protection: Protection = all.into_iter().collect();
        scan(self.0.path(), &Entries::of(&protection), Pace::free()).unwrap()
    }

    /// What a scan says of one expected file.
    fn said(&self, path: &str, text: &str) -> String {
        said(&self.scan(vec![self.exact(path, text)]))
    }
}

fn said(scan: &Scan) -> String {
    let finding = |it: &Finding| {
        let of: Vec<String> = it.differences.iter().map(|each| each.of.to_string()).collect();
        format!("{} {}", it.path, of.join(" "))
    };
    let found = scan.findings.iter().map(finding);
    let unknown = scan.unknown.iter().map(|it| format!("{} unknown: {}", it.path, it.why));
    found.chain(unknown).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_as_expected_is_quiet_and_each_change_is_said() {
    let tree = Tree::new();
    tree.write("/etc/a", "right");
    assert_eq!(tree.said("/etc/a", "right"), "");
    assert_eq!(tree.said("/etc/a", "wrong"), "/etc/a content");
    assert_eq!(tree.said("/etc/b", "right"), "/etc/b presence");
    assert_eq!(tree.said("/none/b", "right"), "/none/b presence");
    fs::set_permissions(tree.0.path().join("etc/a"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(tree.said("/etc/a", "right"), "/etc/a mode");
    let sha = ringfort_model::digest::Digest::of(b"right");
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&sha.as_str()[2 * at..2 * at + 2], 16).unwrap();
    }
    let expected = Some(Expected { size: Some(5), hash: Hash::Sha256(bytes) });
    let entry = Protected { expected, mode: None, ..tree.exact("/etc/a", "") };
    assert_eq!(said(&tree.scan(vec![entry])), "");
}

#[test]
fn a_name_that_nobody_listed_is_found_whatever_it_is() {
    let tree = Tree::new();
    tree.write("/m/known.yaml", "pod");
    tree.write("/m/sub/also", "");
    let all = || {
        vec![tree.listed("/m"), tree.exact("/m/known.yaml", "pod"), tree.exact("/m/sub/also", "")]
    };
    assert_eq!(said(&tree.scan(all())), "");
    tree.write("/m/sub-x", "pod");
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n.yaml");
    fs::write(tree.0.path().join("m").join(odd), "pod").unwrap();
    symlink("/nowhere", tree.0.path().join("m/link")).unwrap();
    let expected = "/m/link presence; /m/sub-x presence; /m/\\xff\\x0a.yaml presence";
    assert_eq!(said(&tree.scan(all())), expected);
}

#[test]
fn pipes_sockets_and_links_are_never_opened() {
    let tree = Tree::new();
    tree.write("/secret", "right");
    let place = |name: &str| tree.0.path().join(name);
    mknodat(CWD, place("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let _socket = UnixListener::bind(place("socket")).unwrap();
    symlink("secret", place("link")).unwrap();
    symlink("loop", place("loop")).unwrap();
    fs::create_dir(place("real")).unwrap();
    tree.write("/real/secret", "right");
    symlink("real", place("way")).unwrap();
    for name in ["/fifo", "/socket", "/link", "/loop", "/real"] {
        assert_eq!(tree.said(name, "right"), format!("{name} kind"));
    }
    for path in ["/way/secret", "/loop/secret", "/secret/below"] {
        let said = tree.said(path, "right");
        assert!(said.starts_with(&format!("{path} unknown: ")), "{said}");
    }
}

#[test]
fn paths_longer_than_the_kernel_takes_at_once_are_reached() {
    let tree = Tree::new();
    let mut directory: std::os::fd::OwnedFd = File::open(tree.0.path()).unwrap().into();
    let part = "d".repeat(250);
    let mut path = String::new();
    for _ in 0..20 {
        mkdirat(&directory, &part, Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        directory = openat(&directory, &part, flags, Mode::empty()).unwrap();
        path.push_str(&format!("/{part}"));
    }
    assert!(path.len() > 4096);
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = openat(&directory, "a", flags, Mode::RUSR | Mode::WUSR).unwrap();
    rustix::io::write(&file, b"right").unwrap();
    assert_eq!(tree.said(&format!("{path}/a"), "right"), "");
    let wrong = tree.said(&format!("{path}/a"), "wrong");
    assert!(wrong.ends_with("/a content"), "{wrong}");
    let deep = "/x".repeat(2000);
    assert_eq!(tree.said(&deep, "right"), format!("{deep} presence"));
}

#[test]
fn a_file_of_a_terabyte_takes_no_time_and_passes_nothing() {
    let tree = Tree::new();
    tree.write("/sparse", "");
    File::options()
        .write(true)
        .open(tree.0.path().join("sparse"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let said_unsized = tree.said("/sparse", "right");
    assert!(
        said_unsized.starts_with("/sparse unknown: it has 1099511627776 bytes"),
        "{said_unsized}"
    );
    let mut sized = tree.exact("/sparse", "right");
    sized.expected = sized.expected.map(|it| Expected { size: Some(5), ..it });
    assert_eq!(said(&tree.scan(vec![sized])), "/sparse content");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_unstable() {
    let tree = Tree::new();
    tree.write("/busy", &"x".repeat(1 << 20));
    let (path, is_over) = (tree.0.path().join("busy"), std::sync::atomic::AtomicBool::new(false));
    let ordering = std::sync::atomic::Ordering::Relaxed;
    let looked = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::FileExt as _;
            let file = File::options().write(true).open(&path).unwrap();
            while !is_over.load(ordering) {
                file.write_at(b"y", 0).unwrap();
                std::thread::yield_now();
            }
        });
        // Slow enough that every try sees the clock of the file system go on.
        let mut root = Root::open(tree.0.path(), Pace::bounded(8 << 20)).unwrap();
        let looked = root.look(&"/busy".parse().unwrap(), tree.exact("/busy", "").expected);
        is_over.store(true, ordering);
        looked
    });
    let Look::There(seen) = looked else { panic!("{looked:?}") };
    assert!(
        matches!(&seen.content, Content::Unreadable(why) if why.contains("changed")),
        "{seen:?}"
    );
}

#[test]
fn reading_is_as_slow_as_it_was_told_to_be() {
    let tree = Tree::new();
    tree.write("/a", &"x".repeat(100_000));
    let mut root = Root::open(tree.0.path(), Pace::bounded(1_000_000)).unwrap();
    let began = std::time::Instant::now();
    assert!(matches!(
        root.look(&"/a".parse().unwrap(), tree.exact("/a", "").expected),
        Look::There(_)
    ));
    assert!(began.elapsed() >= std::time::Duration::from_millis(100));
}
