//! Until when upstreams mend what a bundle holds, by what they say themselves. A day is never guessed: what no
//! upstream names one of is told as such.

use std::collections::BTreeSet;

use ringfort_model::day::day;
use ringfort_model::version::Minor;

/// What is to be told of everything that a bundle's lock names, in words.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Ends {
    /// What is out of support.
    pub over: BTreeSet<String>,
    /// What is mended still, with the last day of that.
    pub within: BTreeSet<String>,
    /// What cannot be judged, though its upstream names days.
    pub unknown: BTreeSet<String>,
    /// Of whose upstreams no day is known here.
    pub no_day: BTreeSet<String>,
}

impl Ends {
    /// Looks up each entry of a lock by its name and version; the time is in seconds since 1970.
    pub fn of<'a>(lock: impl IntoIterator<Item = (&'a str, &'a str)>, now_s: i64) -> Self {
        let today = day(now_s);
        let mut ends = Self::default();
        let mut named = BTreeSet::new();
        for (entry, version) in lock {
            match PROJECTS.iter().find(|project| project.entries.contains(&entry)) {
                Some(project) => {
                    named.insert(project.name);
                    ends.add(project, version, &today);
                }
                // Whatever else there is must not be silent.
                None => {
                    ends.no_day.insert(entry.to_owned());
                }
            }
        }
        for Project { name, upstream, .. } in PROJECTS {
            if matches!(upstream, Upstream::Names(_)) && !named.contains(name) {
                ends.unknown.insert(format!("the lock names no version of {name}"));
            }
        }
        ends
    }

    fn add(&mut self, project: &Project, version: &str, today: &str) {
        let name = project.name;
        let rows = match project.upstream {
            Upstream::Kubernetes | Upstream::Ringfort => return,
            Upstream::NamesNoDay => {
                self.no_day.insert(name.to_owned());
                return;
            }
            Upstream::Names(rows) => rows,
        };
        let Some(Row { minor, last_day, source }) = rows.iter().find(|row| row.holds(version))
        else {
            let said = format!("until when {name} {version} is mended: a row is missing here");
            self.unknown.insert(said);
            return;
        };
        if today > *last_day {
            self.over.insert(format!(
                "{name} {version} is out of support: {minor} was mended until {last_day} ({source})"
            ));
        } else {
            self.within.insert(format!("{name} {minor} until {last_day} ({source})"));
        }
    }
}

/// Tells until when a minor of Kubernetes is mended.
pub fn of_kubernetes(minor: Minor) -> String {
    format!("Kubernetes {minor} until {}", day(minor.end_of_support_s()))
}

/// Writes several of these in one line.
pub fn listed(all: &BTreeSet<String>) -> String {
    all.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A project whose programs bundles hold.
#[derive(Debug)]
struct Project {
    name: &'static str,
    /// What its programs are called in locks.
    entries: &'static [&'static str],
    upstream: Upstream,
}

