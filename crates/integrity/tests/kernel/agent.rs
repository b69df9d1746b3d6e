//! The agent on a root of its own.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringfort_integrity::baseline::{Entries, Header, write};
use ringfort_integrity::change::Change;
use ringfort_integrity::journal::{self, Line, Tip, Told};
use ringfort_integrity::os::{Hooks, Settings, Status, status, watch};
use ringfort_integrity::process::Who;
use ringfort_integrity::protected::{
    Class, Expected, Hash, ModeRule, Presence, Protected, Protection,
};
use ringfort_integrity::why::Why;
use ringfort_model::item::ItemId;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::severity::Severity;
use ringfort_pki::Ed25519Key;

use super::{Room, run};

pub(super) const FILE: &str = "/etc/a";
pub(super) const LISTED: &str = "/etc/manifests";
pub(super) const WATCHED: &str = "/etc/watched";
/// Whoever hears of this one holds the agent up for a while.
pub(super) const STALL: &str = "/etc/watched/stall";
const LONGEST: Duration = Duration::from_secs(20);

/// A machine's root, and what an agent of it needs.
pub(super) struct Site {
    pub settings: Settings,
    /// Files that the baseline has besides, with what they hold.
    pub more: Vec<(String, String)>,
    /// Directories that the baseline has besides.
    pub watched: Vec<String>,
    /// Logs that the baseline has besides.
    pub logs: Vec<String>,
    key: Ed25519Key,
}

impl Site {
    pub(super) fn new(room: &Room, root: PathBuf) -> Self {
        for directory in [LISTED, WATCHED] {
            fs::create_dir_all(root.join(&directory[1..])).unwrap();
        }
        let file = root.join(&FILE[1..]);
        fs::write(&file, "right").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let key = Ed25519Key::make().unwrap();
        let at = |name: &str| room.at(name);
        fs::write(at("key"), key.public().pem()).unwrap();
        let settings = Settings {
            node: "w1".to_owned(),
            root,
            baseline: at("baseline"),
            key: at("key"),
            state: at("state"),
            steps: at("steps"),
            lock: at("lock"),
            store: at("store"),
            bytes_per_second: 1 << 30,
            every: Duration::from_secs(3600),
            programs: Some(vec![at("")]),
        };
        let (more, watched, logs) = Default::default();
        let site = Self { settings, more, watched, logs, key };
        site.baseline("w1", 1, "right");
        site
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.settings.root.join(&path[1..])
    }

    pub(super) fn baseline(&self, node: &str, counter: u64, text: &str) {
        let own = fs::metadata(self.at(FILE)).unwrap();
        let entry = |path: &str, class| Protected {
            path: path.parse().unwrap(),
            class,
            presence: Presence::Required,
            severity: Severity::Critical,
            mode: None,
            owner: None,
            expected: None,
        };
        let file = |path: &str, text: &str| {
            let hash = Hash::Blake3(*blake3::hash(text.as_bytes()).as_bytes());
            Protected {
                mode: Some(ModeRule::Is(FileMode(0o600))),
                owner: Some(Owner { uid: own.uid(), gid: own.gid() }),
                expected: Some(Expected { size: Some(text.len() as u64), hash }),
                ..entry(path, Class::Exact)
            }
        };
        let all = [entry(LISTED, Class::Listed), entry(WATCHED, Class::Watched), file(FILE, text)];
        let more = self.more.iter().map(|(path, text)| file(path, text));
        let more = more.chain(self.watched.iter().map(|path| entry(path, Class::Watched)));
        let more = more.chain(self.logs.iter().map(|path| entry(path, Class::Growing)));
        let entries = Entries::of(&all.into_iter().chain(more).collect::<Protection>());
        let header = Header { cluster: "c".into(), node: node.into(), counter, entries: 0 };
        let aside = self.settings.baseline.with_extension("new");
        fs::write(&aside, write(&header, &entries, &self.key).unwrap()).unwrap();
        fs::rename(aside, &self.settings.baseline).unwrap();
    }

    /// Notes who may have read a file that is put back.
    fn misread(&self, readers: &BTreeSet<ItemId>) -> std::io::Result<()> {
        let names = readers.iter().map(|reader| format!("{reader}\n")).collect::<String>();
        fs::write(self.settings.state.join("misread"), names)
    }

    pub(super) fn status(&self) -> Status {
        status(&self.settings.state).unwrap()
    }

