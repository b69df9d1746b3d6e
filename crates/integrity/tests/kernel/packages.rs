//! What dpkg itself installs, and what somebody has it write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfort_integrity::change::Change;
use ringfort_integrity::journal::Told;
use ringfort_integrity::why::{Cause, Why};

use super::Room;
use super::agent::{Site, exe};

const DPKG: &str = "/usr/bin/dpkg";

/// Makes a package of one program.
fn package(room: &Room, name: &str, program: &str) -> PathBuf {
    let tree = room.at(&format!("{name}-tree"));
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    fs::write(tree.join("usr/bin").join(name), program).unwrap();
    let control = format!(
        "Package: {name}\nVersion: 1.2-3\nArchitecture: all\nMaintainer: a <a@example.com>\nDescription: a\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let sum =
        Command::new("md5sum").arg(format!("usr/bin/{name}")).current_dir(&tree).output().unwrap();
    fs::write(tree.join("DEBIAN/md5sums"), sum.stdout).unwrap();
    let file = room.at(&format!("{name}.deb"));
    let made = Command::new("dpkg-deb").arg("--build").arg(&tree).arg(&file).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    file
}

fn database(at: &Path) {
    for directory in ["info", "updates", "triggers", "alternatives"] {
        fs::create_dir_all(at.join(directory)).unwrap();
    }
    fs::write(at.join("status"), "").unwrap();
}

fn install(root: &Path, database: &Path, log: &Path, file: &Path) {
    let done = Command::new(DPKG)
        .arg(format!("--instdir={}", root.display()))
        .arg(format!("--admindir={}", database.display()))
        .arg(format!("--log={}", log.display()))
        .arg("--install")
        .arg(file)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
}

pub(super) fn what_dpkg_installed_is_explained_by_its_package_and_what_it_was_misused_for_is_not(
    room: &Room,
) {
    let mut site = Site::new(room, room.at("root"));
    site.watched.push("/usr/bin".to_owned());
    fs::create_dir_all(site.at("/usr/bin")).unwrap();
    fs::create_dir_all(site.at("/var/log")).unwrap();
    fs::copy(DPKG, site.at(DPKG)).unwrap();
    database(&site.at("/var/lib/dpkg"));
    let log = site.at("/var/log/dpkg.log");
    fs::write(&log, "2026-11-01 09:00:00 upgrade tool:all 1 1.2-3\n").unwrap();
    site.baseline("w1", 2, "right");
    let (tool, evil) = (package(room, "tool", "tool 1"), package(room, "evil", "evil 1"));
    site.with_agent(|ears| {
        install(&site.at("/"), &site.at("/var/lib/dpkg"), &log, &tool);
        let change = ears.change("/usr/bin/tool");
        assert_eq!((exe(&change), &change.why), (DPKG, &Why::Explained(Cause::Package)));
        let transaction = ears.wait("which package it was", |told| match told {
            Told::Settled { change: of, why: Why::Explained(Cause::Transaction(it)) } => {
                (*of == change.id).then(|| it.clone())
            }
            _ => None,
        });
        assert_eq!(transaction.package.as_deref(), Some("tool"));
        assert_eq!((transaction.before, transaction.after.as_deref()), (None, Some("1.2-3")));
        // The program is the right one, and the database that it writes is somebody's own.
        database(&room.at("own"));
        install(&site.at("/"), &room.at("own"), &room.at("own/log"), &evil);
        fs::write(&log, "2026-11-28 09:00:00 install evil:all <none> 1.2-3\n").unwrap();
        let change: Change = ears.wait("that nothing explains it", |told| match told {
            Told::Change(it) if it.finding.path.to_string() == "/usr/bin/evil" => {
                (it.why == Why::Unexplained).then(|| (**it).clone())
            }
            _ => None,
        });
        assert_eq!(exe(&change), DPKG);
        let said = &change.finding.differences.last().unwrap().found;
        assert!(said.contains("no package has /usr/bin/evil"), "{said}");
    });
}