/// What is said of the time until which a project's minors are mended.
#[derive(Clone, Copy, Debug)]
enum Upstream {
    /// It is Kubernetes itself, whose minors are judged by [`Minor::end_of_support_s`].
    Kubernetes,
    /// It is ringfort's own, and as old as the bundle.
    Ringfort,
    /// The last day of each minor.
    Names(&'static [Row]),
    /// No day that is known here.
    NamesNoDay,
}

/// Until when a minor is mended.
#[derive(Debug)]
struct Row {
    minor: &'static str,
    /// The last day, as in `2027-05-16`.
    last_day: &'static str,
    /// Who says so.
    source: &'static str,
}

impl Row {
    /// Whether a version is of the minor.
    fn holds(&self, version: &str) -> bool {
        let rest = plain(version).strip_prefix(self.minor);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

const fn row(minor: &'static str, last_day: &'static str, source: &'static str) -> Row {
    Row { minor, last_day, source }
}

static PROJECTS: &[Project] = &[
    Project {
        name: "Kubernetes",
        entries: &[
            "kubernetes",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        ],
        upstream: Upstream::Kubernetes,
    },
    Project {
        name: "containerd",
        entries: &["containerd", "containerd-shim-runc-v2", "ctr"],
        upstream: Upstream::Names(CONTAINERD),
    },
    Project { name: "runc", entries: &["runc"], upstream: Upstream::Names(RUNC) },
    // The current minor and the one before it are mended, and no day is planned for the next
    // (<https://etcd.io/docs/v3.6/op-guide/versioning/>).
    Project {
        name: "etcd",
        entries: &["etcd", "etcdctl", "etcdutl"],
        upstream: Upstream::NamesNoDay,
    },
    Project { name: "coredns", entries: &["coredns"], upstream: Upstream::NamesNoDay },
    Project {
        name: "CNI plugins",
        entries: &["bridge", "host-local", "loopback", "portmap"],
        upstream: Upstream::NamesNoDay,
    },
    Project { name: "ringfort", entries: &["pause", "probe"], upstream: Upstream::Ringfort },
];

/// As <https://github.com/containerd/containerd/blob/v2.4.2/RELEASES.md> has it under "Current State of containerd
/// Releases". Of 1.7 and 2.0 its notes say that changes after these days may be refused unless one provider needs them,
/// so that these days count and not the later ones.
const CONTAINERD: &[Row] = &[
    row("1.7", "2026-03-10", "by the notes in containerd's RELEASES.md"),
    row("2.0", "2025-11-07", "by the notes in containerd's RELEASES.md"),
    row("2.1", "2026-07-03", "by the table in containerd's RELEASES.md"),
    row("2.2", "2026-11-06", "by the table in containerd's RELEASES.md"),
    row("2.3", "2028-04-30", "by the table in containerd's RELEASES.md"),
    row("2.4", "2027-05-16", "by the table in containerd's RELEASES.md"),
];

/// <https://github.com/opencontainers/runc/blob/v1.5.2/RELEASES.md>: the latest minor and the two before it get fixes,
/// and a minor is planned for the end of each April and October. So one ends with the third after it: with 1.5, which
/// came on the day that its CHANGELOG.md says, and with 1.6, 1.7 and 1.8 on the days that are planned for them.
const RUNC: &[Row] = &[
    row("1.2", "2026-06-19", "by runc's RELEASES.md and CHANGELOG.md: 1.5 came then"),
    row("1.3", "2026-10-31", "by the schedule in runc's RELEASES.md: 1.6 is planned for then"),
    row("1.4", "2027-04-30", "by the schedule in runc's RELEASES.md: 1.7 is planned for then"),
    row("1.5", "2027-10-31", "by the schedule in runc's RELEASES.md: 1.8 is planned for then"),
];

/// A version without the `v` that some write before it.
pub(super) fn plain(version: &str) -> &str {
    version.trim_start_matches('v')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::Date;

    use super::{Ends, PROJECTS, Row, Upstream, listed};

    fn rows() -> impl Iterator<Item = (&'static str, &'static [Row])> {
        PROJECTS.iter().filter_map(|project| match project.upstream {
            Upstream::Names(rows) => Some((project.name, rows)),
            _ => None,
        })
    }

    #[test]
    fn every_row_has_a_day_and_every_entry_one_project() {
        for (name, rows) in rows() {
            let minors: BTreeSet<&str> = rows.iter().map(|row| row.minor).collect();
            assert_eq!(minors.len(), rows.len(), "{name}");
            for Row { minor, last_day, source } in rows {
                let read: Date = last_day.parse().unwrap();
                assert_eq!(read.to_string(), *last_day, "{name} {minor}");
                assert!(source.contains("RELEASES.md"), "{name} {minor}");
            }
        }
        let entries: Vec<&str> = PROJECTS.iter().flat_map(|it| it.entries).copied().collect();
        assert_eq!(entries.len(), entries.iter().collect::<BTreeSet<_>>().len());
    }

    #[test]
    fn a_version_is_of_its_own_minor_alone() {
        let check = |version: &str, expected: Option<&str>| {
            let (_, rows) = rows().next().unwrap();
            let found = rows.iter().find(|row| row.holds(version)).map(|row| row.minor);
            assert_eq!(found, expected, "{version}");
        };
        check("2.4.2", Some("2.4"));
        check("v2.4.2", Some("2.4"));
        check("2.4", Some("2.4"));
        check("2.40.1", None);
        check("2.5.0", None);
        check("12.4.0", None);
        check("", None);
    }

    #[test]
    fn nothing_that_a_lock_names_is_silent() {
        let lock = [("containerd", "2.4.2"), ("ctr", "2.4.2"), ("etcdctl", "3.7.0"), ("new", "1")];
        let Ends { over, within, unknown, no_day } = Ends::of(lock, 1_800_000_000);
        assert!(over.is_empty(), "{over:?}");
        assert_eq!(within.len(), 1, "{within:?}");
        assert_eq!(listed(&unknown), "the lock names no version of runc");
        assert_eq!(listed(&no_day), "etcd, new");
    }
}