    /// Runs an agent beside something else, which begins when everything was looked at once.
    pub(super) fn with_agent<T>(&self, act: impl FnOnce(&Ears) -> T) -> T {
        let stop = AtomicBool::new(false);
        let (told, lines) = channel();
        let (ready, is_ready) = channel();
        std::thread::scope(|scope| {
            let stop_it = StopIt(&stop);
            let agent = scope.spawn(|| {
                let line = |line: &str| {
                    told.send(line.to_owned()).unwrap_or(());
                    if line.contains(STALL) {
                        std::thread::sleep(Duration::from_secs(5));
                    }
                };
                let hooks = Hooks {
                    ready: &|| ready.send(()).unwrap_or(()),
                    alive: || (),
                    line: &line,
                    misread: &|readers| self.misread(readers),
                };
                watch(&self.settings, hooks, &stop)
            });
            is_ready.recv_timeout(LONGEST).expect("the agent begins");
            let ears = Ears { lines, before: Vec::new().into() };
            ears.first_round();
            let came = act(&ears);
            drop(stop_it);
            agent.join().unwrap().unwrap();
            came
        })
    }
}

/// Stops an agent also where a test fails.
struct StopIt<'a>(&'a AtomicBool);

impl Drop for StopIt<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Ears {
    lines: Receiver<String>,
    /// What was told before everything was looked at once.
    pub before: std::cell::RefCell<Vec<String>>,
}

impl Ears {
    /// Waits for something to be told.
    pub(super) fn wait<T>(&self, what: &str, is_it: impl Fn(&Told) -> Option<T>) -> T {
        let end = Instant::now() + LONGEST;
        let told = |text: &str| is_it(&serde_json::from_str::<Line>(text).unwrap().told);
        let known = self.before.borrow().iter().find_map(|text| told(text));
        if let Some(found) = known {
            return found;
        }
        while let Ok(text) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if let Some(found) = told(&text) {
                return found;
            }
            self.before.borrow_mut().push(text);
        }
        panic!("{what} was not told, but {:#?}", self.before);
    }

    /// Waits for something that is not to be told, and was not before.
    pub(super) fn nothing(&self, longest: Duration, is_it: impl Fn(&Told) -> bool) {
        let end = Instant::now() + longest;
        let told = |text: &str| serde_json::from_str::<Line>(text).unwrap().told;
        while let Ok(text) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            assert!(!is_it(&told(&text)), "{text}");
            self.before.borrow_mut().push(text);
        }
    }

    /// Waits until everything was looked at once.
    fn first_round(&self) {
        self.wait("a round", |told| matches!(told, Told::Verified { .. }).then_some(()));
    }

    pub(super) fn change(&self, path: &str) -> Change {
        self.wait(path, |told| match told {
            Told::Change(change) if change.finding.path.to_string() == path => {
                Some((**change).clone())
            }
            _ => None,
        })
    }
}

pub(super) fn exe(change: &Change) -> &str {
    match &change.who {
        Who::Process(process) => &process.exe,
        Who::Unknown(why) => panic!("{why}: {change:?}"),
    }
}

/// Puts a program on the room's own file system, where the agent is asked about it.
pub(super) fn program(room: &Room, name: &str) -> PathBuf {
    let (from, to) = (Path::new("/bin").join(name), room.at(name));
    fs::copy(from, &to).unwrap();
    to
}

pub(super) fn a_change_is_told_with_its_writer_and_what_happened_meanwhile_at_the_next_start(
    room: &Room,
) {
    let site = Site::new(room, room.at("root"));
    let copy = program(room, "cp");
    fs::write(room.at("evil"), "wrong").unwrap();
    let copied = |to: &Path| {
        assert!(Command::new(&copy).arg(room.at("evil")).arg(to).status().unwrap().success());
    };
    let first = site.with_agent(|ears| {
        let began = Instant::now();
        copied(&site.at(FILE));
        let change = ears.change(FILE);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(exe(&change), copy.to_str().unwrap());
        assert_eq!(change.why, Why::Unexplained);
        assert!(!change.is_right && change.after.is_some());
        // Programs that end before anybody looks, each with its writer.
        let mut waits = Vec::new();
        for number in 0..100 {
            let path = format!("{LISTED}/{number}");
            copied(&site.at(&path));
            let ended = Instant::now();
            let change = ears.change(&path);
            waits.push(ended.elapsed());
            assert_eq!(exe(&change), copy.to_str().unwrap(), "{change:?}");
        }
        waits.sort();
        println!(
            "     told {:?} after the program had ended, in the median; {:?} at most",
            waits[50], waits[99]
        );
        let status = site.status();
        assert!(status.asked >= 100 && status.limits.is_empty(), "{status:?}");
        println!(
            "     asked {} times before a program began: {} µs in the mean, {} at most",
            status.asked, status.answer_microseconds, status.longest_answer_microseconds
        );
        change.id
    });
    fs::write(site.at(FILE), "right").unwrap();
    fs::write(site.at(&format!("{LISTED}/meanwhile")), "x").unwrap();
    site.with_agent(|ears| {
        let change = ears.change(&format!("{LISTED}/meanwhile"));
        assert!(matches!(change.who, Who::Unknown(_)), "{change:?}");
        ears.wait("a blind time", |told| matches!(told, Told::Blind(_)).then_some(()));
    });
    let status = site.status();
    assert!(status.unexplained.contains(&first) || status.unexplained_count > 20, "{status:?}");
    let text = fs::read_to_string(site.settings.state.join("journal")).unwrap();
    let read = journal::read(&text, Some(&Tip::default()));
    assert_eq!(read.broken, None);
    let again = read.lines.iter().filter(|line| {
        matches!(&line.told, Told::Change(it) if it.finding.path.to_string() == format!("{LISTED}/7"))
    });
    assert_eq!(again.count(), 1, "a change is told once");
}

