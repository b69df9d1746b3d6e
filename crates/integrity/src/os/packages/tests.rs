//! What a comparison makes of machines that are made up, with everything in them that can go wrong.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use md5::{Digest as _, Md5};

use super::*;
use crate::protected::{Class, Expected, Hash, Presence, Protected, Protection};

struct Machine(tempfile::TempDir);

/// A package `tools` with what each machine here has of it.
const TOOLS: &[(&str, &str)] = &[
    ("/bin/ls", "ls 1"),
    ("/usr/bin/awk.real", "awk 1"),
    ("/usr/lib/x86_64-linux-gnu/libc.so.6.1", "libc 1"),
    ("/usr/lib/systemd/system/a.service", "unit 1"),
    ("/usr/share/doc/tools/copyright", "free"),
];

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("/usr/bin/.keep", "");
        fs::remove_file(machine.at("/usr/bin/.keep")).unwrap();
        symlink("usr/bin", machine.at("/bin")).unwrap();
        machine.write("/var/lib/dpkg/status", "");
        machine.install("tools", TOOLS, &["/etc/tools.conf"]);
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.at(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
    }

    fn add(&self, path: &str, text: &str) {
        let before = fs::read_to_string(self.at(path)).unwrap();
        self.write(path, &(before + text));
    }

    /// Puts a package in place, as dpkg does.
    fn install(&self, name: &str, files: &[(&str, &str)], settings: &[&str]) {
        let (mut list, mut sums) = ("/.\n/usr\n/usr/bin\n".to_owned(), String::new());
        for (path, text) in files {
            list.push_str(&format!("{path}\n"));
            for (at, _) in path.match_indices('/').skip(1) {
                list.push_str(&format!("{}\n", &path[..at]));
            }
            sums.push_str(&format!("{}  {}\n", hex(text), &path[1..]));
            self.write(path, text);
        }
        let mut stanza = format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
        );
        if !settings.is_empty() {
            stanza.push_str("Conffiles:\n");
        }
        for path in settings {
            list.push_str(&format!("{path}\n"));
            stanza.push_str(&format!(" {path} {}\n", hex("as it came")));
            self.write(path, "as it came");
        }
        self.add("/var/lib/dpkg/status", &format!("{stanza}\n"));
        self.write(&format!("/var/lib/dpkg/info/{name}.list"), &list);
        self.write(&format!("/var/lib/dpkg/info/{name}.md5sums"), &sums);
    }

    fn scan(&self) -> PackageScan {
        let none = Entries::of(&Protection::default());
        scan_packages(self.0.path(), &none, Pace::free()).unwrap()
    }

    /// What a comparison says, on one line.
    fn said(&self) -> String {
        said(&self.scan())
    }
}

