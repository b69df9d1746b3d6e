//! Holds what dpkg was seen to write against its database and its log, when it has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::fs::fstat;

use super::{database, here};
use crate::os::look::{Pace, Root};
use crate::packages::transaction::{Asked, Outcome, Owner, Step, hold, read_history, read_log};
use crate::path::FilePath;
use crate::protected::{Expected, Hash, Presence};

/// dpkg's log, and the one before it.
const LOG: &str = "/var/log/dpkg.log";
const LOG_BEFORE: &str = "/var/log/dpkg.log.1";
/// apt's log of its commands.
const HISTORY: &str = "/var/log/apt/history.log";
/// The most that is read of one.
const MOST_BYTES: u64 = 64 << 20;
/// What dpkg leaves beside a setting that somebody changed.
const BESIDE: &[&[u8]] = &[b".dpkg-dist", b".dpkg-new", b".dpkg-old", b".dpkg-tmp"];

/// How far dpkg's log was; what comes after it came later, whatever times it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::os) struct LogMark {
    inode: u64,
    length: u64,
}

/// Sees how far dpkg's log is; none where there is none.
pub(in crate::os) fn mark(root: &mut Root) -> Option<LogMark> {
    mark_of(root, &here(LOG))
}

fn mark_of(root: &mut Root, path: &FilePath) -> Option<LogMark> {
    root.begin_anew();
    let about = fstat(root.place(path).ok()?).ok()?;
    Some(LogMark { inode: about.st_ino, length: u64::try_from(about.st_size).unwrap_or_default() })
}

/// Holds paths that dpkg wrote or took away against its database as it is now, and its log since a mark.
///
/// # Errors
/// It has not ended yet, or something of it cannot be read: it is to be tried again.
pub(in crate::os) fn hold_all(
    root: &Path,
    paths: &BTreeSet<FilePath>,
    since: Option<LogMark>,
) -> Result<BTreeMap<FilePath, Outcome>, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut root = Root::open(root, Pace::free()).map_err(said)?;
    let before = database::stamps(&mut root);
    let packages = database::read(&mut root).map_err(|unknown| unknown.why)?;
    let named = paths.iter().cloned().chain(paths.iter().filter_map(beside)).collect();
    let owners = packages.owners(&named);
    if owners.values().any(Option::is_none) {
        return Err("a package of it is half installed".to_owned());
    }
    let steps = steps(&mut root, since).map_err(said)?;
    let asked = asked(&mut root).map_err(said)?;
    let mut all = BTreeMap::new();
    for path in paths {
        let own = owners.get(path).cloned().flatten();
        let owner = own.or_else(|| left_beside(owners.get(&beside(path)?)?.clone()?));
        let outcome = outcome(&mut root, path, owner.as_ref(), steps.as_deref(), &asked);
        all.insert(path.clone(), outcome);
    }
    root.begin_anew();
    match database::stamps(&mut root) == before {
        true => Ok(all),
        false => Err("packages were installed or removed meanwhile".to_owned()),
    }
}

fn outcome(
    root: &mut Root,
    path: &FilePath,
    owner: Option<&Owner>,
    steps: Option<&[Step]>,
    asked: &[Asked],
) -> Outcome {
    let nothing = Expected { size: None, hash: Hash::Md5([0; 16]) };
    let expected = owner.and_then(|owner| owner.entry.expected).unwrap_or(nothing);
    let look = root.look(path, Some(expected));
    hold(path, &look, owner, steps, asked)
}

/// The setting that a file was left beside.
fn beside(path: &FilePath) -> Option<FilePath> {
    let name = BESIDE.iter().find_map(|ending| path.name().strip_suffix(*ending))?;
    path.parent()?.join(name).ok()
}

/// Of what lies beside a setting nobody has a digest, and it need not stay.
fn left_beside(mut owner: Owner) -> Option<Owner> {
    (owner.entry.expected, owner.entry.mode) = (None, None);
    owner.entry.presence = Presence::Optional;
    Some(owner)
}

/// Reads what was logged since; none, where there is no log.
fn steps(root: &mut Root, since: Option<LogMark>) -> std::io::Result<Option<Vec<Step>>> {
    let (log, before) = (here(LOG), here(LOG_BEFORE));
    let Some(now) = mark_of(root, &log) else { return Ok(None) };
    let mut text = root.read(&log, MOST_BYTES)?;
    let from = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
    match since {
        Some(since) if since.inode == now.inode => {
            text.drain(..from(since.length).min(text.len()));
        }
        // It was begun anew since: what came after the mark is in the one before it.
        Some(since) if mark_of(root, &before).is_some_and(|it| it.inode == since.inode) => {
            let mut first = root.read(&before, MOST_BYTES)?;
            first.drain(..from(since.length).min(first.len()));
            text.splice(..0, first);
        }
        _ => {}
    }
    Ok(Some(read_log(&text)))
}

