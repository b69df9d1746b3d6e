//! Why something changed: a cause that was seen, or none. Pure.
//!
//! A cause explains only what it is known to do. What a package manager writes explains no static pod,
//! and a name of a program says nothing if the program is not the one that belongs there.

use std::collections::BTreeMap;

use ringfort_model::item::{ItemId, STAGED};
use ringfort_model::journal::Record;
use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::judge::Aspect;
use crate::packages::DATABASE;
use crate::packages::transaction::Transaction;
use crate::path::FilePath;
use crate::process::{Process, Who};
use crate::protected::{Class, Protected};
use crate::volume::{Step, step, volume_of};

/// Why something changed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// This is known to do so.
    Explained(Cause),
    /// Nothing that was seen does so.
    Unexplained,
}

/// A cause that was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A step of ringfort's own.
    Converge {
        /// Its number in the machine's journal.
        step: u64,
    },
    /// A kubelet gave a volume another content.
    Swap {
        /// The pod's uid.
        pod: String,
    },
    /// A package was installed, replaced or removed.
    Package,
    /// The same, held against dpkg's database and log when it had ended.
    Transaction(Transaction),
    /// A log that was full was renamed away and begun anew.
    Rotation,
    /// The agent put it back.
    Repair {
        /// The change that it was put back after, by its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<String>,
        /// How long after that was heard of, in milliseconds.
        milliseconds: u64,
    },
    /// It is what a signed baseline says.
    Baseline {
        /// Its number.
        number: u64,
    },
}

/// What was seen around a change.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The newest step of each item in ringfort's journal.
    pub steps: BTreeMap<ItemId, u64>,
    /// Up to this one they explain nothing any more: everything was looked at since.
    pub since: u64,
    /// Programs whose content is the one that the baseline expects.
    pub genuine: Vec<String>,
}

impl Around {
    /// Takes the records of a journal that came after a number.
    pub fn add(&mut self, records: &[Record], after: u64) {
        for record in records.iter().filter(|record| record.seq > after) {
            self.steps.insert(record.item.clone(), record.seq);
        }
    }
}

/// Something that changed, as far as its cause depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a> {
    /// Where.
    pub path: &'a FilePath,
    /// The entry that it belongs to: its own, or of the directory above it.
    pub entry: &'a Protected,
    /// In what it is not as it was.
    pub of: &'a [Aspect],
    /// Who did it.
    pub who: &'a Who,
    /// Whether it was renamed away, or is there where nothing was.
    pub was_begun_anew: bool,
}

/// Looks for a cause.
pub fn why(changed: &Changed<'_>, around: &Around) -> Why {
    let Who::Process(process) = changed.who else { return Why::Unexplained };
    // Nobody else renames its log away: whoever does takes it away.
    if changed.entry.class == Class::Growing {
        let is_rotation = is_its_server(changed.who) && changed.was_begun_anew;
        return if is_rotation { Why::Explained(Cause::Rotation) } else { Why::Unexplained };
    }
    if !around.genuine.contains(&process.exe) {
        return Why::Unexplained;
    }
    let found = converge(changed, process, around)
        .or_else(|| swap(changed, process))
        .or_else(|| package(changed, process));
    found.map_or(Why::Unexplained, Why::Explained)
}

/// ringfort's own program put in place what its journal says.
fn converge(changed: &Changed<'_>, process: &Process, around: &Around) -> Option<Cause> {
    // What has ended may be another that was given its number.
    if name(process) != "ringfort" || process.ended {
        return None;
    }
    let path = put_in_place(changed.path.to_string());
    let items = [ItemId::File(path.clone()), ItemId::Directory(path)];
    let step = items.iter().find_map(|item| around.steps.get(item));
    step.filter(|step| **step > around.since).map(|step| Cause::Converge { step: *step })
}

/// The file that a path belongs to: it is written beside under a name of its own, and put in place whole.
fn put_in_place(path: String) -> String {
    let whole = path.rsplit_once('/').and_then(|(directory, name)| {
        let name = name.strip_prefix('.')?.strip_suffix(STAGED)?;
        Some(format!("{directory}/{name}"))
    });
    whole.unwrap_or(path)
}

fn swap(changed: &Changed<'_>, process: &Process) -> Option<Cause> {
    let volume = volume_of(changed.path)?;
    let is_swap = matches!(step(&volume.path, changed.path)?, Step::Swap | Step::Staging);
    (name(process) == "kubelet" && is_swap).then_some(Cause::Swap { pod: volume.pod })
}

/// Whether it is an API server in its container, which writes its own log and renames it away; whoever could run
/// there could write to the log anyway. What it runs lies in an image, which no baseline of a machine knows.
pub fn is_its_server(who: &Who) -> bool {
    let Who::Process(process) = who else { return false };
    name(process) == "kube-apiserver" && process.place.container.is_some()
}