fn hex(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn said(scan: &PackageScan) -> String {
    let found = scan.findings.iter().map(|it| {
        let of: Vec<String> = it.finding.differences.iter().map(|it| it.of.to_string()).collect();
        let package = it.package.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
        format!("{}{package}: {}", it.finding.path, of.join(" "))
    });
    let unknown = scan.unknown.iter().map(|it| format!("{} unknown: {}", it.path, it.why));
    found.chain(unknown).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_machine_with_what_its_packages_brought_is_quiet() {
    let machine = Machine::new();
    let scan = machine.scan();
    assert_eq!(said(&scan), "");
    assert_eq!((scan.packages, scan.files, scan.settings.len()), (1, 5, 0));
    machine.add("/etc/tools.conf", "changed");
    let changed = machine.scan();
    assert_eq!(said(&changed), "");
    assert_eq!(changed.settings, ["/etc/tools.conf".parse().unwrap()]);
    assert_eq!(changed.database, scan.database);
}

#[test]
fn a_file_that_is_another_missing_or_for_everybody_to_write_is_found_with_its_package() {
    let machine = Machine::new();
    // The package names it by the directory that was merged.
    machine.write("/usr/bin/ls", "ls 2");
    assert_eq!(machine.said(), "/usr/bin/ls of tools 1: content");
    machine.write("/usr/bin/ls", "ls 1");
    fs::remove_file(machine.at("/usr/lib/systemd/system/a.service")).unwrap();
    assert_eq!(machine.said(), "/usr/lib/systemd/system/a.service of tools 1: presence");
    machine.write("/usr/lib/systemd/system/a.service", "unit 1");
    fs::set_permissions(machine.at("/usr/bin/ls"), Permissions::from_mode(0o757)).unwrap();
    assert_eq!(machine.said(), "/usr/bin/ls of tools 1: mode");
    machine.write("/usr/bin/ls", "ls 1");
    fs::remove_file(machine.at("/usr/bin/ls")).unwrap();
    symlink("awk.real", machine.at("/usr/bin/ls")).unwrap();
    assert_eq!(machine.said(), "/usr/bin/ls of tools 1: kind");
}

#[test]
fn what_no_package_brought_is_found_where_all_came_with_one() {
    let machine = Machine::new();
    for path in ["/usr/bin/evil", "/usr/lib/x86_64-linux-gnu/security/pam_evil.so"] {
        machine.install("pam", &[("/usr/lib/x86_64-linux-gnu/security/pam_unix.so", "pam")], &[]);
        machine.write(path, "x");
        assert_eq!(machine.said(), format!("{path}: presence"));
        fs::remove_file(machine.at(path)).unwrap();
    }
    machine.write("/usr/lib/systemd/system/evil.service", "x");
    machine.write("/usr/local/bin/own", "x");
    machine.write("/usr/lib/python3/__pycache__/a.pyc", "x");
    machine.write("/srv/any", "x");
    let scan = machine.scan();
    assert_eq!(said(&scan), "/usr/lib/systemd/system/evil.service: presence");
    assert_eq!(scan.generated, 1);
    fs::remove_file(machine.at("/usr/lib/systemd/system/evil.service")).unwrap();
    machine.write("/usr/lib/evil/a", "x");
    machine.write("/usr/lib/evil/b/c", "x");
    let scan = machine.scan();
    assert_eq!(said(&scan), "/usr/lib/evil: presence");
    assert_eq!(scan.findings[0].finding.differences[0].found, "a directory with 2 files");
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n");
    fs::write(machine.at("/usr/bin").join(odd), "x").unwrap();
    assert_eq!(machine.said(), "/usr/bin/\\xff\\x0a: presence; /usr/lib/evil: presence");
}

#[test]
fn a_link_is_as_good_as_what_it_leads_to() {
    let machine = Machine::new();
    let link = |target: &str, path: &str| {
        let _ = fs::remove_file(machine.at(path));
        fs::create_dir_all(machine.at(path).parent().unwrap()).unwrap();
        symlink(target, machine.at(path)).unwrap();
    };
    machine.add("/var/lib/dpkg/info/tools.list", "/usr/bin/dir\n");
    link("../bin/./ls", "/usr/bin/dir");
    assert_eq!(machine.said(), "");
    machine.write("/srv/evil", "x");
    link("/srv/evil", "/usr/bin/dir");
    assert_eq!(machine.said(), "/usr/bin/dir of tools 1: content");
    link("dir", "/usr/bin/dir");
    assert_eq!(machine.said(), "/usr/bin/dir unknown: nobody can say where it leads");
    link("ls", "/usr/bin/dir");
    let list = "auto\n/usr/bin/awk\n\n/usr/bin/awk.real\n5\n\n";
    machine.write("/var/lib/dpkg/alternatives/awk", list);
    link("/etc/alternatives/awk", "/usr/bin/awk");
    link("/usr/bin/awk.real", "/etc/alternatives/awk");
    assert_eq!(machine.said(), "");
    link("/usr/bin/ls", "/etc/alternatives/awk");
    assert_eq!(machine.said(), "/usr/bin/awk: presence", "it is no choice");
    link("/srv/evil", "/etc/alternatives/awk");
    assert_eq!(machine.said(), "/usr/bin/awk: presence");
    fs::remove_file(machine.at("/usr/bin/awk")).unwrap();
    link("libc.so.6.1", "/usr/lib/x86_64-linux-gnu/libc.so.6");
    assert_eq!(machine.said(), "", "ldconfig makes it");
    link("libc.so.6.1", "/usr/lib/x86_64-linux-gnu/libm.so.6");
    assert_eq!(machine.said(), "/usr/lib/x86_64-linux-gnu/libm.so.6: presence");
}

#[test]
fn what_cannot_be_compared_is_unknown_and_never_as_it_should_be() {
    let check = |change: &dyn Fn(&Machine), expected: &str| {
        let machine = Machine::new();
        change(&machine);
        let said = machine.said();
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
    };
    let sums = "/var/lib/dpkg/info/tools.md5sums";
    check(&|it| it.write("/var/lib/dpkg/status", ""), "/usr/bin/ls: presence");
    check(&|it| fs::remove_file(it.at(sums)).unwrap(), "/usr/bin/ls unknown: its package has no");
    check(&|it| fs::remove_file(it.at("/var/lib/dpkg/info/tools.list")).unwrap(), "list of paths");
    check(&|it| fs::remove_dir_all(it.at("/var/lib/dpkg")).unwrap(), "no package database");
    check(&|it| fs::remove_dir_all(it.at("/var/lib/dpkg/info")).unwrap(), "unknown: No such file");
    check(&|it| it.add(sums, "d41d8cd98f00b204e98  usr/b"), "is no digest and path");
    check(&|it| it.add("/var/lib/dpkg/info/tools.list", "/usr/../x\n"), "of its list is no path");
    check(&|it| it.add("/var/lib/dpkg/status", "Package: b\n"), "status unknown: its package 2");
    check(&|it| it.write("/var/lib/dpkg/diversions", "/a\n/b\n"), "diversions unknown: it is cut");
    check(&|it| it.write("/var/lib/dpkg/alternatives/x", "auto\n"), "alternatives/x unknown");
    let torn = "Package: tools\nStatus: install ok half-installed\nArchitecture: amd64\n";
    check(&|it| it.write("/var/lib/dpkg/updates/0001", torn), "tools: it is half installed");
    let other = "Package: other\nStatus: install ok installed\nArchitecture: all\n\n";
    check(&|it| it.add("/var/lib/dpkg/status", other), "other: its list of paths is empty");
    check(
        &|it| {
            fs::remove_file(it.at(sums)).unwrap();
            symlink("tools.list", it.at(sums)).unwrap();
        },
        "tools.md5sums unknown: it is no file",
    );
    check(
        &|it| {
            fs::rename(it.at("/usr/lib"), it.at("/elsewhere")).unwrap();
            symlink("/elsewhere", it.at("/usr/lib")).unwrap();
        },
        "/usr/lib/systemd/system/a.service unknown",
    );
    check(
        &|it| symlink("/srv", it.at("/usr/games")).unwrap(),
        "/usr/games unknown: it is no directory but a symbolic link",
    );
    check(
        &|it| {
            let file = fs::File::options().write(true).open(it.at("/usr/bin/ls")).unwrap();
            file.set_len(1 << 40).unwrap();
        },
        "/usr/bin/ls unknown: it has 1099511627776 bytes",
    );
    check(
        &|it| {
            fs::remove_dir_all(it.at("/var/lib/dpkg")).unwrap();
            fs::create_dir_all(it.at("/var/lib/rpm")).unwrap();
        },
        "/var/lib/rpm unknown: databases of rpm are not read",
    );
}

#[test]
fn files_that_were_diverted_left_out_or_are_the_baselines_are_no_findings() {
    let machine = Machine::new();
    machine.install("wrapper", &[("/usr/bin/awk.new", "new awk")], &[]);
    machine.write("/var/lib/dpkg/diversions", "/bin/ls\n/bin/ls.real\nwrapper\n");
    fs::rename(machine.at("/usr/bin/ls"), machine.at("/usr/bin/ls.real")).unwrap();
    assert_eq!(machine.said(), "");
    machine.write("/usr/bin/ls.real", "ls 2");
    assert_eq!(machine.said(), "/usr/bin/ls.real of tools 1: content");
    machine.write("/usr/bin/ls.real", "ls 1");
    let copyright = "/usr/share/doc/tools/copyright";
    fs::remove_file(machine.at(copyright)).unwrap();
    assert_eq!(machine.said(), format!("{copyright} of tools 1: presence"));
    machine.write("/etc/dpkg/dpkg.cfg.d/slim", "path-exclude=/usr/share/doc/*\n");
    let scan = machine.scan();
    assert_eq!((said(&scan), scan.left_out), (String::new(), 1));
    machine.add("/etc/dpkg/dpkg.cfg.d/slim", "path-include /usr/share/doc/*/copyright\n");
    assert_eq!(machine.said(), format!("{copyright} of tools 1: presence"));
    machine.write(copyright, "free");
    machine.write("/usr/bin/awk.new", "written by the blueprint");
    machine.write("/usr/bin/also", "written by the blueprint");
    let own = |path: &str| Protected {
        path: path.parse().unwrap(),
        class: Class::Exact,
        presence: Presence::Required,
        severity: ringfort_model::severity::Severity::High,
        mode: None,
        owner: None,
        expected: Some(Expected { size: None, hash: Hash::Blake3([0; 32]) }),
    };
    let baseline: Protection =
        [own("/usr/bin/awk.new"), own("/usr/bin/also")].into_iter().collect();
    let scan = scan_packages(machine.0.path(), &Entries::of(&baseline), Pace::free()).unwrap();
    assert_eq!(said(&scan), "");
}

#[test]
fn packages_of_several_architectures_and_removed_ones_have_their_own_files() {
    let machine = Machine::new();
    machine.install("both", &[("/usr/lib/both", "both")], &[]);
    let info = |name: &str| machine.at(&format!("/var/lib/dpkg/info/{name}"));
    for part in ["list", "md5sums"] {
        fs::rename(info(&format!("both.{part}")), info(&format!("both:amd64.{part}"))).unwrap();
    }
    assert_eq!(machine.said(), "");
    let second = "Package: both\nStatus: install ok installed\nArchitecture: i386\nVersion: 1\n\n";
    machine.add("/var/lib/dpkg/status", second);
    machine.write("/var/lib/dpkg/info/both:i386.list", "/usr/lib/both\n");
    let other = format!("{}  usr/lib/both\n", hex("else"));
    machine.write("/var/lib/dpkg/info/both:i386.md5sums", &other);
    assert_eq!(machine.said(), "/usr/lib/both unknown: packages disagree about what it holds");
    let gone = "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\n\n";
    machine.write("/var/lib/dpkg/info/both:i386.md5sums", "");
    machine.add("/var/lib/dpkg/status", gone);
    machine.write("/var/lib/dpkg/info/gone.list", "/etc/gone\n");
    assert_eq!(machine.said(), "");
}

#[test]
fn nothing_is_said_of_files_while_packages_are_installed() {
    let machine = Machine::new();
    machine.install("large", &[("/usr/lib/large", &"x".repeat(1 << 20))], &[]);
    machine.write("/usr/bin/ls", "ls 2");
    let none = Entries::of(&Protection::default());
    let scan = || scan_packages(machine.0.path(), &none, Pace::bounded(4 << 20)).unwrap();
    assert_eq!(said(&scan()), "/usr/bin/ls of tools 1: content");
    let (busy, order) =
        (std::sync::atomic::AtomicBool::new(true), std::sync::atomic::Ordering::Relaxed);
    let meanwhile = std::thread::scope(|scope| {
        scope.spawn(|| {
            while busy.load(order) {
                machine.write("/var/lib/dpkg/updates/tmp.i", "");
                fs::remove_file(machine.at("/var/lib/dpkg/updates/tmp.i")).unwrap();
            }
        });
        let meanwhile = scan();
        busy.store(false, order);
        meanwhile
    });
    let why = "packages were installed or removed each time while it was looked at them";
    assert_eq!(said(&meanwhile), format!("{DATABASE} unknown: {why}"));
}