fn asked(root: &mut Root) -> std::io::Result<Vec<Asked>> {
    let path = here(HISTORY);
    match root.kind(&path) {
        Some(_) => Ok(read_history(&root.read(&path, MOST_BYTES)?)),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use md5::{Digest as _, Md5};

    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            machine.write("/usr/bin/a", "a 2");
            machine.write("/etc/a.conf.dpkg-dist", "newer");
            let setting = format!("Conffiles:\n /etc/a.conf {}\n", hex("conf"));
            machine.package("installed", &setting);
            machine.write("/var/lib/dpkg/info/a.list", "/usr\n/usr/bin\n/usr/bin/a\n/etc/a.conf\n");
            machine.write("/var/lib/dpkg/info/a.md5sums", &format!("{}  usr/bin/a\n", hex("a 2")));
            machine.write(LOG, "2026-11-01 09:00:00 upgrade a:all 0 1\n");
            machine
        }

        fn package(&self, state: &str, more: &str) {
            let status = format!(
                "Package: a\nStatus: install ok {state}\nArchitecture: all\nVersion: 2\n{more}"
            );
            self.write("/var/lib/dpkg/status", &status);
        }

        fn write(&self, path: &str, text: &str) {
            let at = self.0.path().join(&path[1..]);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }

        fn log(&self, line: &str) {
            let before = fs::read_to_string(self.0.path().join(&LOG[1..])).unwrap();
            self.write(LOG, &(before + line));
        }

        fn mark(&self) -> Option<LogMark> {
            mark(&mut Root::open(self.0.path(), Pace::free()).unwrap())
        }

        fn held(&self, path: &str, since: Option<LogMark>) -> String {
            let path: FilePath = path.parse().unwrap();
            match hold_all(self.0.path(), &[path.clone()].into(), since) {
                Ok(all) => match &all[&path] {
                    Outcome::Agrees(transaction) => transaction.text(),
                    Outcome::Differs(why) => format!("no: {why}"),
                },
                Err(why) => format!("wait: {why}"),
            }
        }
    }

    fn hex(text: &str) -> String {
        Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const STEP: &str = "2026-11-28 10:00:00 upgrade a:all 1 2\n";
    const SAID: &str = "a 1 -> 2, 2026-11-28 10:00:00";

    #[test]
    fn what_dpkg_wrote_is_held_against_its_database_and_what_it_logged_since() {
        let machine = Machine::new();
        let since = machine.mark();
        assert!(machine.held("/usr/bin/a", since).contains("no step to a 2"), "nothing was logged");
        machine.log(STEP);
        assert_eq!(machine.held("/usr/bin/a", since), SAID);
        assert_eq!(machine.held("/usr/bin", since), SAID, "a directory of it");
        assert_eq!(machine.held("/usr/bin/a.dpkg-new", since), SAID, "it was there for a moment");
        assert_eq!(machine.held("/etc/a.conf.dpkg-dist", since), SAID);
        assert!(machine.held("/usr/bin/a", machine.mark()).contains("no step"), "that was before");
        machine.write("/usr/bin/b", "b");
        assert!(machine.held("/usr/bin/b", since).contains("no package has"));
        machine.write("/usr/bin/a", "evil");
        assert!(machine.held("/usr/bin/a", since).contains("not as a 2 has it"));
    }

    #[test]
    fn a_log_that_was_begun_anew_goes_on_in_the_one_before() {
        let machine = Machine::new();
        let since = machine.mark();
        machine.log(STEP);
        let at = |path: &str| machine.0.path().join(&path[1..]);
        fs::rename(at(LOG), at(LOG_BEFORE)).unwrap();
        machine.write(LOG, "");
        assert_eq!(machine.held("/usr/bin/a", since), SAID);
        fs::remove_file(at(LOG)).unwrap();
        assert_eq!(machine.held("/usr/bin/a", since), "a none -> 2", "no log is kept");
    }

    #[test]
    fn what_has_not_ended_is_waited_for() {
        let machine = Machine::new();
        let since = machine.mark();
        machine.log(STEP);
        machine.package("half-installed", "");
        assert_eq!(machine.held("/usr/bin/a", since), "wait: a package of it is half installed");
        fs::remove_file(machine.0.path().join("var/lib/dpkg/status")).unwrap();
        assert!(machine.held("/usr/bin/a", since).starts_with("wait: "));
    }
}