/// Package managers replace programs and settings of the system, and keep their database. They have no business
/// with what the blueprint wrote, with the cluster's own settings, nor with a setting whose loss is the machine's.
fn package(changed: &Changed<'_>, process: &Process) -> Option<Cause> {
    let is_manager = matches!(process.exe.as_str(), "/usr/bin/dpkg" | "/usr/bin/rpm");
    let is_within = |directory: &&str| {
        let rest = changed.path.as_bytes().strip_prefix(directory.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    let is_system = PROGRAMS.iter().any(is_within)
        || (is_within(&"/etc")
            && !is_within(&"/etc/kubernetes")
            && changed.entry.severity < Severity::Critical);
    let keeps = is_within(&DATABASE) && KEEPERS.contains(&process.exe.as_str());
    // A trigger of a package makes the cache anew; by hand it takes any directory.
    let is_cached = changed.path.as_bytes() == CACHE.as_bytes()
        && matches!(process.exe.as_str(), "/usr/sbin/ldconfig" | "/usr/sbin/ldconfig.real")
        && process.parents.iter().any(|parent| parent == "/usr/bin/dpkg");
    let is_theirs =
        changed.entry.expected.is_none() && ((is_manager && is_system) || keeps || is_cached);
    is_theirs.then_some(Cause::Package)
}

/// Programs of dpkg that write its database.
const KEEPERS: &[&str] = &[
    "/usr/bin/dpkg",
    "/usr/bin/dpkg-divert",
    "/usr/bin/dpkg-statoverride",
    "/usr/bin/update-alternatives",
];

/// Where the loader finds libraries.
const CACHE: &str = "/etc/ld.so.cache";

/// Where a distribution's packages put their programs and units.
const PROGRAMS: &[&str] = &["/usr/bin", "/usr/sbin", "/usr/lib", "/boot"];

fn name(process: &Process) -> &str {
    process.exe.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ringfort_model::digest::Digest;
    use ringfort_model::journal::Phase;

    use super::*;
    use crate::cgroup::Place;
    use crate::protected::{Presence, stake};

    fn entry(path: &str, class: Class) -> Protected {
        let path: FilePath = path.parse().unwrap();
        Protected {
            severity: stake(&path),
            path,
            class,
            presence: Presence::Optional,
            mode: None,
            owner: None,
            expected: None,
        }
    }

    fn by(exe: &str) -> Who {
        Who::Process(Process {
            pid: 1,
            start: 1,
            exe: exe.to_owned(),
            digest: None,
            parent: 0,
            parents: Vec::new(),
            ended: false,
            place: Place::default(),
        })
    }

    fn in_container(exe: &str) -> Who {
        let Who::Process(process) = by(exe) else { return by(exe) };
        let place = Place { container: Some("c1".to_owned()), ..Place::default() };
        Who::Process(Process { place, ..process })
    }

    fn around() -> Around {
        let genuine = [
            "/usr/local/bin/ringfort",
            "/usr/local/bin/kubelet",
            "/usr/bin/dpkg",
            "/usr/bin/dpkg-divert",
            "/usr/sbin/ldconfig",
            "/usr/bin/vi",
        ];
        let mut around =
            Around { genuine: genuine.map(str::to_owned).to_vec(), ..Around::default() };
        let record = |seq, path: &str| Record {
            seq,
            epoch: 1,
            item: ItemId::file(path),
            phase: Phase::Done,
            digest: Digest::of(b""),
        };
        around.add(&[record(4, "/etc/kubernetes/old"), record(5, "/etc/kubernetes/a")], 4);
        around
    }

    fn check(path: &str, class: Class, who: &Who, expected: Option<&Cause>) {
        let entry = entry(path, class);
        let changed = Changed {
            path: &entry.path,
            entry: &entry,
            of: &[Aspect::Content],
            who,
            was_begun_anew: class == Class::Growing,
        };
        let found = why(&changed, &around());
        assert_eq!(found, expected.cloned().map_or(Why::Unexplained, Why::Explained), "{path}");
    }

    #[test]
    fn a_step_of_the_journal_explains_what_ringfort_wrote_since() {
        let ringfort = by("/usr/local/bin/ringfort");
        let step = Cause::Converge { step: 5 };
        check("/etc/kubernetes/a", Class::Exact, &ringfort, Some(&step));
        check("/etc/kubernetes/.a.ringfort.new", Class::Watched, &ringfort, Some(&step));
        check("/etc/kubernetes/.b.ringfort.new", Class::Watched, &ringfort, None);
        check("/etc/kubernetes/.a.ringfort.new", Class::Watched, &by("/usr/bin/vi"), None);
        check("/etc/kubernetes/old", Class::Exact, &ringfort, None);
        check("/etc/kubernetes/b", Class::Exact, &ringfort, None);
        check("/etc/kubernetes/a", Class::Exact, &by("/usr/bin/vi"), None);
        check("/etc/kubernetes/a", Class::Exact, &by("/tmp/ringfort"), None);
        check("/etc/kubernetes/a", Class::Exact, &Who::Unknown("gone".into()), None);
        let Who::Process(process) = ringfort else { panic!("it is one") };
        let ended = Who::Process(Process { ended: true, ..process });
        check("/etc/kubernetes/a", Class::Exact, &ended, None);
    }

    #[test]
    fn a_step_explains_nothing_when_everything_was_looked_at_since() {
        let (entry, who) =
            (entry("/etc/kubernetes/a", Class::Exact), by("/usr/local/bin/ringfort"));
        let of = &[Aspect::Content];
        let (path, entry, who) = (&entry.path, &entry, &who);
        let changed = Changed { path, entry, of, who, was_begun_anew: false };
        let step = Why::Explained(Cause::Converge { step: 5 });
        for (since, expected) in [(4, step), (5, Why::Unexplained)] {
            assert_eq!(why(&changed, &Around { since, ..around() }), expected, "{since}");
        }
    }

    #[test]
    fn a_kubelet_swaps_volumes_and_does_nothing_else() {
        let kubelet = by("/usr/local/bin/kubelet");
        let volume = "/var/lib/kubelet/pods/p1/volumes/kubernetes.io~secret/s";
        let swap = Cause::Swap { pod: "p1".to_owned() };
        check(&format!("{volume}/..data"), Class::Swapped, &kubelet, Some(&swap));
        check(&format!("{volume}/password"), Class::Swapped, &kubelet, None);
        check(&format!("{volume}/..data"), Class::Swapped, &by("/usr/bin/dpkg"), None);
        check("/etc/kubernetes/manifests/x.yaml", Class::Listed, &kubelet, None);
    }

    #[test]
    fn packages_explain_programs_of_the_system_and_no_static_pod() {
        let dpkg = by("/usr/bin/dpkg");
        check("/usr/bin/less", Class::Watched, &dpkg, Some(&Cause::Package));
        check("/etc/hosts", Class::Exact, &dpkg, Some(&Cause::Package));
        let never =
            ["/etc/kubernetes/manifests/x.yaml", "/etc/kubernetes/x", "/etc/shadow", "/srv/x"];
        for path in never.into_iter().chain(["/usr/local/bin/kubelet"]) {
            check(path, Class::Exact, &dpkg, None);
        }
        check("/usr/bin/less", Class::Watched, &by("/tmp/dpkg"), None);
    }

    #[test]
    fn the_cache_of_libraries_is_made_anew_for_packages_and_by_nobody_by_hand() {
        let ldconfig = |parents: &[&str]| {
            let Who::Process(process) = by("/usr/sbin/ldconfig") else { panic!("it is one") };
            let parents = parents.iter().map(|it| (*it).to_owned()).collect();
            Who::Process(Process { parents, ..process })
        };
        let trigger = ldconfig(&["/usr/bin/dash", "/usr/bin/dpkg", "/usr/bin/apt-get"]);
        check("/etc/ld.so.cache", Class::Exact, &trigger, Some(&Cause::Package));
        check("/etc/ld.so.cache", Class::Exact, &ldconfig(&["/usr/bin/bash"]), None);
        check("/etc/ld.so.conf", Class::Exact, &trigger, None);
    }

    #[test]
    fn a_package_database_is_kept_by_its_own_programs_alone() {
        let (info, diversions) = ("/var/lib/dpkg/info/a.md5sums", "/var/lib/dpkg/diversions");
        let (dpkg, divert) = (by("/usr/bin/dpkg"), by("/usr/bin/dpkg-divert"));
        check(info, Class::Watched, &dpkg, Some(&Cause::Package));
        check(diversions, Class::Exact, &divert, Some(&Cause::Package));
        check(info, Class::Watched, &by("/usr/bin/vi"), None);
        check(info, Class::Watched, &by("/tmp/dpkg"), None);
        check(info, Class::Watched, &Who::Unknown("gone".into()), None);
        check("/usr/bin/less", Class::Watched, &divert, None);
    }

    #[test]
    fn a_log_that_its_own_server_renamed_away_is_rotated() {
        let (exe, log) = ("/usr/local/bin/kube-apiserver", ringfort_model::integrity::AUDIT_LOG);
        let server = in_container(exe);
        check(log, Class::Growing, &server, Some(&Cause::Rotation));
        check(log, Class::Exact, &server, None);
        // A program that belongs on the machine renames it away as well as any other.
        for other in [by(exe), by("/usr/local/bin/kubelet"), by("/usr/bin/vi")] {
            check(log, Class::Growing, &other, None);
        }
        check(log, Class::Growing, &in_container("/bin/mv"), None);
    }
}
