//! Until when upstreams mend what a bundle holds, by what they say themselves. A day is never guessed: of who names none,
//! and has a rule, stands here what the rule came to on a day, and of who has neither nothing is judged.

use std::collections::BTreeSet;

use ringfort_model::day::day;
use ringfort_model::version::Minor;

/// What is to be told of everything that a bundle's lock names, in words.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Ends {
    /// What is out of support.
    pub over: BTreeSet<String>,
    /// What is mended still, with the last day of that, or the day on which it was known.
    pub within: BTreeSet<String>,
    /// What of it ends soon, with its last day: what nobody minds before keeps clusters from being handed over then.
    pub soon: BTreeSet<String>,
    /// What cannot be judged, though its upstream names days or has a rule.
    pub unknown: BTreeSet<String>,
    /// Of whose upstreams no day is known here.
    pub no_day: BTreeSet<String>,
}

impl Ends {
    /// Looks up each entry of a lock by its name and version; the time is in seconds since 1970.
    pub fn of<'a>(lock: impl IntoIterator<Item = (&'a str, &'a str)>, now_s: i64) -> Self {
        let mut ends = Self::default();
        let mut named = BTreeSet::new();
        for (entry, version) in lock {
            match PROJECTS.iter().find(|project| project.entries.contains(&entry)) {
                Some(project) => {
                    named.insert(project.name);
                    ends.add(project, version, now_s);
                }
                // Whatever else there is must not be silent.
                None => {
                    ends.no_day.insert(entry.to_owned());
                }
            }
        }
        for Project { name, upstream, .. } in PROJECTS {
            let is_judged = matches!(upstream, Upstream::Names(_) | Upstream::Keeps(_));
            if is_judged && !named.contains(name) {
                ends.unknown.insert(format!("the lock names no version of {name}"));
            }
        }
        ends
    }

    fn add(&mut self, project: &Project, version: &str, now_s: i64) {
        let name = project.name;
        match project.upstream {
            Upstream::Kubernetes | Upstream::Ringfort => {}
            Upstream::NamesNoDay => {
                self.no_day.insert(name.to_owned());
            }
            Upstream::Names(rows) => self.by_day(name, rows, version, now_s),
            Upstream::Keeps(newest) => self.by_rule(name, &newest, version, now_s),
        }
    }

    fn by_day(&mut self, name: &str, rows: &[Row], version: &str, now_s: i64) {
        let Some(Row { minor, last_day, source }) = rows.iter().find(|row| row.holds(version))
        else {
            let said = format!("until when {name} {version} is mended: a row is missing here");
            self.unknown.insert(said);
            return;
        };
        if day(now_s).as_str() > *last_day {
            self.over.insert(format!(
                "{name} {version} is out of support: {minor} was mended until {last_day} ({source})"
            ));
        } else {
            self.within.insert(format!("{name} {minor} until {last_day} ({source})"));
            if day(now_s.saturating_add(SOON_S)).as_str() > *last_day {
                self.soon.insert(format!("{name} {minor} ({last_day})"));
            }
        }
    }

    /// What is older than all that are kept stays out of support, however old the table is; what is kept may have left
    /// since, and what is newer is not known.
    fn by_rule(&mut self, name: &str, newest: &Newest, version: &str, now_s: i64) {
        let Newest { minors, known, source } = newest;
        let Some(minor) = minor_of(version) else {
            self.unknown.insert(format!("{name} {version} names no minor release"));
            return;
        };
        let kept = listed(&minors.iter().map(written).collect());
        if minors.iter().all(|kept| minor < *kept) {
            self.over.insert(format!(
                "{name} {version} is out of support: on {known} {kept} were mended, and none before ({source})"
            ));
        } else if !minors.contains(&minor) {
            let said = format!("whether {name} {version} is mended: a row is missing here");
            self.unknown.insert(said);
        } else if day(now_s.saturating_sub(OLD_S)).as_str() > *known {
            let said = format!(
                "whether {name} {version} is mended still: what ringfort knows of it is of {known}, which is too long ago"
            );
            self.unknown.insert(said);
        } else {
            let minor = written(&minor);
            self.within.insert(format!("{name} {minor} as was known on {known} ({source})"));
            let within = |days: i64| now_s.saturating_add(days * DAY_S);
            let is_over = |days: &i64| day(within(*days).saturating_sub(OLD_S)).as_str() > *known;
            if let Some(days) = (0..=SOON_S / DAY_S).find(is_over) {
                let last_day = day(within(days - 1));
                self.soon.insert(format!("what is known here of {name} {minor} ({last_day})"));
            }
        }
    }
}