pub(super) fn what_comes_with_a_directory_is_told_and_so_is_a_directory_that_was_replaced(
    room: &Room,
) {
    let site = Site::new(room, room.at("root"));
    site.with_agent(|ears| {
        fs::create_dir_all(site.at("/etc/watched/new/deep")).unwrap();
        ears.change("/etc/watched/new");
        fs::write(site.at("/etc/watched/new/deep/file"), "x").unwrap();
        ears.change("/etc/watched/new/deep/file");
        fs::create_dir(room.at("aside")).unwrap();
        fs::write(room.at("aside/pod.yaml"), "x").unwrap();
        fs::rename(site.at(LISTED), room.at("gone")).unwrap();
        fs::rename(room.at("aside"), site.at(LISTED)).unwrap();
        ears.change(&format!("{LISTED}/pod.yaml"));
        fs::write(site.at(&format!("{LISTED}/later.yaml")), "x").unwrap();
        ears.change(&format!("{LISTED}/later.yaml"));
        fs::hard_link(site.at(FILE), room.at("other-name")).unwrap();
        fs::write(room.at("other-name"), "wrong").unwrap();
        let change = ears.change(FILE);
        assert!(!change.is_right, "{change:?}");
    });
}

pub(super) fn only_the_right_baseline_is_followed(room: &Room) {
    let site = Site::new(room, room.at("root"));
    site.baseline("w1", 5, "right");
    site.with_agent(|ears| {
        for (node, counter, says) in [("w1", 4, "number 4"), ("w2", 6, "of machine w2")] {
            site.baseline(node, counter, "wrong");
            ears.wait(says, |told| match told {
                Told::Refused { why } if why.contains(says) => Some(()),
                _ => None,
            });
            assert_eq!(site.status().baseline, 5);
        }
        fs::write(site.at(FILE), "newer").unwrap();
        let change = ears.change(FILE);
        assert_eq!(change.why, Why::Unexplained);
        site.baseline("w1", 6, "newer");
        let settled = ears.wait("that it is explained", |told| match told {
            Told::Settled { change, .. } => Some(change.clone()),
            _ => None,
        });
        assert_eq!(settled, change.id);
    });
    site.baseline("w1", 5, "right");
    let never = AtomicBool::new(false);
    let hooks = Hooks { ready: &|| (), alive: || (), line: &|_| (), misread: &|_| Ok(()) };
    for _ in 0..2 {
        let refused = watch(&site.settings, hooks, &never).unwrap_err();
        assert!(refused.to_string().contains("number 5"), "{refused}");
    }
    // It is told, once, however often it is begun again.
    let text = fs::read_to_string(site.settings.state.join("journal")).unwrap();
    let lines = journal::read(&text, Some(&Tip::default())).lines;
    let refused = |line: &Line| matches!(&line.told, Told::Refused { .. });
    let [.., before, last] = &lines[..] else { panic!("{lines:?}") };
    assert!(refused(last) && !refused(before), "{before:?} {last:?}");
    assert!(site.status().refused.is_some());
}

/// The time, in seconds since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(super) fn more_than_the_queue_holds_is_looked_for_and_the_blind_time_told(room: &Room) {
    let site = Site::new(room, room.at("root"));
    let most = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    site.with_agent(|ears| {
        fs::write(site.at(STALL), "x").unwrap();
        ears.change(STALL);
        let before = seconds();
        for number in 0..=most {
            fs::create_dir(room.at(&format!("other/{number}"))).unwrap();
        }
        fs::write(site.at(FILE), "wrong").unwrap();
        ears.change(FILE);
        let blind = ears.wait("a blind time", |told| match told {
            Told::Blind(blind) => Some(blind.clone()),
            _ => None,
        });
        assert!(blind.from <= blind.until, "{blind:?}");
        assert!(blind.from <= before, "it began before {before}: {blind:?}");
    });
}

