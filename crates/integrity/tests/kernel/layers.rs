//! What containers write into their own roots, through a stack of directories as the kernel has it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ringfort_integrity::change::Change;
use ringfort_integrity::containerd::{CONTAINERS, LAYERS, SNAPSHOTS};
use ringfort_integrity::journal::Told;
use ringfort_integrity::layers::What;
use ringfort_integrity::os::{LayerScan, Pace, scan_layers};
use ringfort_integrity::why::Why;

use super::agent::{Ears, Site, exe, program};
use super::{Room, run};

#[path = "../../src/containerd/made.rs"]
mod made;

/// A machine with containers of one image: a program `ls`, a setting, data, and a directory of two files.
struct Machine<'a> {
    room: &'a Room,
    site: Site,
}

impl<'a> Machine<'a> {
    fn new(room: &'a Room) -> Self {
        let machine = Self { room, site: Site::new(room, room.at("root")) };
        for number in [1, 2] {
            fs::create_dir_all(machine.layer(number, "")).unwrap();
        }
        machine.put(1, "/usr/bin/ls", 0o755, "#!lower");
        machine.put(2, "/usr/bin/ls", 0o755, "#!image");
        machine.put(1, "/usr/bin/rm", 0o755, "#!image");
        machine.put(1, "/srv/data", 0o644, "image");
        machine.put(1, "/srv/all/one", 0o644, "image");
        machine.put(1, "/srv/all/two", 0o644, "image");
        machine
    }

    fn layer(&self, number: u64, path: &str) -> PathBuf {
        self.site.at(&format!("{LAYERS}/{number}/fs{path}"))
    }