/// Tells of a minor of Kubernetes that it ends soon, if it does.
pub fn kubernetes_soon(minor: Minor, now_s: i64) -> Option<String> {
    let last_s = minor.end_of_support_s();
    let is_soon = now_s <= last_s && now_s.saturating_add(SOON_S) > last_s;
    is_soon.then(|| format!("Kubernetes {minor} ({})", day(last_s)))
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
    /// No day, since minors leave when newer ones come: those that were kept on a day.
    Keeps(Newest),
    /// No day, and no rule that is known here.
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

/// The minors that a project mends by its rule, as it was known on a day.
#[derive(Clone, Copy, Debug)]
struct Newest {
    minors: &'static [(u32, u32)],
    /// The day, as in `2027-05-16`.
    known: &'static str,
    /// Whose rule it is.
    source: &'static str,
}

/// What was known for longer than half a year says nothing any more of what is kept now: a newer release of ringfort does.
const OLD_S: i64 = 180 * DAY_S;
/// So long before its end something ends soon: a release of ringfort comes within that.
const SOON_S: i64 = 60 * DAY_S;
const DAY_S: i64 = 86_400;

/// The minor release that a version is of; nothing where it is not written like one.
fn minor_of(version: &str) -> Option<(u32, u32)> {
    let mut parts = plain(version).split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn written((major, minor): &(u32, u32)) -> String {
    format!("{major}.{minor}")
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
    Project {
        name: "etcd",
        entries: &["etcd", "etcdctl", "etcdutl"],
        upstream: Upstream::Keeps(ETCD),
    },
    // No document says what is mended. Its maintainers say that only the newest minor is
    // (<https://github.com/coredns/coredns/issues/5997>), and Kubernetes installs older ones all the while.
    Project { name: "coredns", entries: &["coredns"], upstream: Upstream::NamesNoDay },
    // Nobody says what is mended (asked in <https://github.com/containernetworking/plugins/issues/872>).
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

/// <https://etcd.io/docs/v3.6/op-guide/versioning/>: the current minor and the one before it are mended, and no day is
/// planned for the next. The newest are those of which the Go module `go.etcd.io/etcd/server/v3` has a version that is no
/// candidate: 3.7.3 and 3.6.16 on that day.
const ETCD: Newest = Newest {
    minors: &[(3, 6), (3, 7)],
    known: "2026-11-30",
    source: "by etcd's versioning page, the current minor release and the one before it",
};

/// A version without the `v` that some write before it.
pub(super) fn plain(version: &str) -> &str {
    version.trim_start_matches('v')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::Date;
    use ringfort_model::version::Minor;

    use super::{
        Ends, Newest, OLD_S, PROJECTS, Row, SOON_S, Upstream, kubernetes_soon, listed, minor_of,
    };

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
    fn what_is_kept_by_a_rule_is_known_on_a_day_of_a_project_that_has_one() {
        let kept = PROJECTS.iter().filter_map(|project| match project.upstream {
            Upstream::Keeps(newest) => Some((project.name, newest)),
            _ => None,
        });
        let kept: Vec<(&str, Newest)> = kept.collect();
        assert!(!kept.is_empty());
        for (name, Newest { minors, known, source }) in kept {
            let read: Date = known.parse().unwrap();
            assert_eq!(read.to_string(), known, "{name}");
            assert!(!minors.is_empty() && minors.is_sorted(), "{name}");
            assert!(source.contains(name), "{name}");
        }
    }

    #[test]
    fn what_leaves_when_newer_ones_come_is_judged_by_what_was_known_on_a_day() {
        // 2026-11-30T00:00:00Z.
        let known_s = 1_795_996_800;
        let check = |version: &str, now_s: i64, expected: [&str; 3]| {
            let lock = [("etcd", version), ("containerd", "2.4.2"), ("runc", "1.5.2")];
            let Ends { over, within, unknown, no_day, .. } = Ends::of(lock, now_s);
            assert!(no_day.is_empty(), "{version}: {no_day:?}");
            let of_etcd = [over, within, unknown]
                .map(|all| listed(&all.into_iter().filter(|said| said.contains("etcd")).collect()));
            for (said, expected) in of_etcd.iter().zip(expected) {
                assert_eq!(expected.is_empty(), said.is_empty(), "{version}: {of_etcd:?}");
                assert!(said.contains(expected), "{version}: {of_etcd:?}");
            }
        };
        let within = ["", "etcd 3.7 as was known on 2026-11-30", ""];
        check("3.7.0", known_s, within);
        check("v3.7.3", known_s + OLD_S, within);
        check("3.7.3", 0, within);
        check("3.6.16", known_s, ["", "etcd 3.6 as was known", ""]);
        check("3.7.3", known_s + OLD_S + 86_400, ["", "", "of 2026-11-30, which is too long ago"]);
        let over = "etcd 3.5.31 is out of support: on 2026-11-30 3.6, 3.7 were mended";
        check("3.5.31", known_s, [over, "", ""]);
        check("3.5.31", known_s + 10 * OLD_S, [over, "", ""]);
        check("2.3.8", known_s, ["etcd 2.3.8 is out of support", "", ""]);
        check("3.8.0", known_s, ["", "", "a row is missing here"]);
        check("main", known_s, ["", "", "names no minor release"]);
    }

    #[test]
    fn what_ends_within_sixty_days_is_said_before() {
        let lock = [("etcd", "3.7.0"), ("containerd", "2.4.2"), ("runc", "1.5.2")];
        let check = |time: &str, expected: [&str; 2]| {
            let now_s = time.parse::<jiff::Timestamp>().unwrap().as_second();
            let soon = Ends::of(lock, now_s).soon;
            let of = |name: &str| soon.iter().find(|said| said.contains(name));
            let found = ["containerd", "etcd"].map(|name| of(name).map_or("", String::as_str));
            assert_eq!(found, expected, "{time}: {soon:?}");
        };
        let (containerd, etcd) =
            ("containerd 2.4 (2027-05-16)", "what is known here of etcd 3.7 (2027-05-29)");
        check("2027-03-17T23:59:59Z", ["", ""]);
        check("2027-03-18T00:00:00Z", [containerd, ""]);
        check("2027-03-30T23:59:59Z", [containerd, ""]);
        check("2027-03-31T00:00:00Z", [containerd, etcd]);
        // To the last of its hours, and what is over ends no more.
        check("2027-05-16T23:59:59Z", [containerd, etcd]);
        check("2027-05-29T23:59:59Z", ["", etcd]);
        check("2027-05-30T00:00:00Z", ["", ""]);
        let of_kubernetes = |now_s: i64| kubernetes_soon(Minor::V1_37, now_s);
        let last_s = Minor::V1_37.end_of_support_s();
        assert_eq!(of_kubernetes(last_s - SOON_S), None);
        let said = of_kubernetes(last_s - SOON_S + 1);
        assert_eq!(said.as_deref(), Some("Kubernetes 1.37 (2027-10-28)"));
        assert_eq!(of_kubernetes(last_s + 1), None, "it is over");
    }

    #[test]
    fn minors_are_in_order_as_numbers() {
        let check = |version: &str, expected: Option<(u32, u32)>| {
            assert_eq!(minor_of(version), expected, "{version}");
        };
        check("v3.10.2", Some((3, 10)));
        check("3.7", Some((3, 7)));
        check("3", None);
        check("", None);
        check("3.x.1", None);
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
        let Ends { over, within, unknown, no_day, .. } = Ends::of(lock, 1_800_000_000);
        assert!(over.is_empty(), "{over:?}");
        assert_eq!(within.len(), 2, "{within:?}");
        assert_eq!(listed(&unknown), "the lock names no version of runc");
        assert_eq!(listed(&no_day), "new");
    }
}