pub(super) fn a_storm_that_goes_on_does_not_keep_everything_from_being_looked_at(room: &Room) {
    let site = Site::new(room, room.at("root"));
    let most = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    let storm = |name: &str| {
        for number in 0..=most {
            fs::create_dir(room.at(&format!("other/{name}-{number}"))).unwrap();
        }
    };
    let blind = |told: &Told| match told {
        Told::Blind(blind) => Some(blind.clone()),
        _ => None,
    };
    site.with_agent(|ears| {
        fs::write(site.at(STALL), "1").unwrap();
        ears.change(STALL);
        // Nobody hears for a while, and then everything is looked at.
        let before_first = seconds();
        storm("first");
        fs::write(site.at(STALL), "22").unwrap();
        ears.before.borrow_mut().clear();
        ears.change(STALL);
        // It is looked at now, and again nobody hears: neither of the rest nor of what is protected.
        let before_second = seconds();
        storm("second");
        fs::write(site.at(FILE), "wrong").unwrap();
        fs::write(site.at(&format!("{LISTED}/in-the-storm")), "x").unwrap();
        let first = ears.wait("the first blind time", blind);
        let is_later = |told: &Told| blind(told).filter(|it| it.from > first.from);
        let second = ears.wait("the second blind time", is_later);
        assert!(first.until <= second.until, "{first:?} {second:?}");
        let covers = first.from <= before_first && second.from <= before_second;
        assert!(covers, "{before_first} {first:?} {before_second} {second:?}");
        // What nobody heard of is found.
        assert!(!ears.change(FILE).is_right);
        ears.change(&format!("{LISTED}/in-the-storm"));
        std::thread::sleep(Duration::from_secs(2));
        let status = site.status();
        assert_eq!(status.blind_since, None, "it is over");
        assert!([&first, &second].iter().all(|it| status.blind.contains(it)), "{status:?}");
    });
}

pub(super) fn changes_in_a_stack_of_file_systems_are_heard(room: &Room) {
    for directory in ["lower", "upper", "work", "root"] {
        fs::create_dir(room.at(directory)).unwrap();
    }
    let [lower, upper, work] =
        ["lower", "upper", "work"].map(|it| room.at(it).display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let root = room.at("root");
    run("mount", &["-t", "overlay", "-o", &options, "none", root.to_str().unwrap()]);
    let site = Site::new(room, root);
    site.with_agent(|ears| {
        fs::write(site.at(FILE), "wrong").unwrap();
        assert!(!ears.change(FILE).is_right);
        fs::write(site.at(&format!("{LISTED}/new")), "x").unwrap();
        ears.change(&format!("{LISTED}/new"));
        fs::create_dir(site.at("/etc/watched/new")).unwrap();
        ears.change("/etc/watched/new");
        fs::write(site.at("/etc/watched/new/file"), "x").unwrap();
        ears.change("/etc/watched/new/file");
    });
    let status = site.status();
    assert!(status.narrow == 1 && status.limits.is_empty(), "{status:?}");
}

pub(super) fn files_of_packages_are_compared_and_told_once(room: &Room) {
    let mut site = Site::new(room, room.at("root"));
    site.settings.every = Duration::from_secs(1);
    let write = |path: &str, text: &str| {
        fs::create_dir_all(site.at(path).parent().unwrap()).unwrap();
        fs::write(site.at(path), text).unwrap();
    };
    let status = "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n";
    write("/var/lib/dpkg/status", status);
    write("/var/lib/dpkg/info/a.list", "/usr\n/usr/bin\n/usr/bin/a\n");
    write("/var/lib/dpkg/info/a.md5sums", "7c4f29407893c334a6cb7a87bf045c0d  usr/bin/a\n");
    write("/usr/bin/a", "right");
    let compared = |wrong| {
        move |told: &Told| match told {
            Told::Compared(it) if it.findings_count == wrong => Some(it.clone()),
            _ => None,
        }
    };
    let id = site.with_agent(|ears| {
        let first = ears.wait("a comparison", compared(0));
        assert_eq!((first.packages, first.files, first.unknown_count), (1, 1, 0), "{first:?}");
        write("/usr/bin/a", "wrong");
        let change = ears.change("/usr/bin/a");
        assert_eq!((change.finding.class, &change.why), (Class::Packaged, &Why::Unexplained));
        assert!(matches!(&change.who, Who::Unknown(why) if why.contains("a 1")), "{change:?}");
        change.id
    });
    let told = site.with_agent(|ears| {
        ears.wait("a comparison", compared(1));
        ears.wait("another comparison", compared(1));
        let status = site.status();
        let packages = status.packages.expect("the first was written down before the next");
        assert_eq!((packages.findings_count, packages.untold()), (1, 0), "{packages:?}");
        assert_eq!(status.unexplained, std::slice::from_ref(&id));
        write("/usr/bin/a", "right");
        ears.wait("that it is right", |told| match told {
            Told::Settled { change, .. } if *change == id => Some(()),
            _ => None,
        });
        ears.before.borrow().clone()
    });
    assert!(!told.iter().any(|line| line.contains("\"change\",\"id\"")), "told twice: {told:?}");
}