    fn put(&self, number: u64, path: &str, mode: u32, text: &str) {
        let at = self.layer(number, path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(&at, text).unwrap();
        fs::set_permissions(at, Permissions::from_mode(mode)).unwrap();
    }

    /// Begins a container as containerd does: its directories, its databases, and its root.
    fn begin(&self, number: u64, all: &[u64]) -> PathBuf {
        let at = self.site.at(&format!("{LAYERS}/{number}"));
        let made = at.with_file_name(format!("new-{number}"));
        fs::create_dir_all(made.join("fs")).unwrap();
        fs::create_dir_all(made.join("work")).unwrap();
        fs::rename(made, &at).unwrap();
        self.know(all);
        let root = self.room.at(&format!("container-{number}"));
        fs::create_dir(&root).unwrap();
        let (lower, upper) = (self.layer(1, ""), self.layer(2, ""));
        let stacked = format!(
            "lowerdir={}:{},upperdir={},workdir={}",
            upper.display(),
            lower.display(),
            at.join("fs").display(),
            at.join("work").display()
        );
        run("mount", &["-t", "overlay", "none", "-o", &stacked, root.to_str().unwrap()]);
        root
    }

    fn know(&self, all: &[u64]) {
        let (containers, snapshots) = made::containers(all);
        for (path, bytes) in [(SNAPSHOTS, snapshots), (CONTAINERS, containers)] {
            let at = self.site.at(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, bytes).unwrap();
        }
    }

    fn scan(&self) -> LayerScan {
        scan_layers(&self.site.settings.root, Pace::free()).unwrap()
    }
}

fn told(ears: &Ears, number: u64, path: &str) -> Change {
    ears.change(&format!("{LAYERS}/{number}/fs{path}"))
}

fn check(change: &Change, what: What, path: &str) {
    let drift = change.drift.as_ref().unwrap();
    assert_eq!((drift.what, drift.path.to_string().as_str()), (what, path), "{change:?}");
    assert_eq!(change.why, Why::Unexplained);
}

fn digest(text: &str) -> Option<String> {
    Some(format!("blake3:{}", blake3::hash(text.as_bytes()).to_hex()))
}

pub(super) fn what_a_container_adds_replaces_and_removes_is_told_with_whose_it_is(room: &Room) {
    let machine = Machine::new(room);
    let root = machine.begin(3, &[3]);
    let (copy, remove) = (program(room, "cp"), program(room, "rm"));
    let acts = |program: &Path, words: &[&Path]| {
        assert!(Command::new(program).args(words).status().unwrap().success());
    };
    fs::write(room.at("evil"), "#!evil").unwrap();
    fs::set_permissions(room.at("evil"), Permissions::from_mode(0o755)).unwrap();
    machine.site.with_agent(|ears| {
        fs::create_dir_all(root.join("var/log")).unwrap();
        fs::write(root.join("var/log/app.log"), "line").unwrap();
        fs::write(root.join("var/log/data"), [0; 100]).unwrap();
        acts(&copy, &[&room.at("evil"), &root.join("usr/bin/evil")]);
        let change = told(ears, 3, "/usr/bin/evil");
        check(&change, What::NewExecutable, "/usr/bin/evil");
        assert_eq!(exe(&change), copy.to_str().unwrap());
        assert_eq!(
            (change.before.as_ref(), digest("#!evil")),
            (None, change.after.unwrap().digest)
        );
        let container = change.drift.unwrap().container;
        assert_eq!(container.text(), "container app of pod shop/web-3");
        assert_eq!(container.image.as_deref(), Some("registry.example/web:1"));

        acts(&copy, &[&room.at("evil"), &root.join("usr/bin/ls")]);
        let change = ears.wait("the other program", |told| match told {
            Told::Change(change)
                if change.finding.path.to_string().ends_with("3/fs/usr/bin/ls")
                    && change.after.as_ref().is_some_and(|it| it.digest == digest("#!evil")) =>
            {
                Some((**change).clone())
            }
            _ => None,
        });
        check(&change, What::ImageFileReplaced, "/usr/bin/ls");
        assert_eq!(exe(&change), copy.to_str().unwrap());
        assert_eq!(change.before.unwrap().digest, digest("#!image"), "the uppermost layer counts");
        acts(&remove, &[&root.join("usr/bin/rm")]);
        let change = told(ears, 3, "/usr/bin/rm");
        check(&change, What::ImageFileRemoved, "/usr/bin/rm");
        assert_eq!(exe(&change), remove.to_str().unwrap());
        assert_eq!((change.before.unwrap().digest, change.after), (digest("#!image"), None));

        // A directory that was removed and made anew hides what the image has in it.
        fs::remove_dir_all(root.join("srv/all")).unwrap();
        check(&told(ears, 3, "/srv/all"), What::ImageFileRemoved, "/srv/all");
        fs::create_dir(root.join("srv/new")).unwrap();
        fs::write(root.join("srv/new/one"), "image").unwrap();
        fs::rename(root.join("srv/new"), root.join("srv/all")).unwrap();
        check(&told(ears, 3, "/srv/all/two"), What::ImageFileRemoved, "/srv/all/two");
        let all = ears.before.borrow().join("\n");
        for none in ["app.log", "/var/log/data"] {
            assert!(!all.contains(none), "{none} is no finding, but {all}");
        }
    });
    let status = machine.site.status();
    assert_eq!((status.containers, status.unknown_count), (1, 0), "{status:?}");
    let scan = machine.scan();
    let found: Vec<String> = scan.findings.iter().map(|it| it.drift.path.to_string()).collect();
    let all = ["/usr/bin/evil", "/usr/bin/ls", "/usr/bin/rm", "/srv/all/two"];
    assert!(all.iter().all(|it| found.contains(&(*it).to_owned())), "{scan:?}");
    assert_eq!((found.len(), scan.unknown_count, scan.containers), (4, 0, 1), "{scan:?}");
    // What was told stays told.
    machine.site.with_agent(|ears| {
        ears.nothing(Duration::from_secs(1), |told| matches!(told, Told::Change(_)));
    });
}

pub(super) fn what_is_written_after_a_file_was_made_is_seen(room: &Room) {
    let machine = Machine::new(room);
    let root = machine.begin(3, &[3]);
    machine.site.with_agent(|ears| {
        let mut slow = fs::File::create(root.join("slow")).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        slow.write_all(b"#!slow").unwrap();
        check(&told(ears, 3, "/slow"), What::NewExecutable, "/slow");
        drop(slow);
        // What is as its image has it again is told anew when it is not.
        let data = |text: &str| {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).truncate(true).open(root.join("srv/data")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        data("other");
        check(&told(ears, 3, "/srv/data"), What::ImageFileReplaced, "/srv/data");
    });
}

pub(super) fn a_container_that_begins_later_is_seen_from_its_first_file_on(room: &Room) {
    let machine = Machine::new(room);
    machine.begin(3, &[3]);
    let copy = program(room, "cp");
    fs::write(room.at("evil"), "#!evil").unwrap();
    machine.site.with_agent(|ears| {
        let root = machine.begin(4, &[3, 4]);
        let to = root.join("usr/bin/evil");
        assert!(Command::new(&copy).arg(room.at("evil")).arg(to).status().unwrap().success());
        let change = told(ears, 4, "/usr/bin/evil");
        check(&change, What::NewExecutable, "/usr/bin/evil");
        let container = change.drift.unwrap().container;
        assert_eq!(container.pod.as_deref(), Some("web-4"));
        // A container of which a layer is not there is unknown.
        fs::rename(machine.layer(1, ""), room.at("discarded")).unwrap();
        machine.know(&[4, 3]);
        let end = Instant::now() + Duration::from_secs(20);
        let is_said = || {
            let status = machine.site.status();
            status.unknown.iter().filter(|it| it.why.contains("k8s.io/1/sha256:base")).count() == 2
        };
        while !is_said() {
            assert!(Instant::now() < end, "{:?}", machine.site.status());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(machine.site.status().containers, 0);
    });
}

/// A container that writes very many programs is told of, and not each of them.
pub(super) fn a_flood_of_one_container_ends(room: &Room) {
    let machine = Machine::new(room);
    let root = machine.begin(3, &[3]);
    machine.site.with_agent(|ears| {
        for number in 0..300 {
            fs::write(root.join(format!("tool-{number}")), "#!tool").unwrap();
        }
        check(&told(ears, 3, ""), What::More, "/");
        let lines = ears.before.borrow().iter().filter(|it| it.contains("tool-")).count();
        assert_eq!(lines, 100);
        ears.nothing(Duration::from_millis(500), |told| matches!(told, Told::Change(_)));
    });
}
