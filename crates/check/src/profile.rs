//! What others ask for, and which control answers it: a recommendation is a row that names controls.
//!
//! A row stands only where a public source was read, which the benchmark names. Titles are not copied.

mod nsa;
mod owasp;
mod pss;

use std::fmt;
use std::str::FromStr;

use crate::benchmark::{Row, rows};

/// A list of recommendations that others keep.
#[derive(Debug)]
pub struct Benchmark {
    /// Names it on the command line.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What was read to map it.
    pub source: &'static str,
    mapped: Mapped,
}

/// Where it stands which controls answer which recommendation.
#[derive(Debug)]
enum Mapped {
    /// In a table of its own.
    Table(&'static [Recommendation]),
    /// With the rows by which clusters are judged.
    Rows,
}

/// A recommendation, and what answers it.
#[derive(Clone, Copy, Debug)]
pub struct Recommendation {
    /// What its benchmark calls it.
    pub id: &'static str,
    /// What holds when it is kept, in our own words.
    pub title: &'static str,
    /// How much of it is decided.
    pub cover: Cover,
    /// The controls that are asked of manifests.
    pub controls: &'static [&'static str],
    /// The rows of CIS 2.0.1 by which clusters and machines are judged.
    pub rows: &'static [&'static str],
}

/// How much of a recommendation is decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cover {
    /// All of it.
    Covered,
    /// A part: which, or what not.
    Partly(&'static str),
    /// Something near it is: what is asked for is decided in another way than whoever recommends it would, for this
    /// reason. No report answers for it.
    Otherwise(&'static str),
    /// Nothing, for this reason.
    Not(&'static str),
}

/// Which controls are asked: those of a benchmark, or all.
#[derive(Clone, Copy, Debug)]
pub enum Profile {
    /// All controls.
    All,
    /// Those that a benchmark names.
    Of(&'static Benchmark),
}

/// Says that a text is no profile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no profile: use all, cis-2.0.1, nsa, pss or owasp-2025")]
pub struct NotAProfile(String);

impl Profile {
    /// Whether a control is asked.
    pub fn asks(&self, control: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(benchmark) => {
                benchmark.rows().iter().any(|(_, controls)| controls.contains(&control))
            }
        }
    }
}

impl Benchmark {
    /// Gives what is known of its recommendations, where they have a table of their own.
    pub fn recommendations(&self) -> &'static [Recommendation] {
        match self.mapped {
            Mapped::Table(table) => table,
            Mapped::Rows => &[],
        }
    }

    /// Gives each recommendation's id, with the controls that are asked for it where there are any.
    pub fn rows(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        let of_manifests = |row: &'static Row| (row.id, row.of_manifests().collect::<Vec<_>>());
        match self.mapped {
            Mapped::Table(table) => {
                let asked = table.iter().filter(|it| !it.controls.is_empty());
                asked.map(|it| (it.id, it.controls.to_vec())).collect()
            }
            Mapped::Rows => rows().map(of_manifests).filter(|(_, ids)| !ids.is_empty()).collect(),
        }
    }

    /// Gives the recommendations that a control answers. What is decided in another way than its benchmark would is
    /// none of them.
    pub fn of<'c>(&self, control: &'c str) -> impl Iterator<Item = &'static str> + use<'c> {
        let rows = self.rows().into_iter();
        let recommended = self.recommendations();
        let is_otherwise = move |id: &str| {
            recommended.iter().any(|it| it.id == id && matches!(it.cover, Cover::Otherwise(_)))
        };
        rows.filter(move |(id, controls)| controls.contains(&control) && !is_otherwise(id))
            .map(|(id, _)| id)
    }
}

impl FromStr for Profile {
    type Err = NotAProfile;

    fn from_str(text: &str) -> Result<Self, NotAProfile> {
        if text == "all" {
            return Ok(Self::All);
        }
        let found = BENCHMARKS.iter().find(|it| it.id == text).map(Self::Of);
        found.ok_or_else(|| NotAProfile(text.to_owned()))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Of(benchmark) => benchmark.id,
        })
    }
}

/// Every benchmark.
pub static BENCHMARKS: [Benchmark; 4] = [
    Benchmark {
        id: "cis-2.0.1",
        title: "CIS Kubernetes Benchmark 2.0.1",
        source: "Prowler's encoding, prowler/compliance/kubernetes/cis_2.0.1_kubernetes.json",
        mapped: Mapped::Rows,
    },
    Benchmark {
        id: "nsa",
        title: "NSA and CISA Kubernetes Hardening Guidance",
        source: "Kubescape's encoding, frameworks/nsaframework.json of kubescape/regolibrary, whose ids it has",
        mapped: Mapped::Table(nsa::ROWS),
    },
    Benchmark {
        id: "pss",
        title: "Pod Security Standards",
        source: "the checks of Kubernetes' pod-security-admission, whose ids its own samples bear",
        mapped: Mapped::Table(pss::ROWS),
    },
    Benchmark {
        id: "owasp-2025",
        title: "OWASP Kubernetes Top Ten 2025",
        source: "its pages, 2025/en/src of OWASP/www-project-kubernetes-top-ten",
        mapped: Mapped::Table(owasp::ROWS),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BENCHMARKS, Cover, Profile, rows};
    use crate::guideline::Judge;
    use crate::guidelines::{GUIDELINES, find};

    #[test]
    fn every_row_names_controls_that_there_are_and_stands_once() {
        for benchmark in &BENCHMARKS {
            let rows = benchmark.rows();
            let ids: BTreeSet<_> = rows.iter().map(|(id, _)| id).collect();
            assert_eq!(ids.len(), rows.len(), "{}", benchmark.id);
            for (id, controls) in rows {
                assert!(!controls.is_empty(), "{id}");
                controls.iter().for_each(|it| assert!(find(it).is_some(), "{id}: {it}"));
            }
        }
    }

    #[test]
    fn every_recommendation_says_what_decides_it_or_why_nothing_does() {
        for benchmark in &BENCHMARKS {
            let all = benchmark.recommendations();
            assert!(all.is_sorted_by(|one, other| one.id < other.id), "{}", benchmark.id);
            for it in all {
                let decides = !it.controls.is_empty() || !it.rows.is_empty();
                let why = match it.cover {
                    Cover::Covered => "",
                    Cover::Partly(why) | Cover::Otherwise(why) | Cover::Not(why) => why,
                };
                assert_eq!(decides, !matches!(it.cover, Cover::Not(_)), "{}", it.id);
                assert_eq!(why.is_empty(), it.cover == Cover::Covered, "{}", it.id);
                for id in it.rows {
                    assert!(rows().any(|row| row.id == *id), "{}: {id}", it.id);
                }
            }
        }
        let count = |id: &str| {
            let benchmark = BENCHMARKS.iter().find(|it| it.id == id).unwrap();
            benchmark.recommendations().len()
        };
        assert_eq!((count("nsa"), count("pss"), count("owasp-2025")), (26, 19, 10));
    }

    /// What decides a row of a running cluster is asked of manifests by the same number.
    #[test]
    fn the_benchmark_asks_manifests_for_what_decides_its_rows() {
        let cis = BENCHMARKS.iter().find(|it| it.id == "cis-2.0.1").unwrap();
        let of = |id: &str| -> Vec<&str> {
            cis.rows()
                .into_iter()
                .find(|(row, _)| *row == id)
                .map(|(_, ids)| ids)
                .unwrap_or_default()
        };
        assert_eq!(of("5.2.1"), ["workload/pod-security-is-enforced"]);
        assert_eq!(of("5.2.7"), ["workload/non-root"]);
        assert_eq!(of("5.1.8"), ["access/no-escalating", "access/no-impersonation"]);
        assert_eq!(of("5.1.6"), ["workload/no-token-mount"]);
        assert!(of("1.2.1").is_empty(), "no manifest decides it");
        assert_eq!(cis.rows().len(), 31);
    }

    /// What is judged by a check of the standards is a row under that check's name.
    #[test]
    fn the_standards_are_mapped_as_they_are_judged() {
        let pss = BENCHMARKS.iter().find(|it| it.id == "pss").unwrap();
        let mut checks = 0;
        for guideline in GUIDELINES {
            if let Judge::Standard(check) = guideline.judge {
                assert!(pss.of(guideline.id).any(|id| id == check), "{}", guideline.id);
                checks += 1;
            }
        }
        assert!(checks > 10, "{checks}");
        for it in pss.recommendations() {
            assert!(crate::pods::is_check(it.id), "{} is no check", it.id);
            // Only what is judged by the check itself is covered by one control.
            let by_itself = |control: &&str| match find(control).map(|it| &it.judge) {
                Some(Judge::Standard(check)) => *check == it.id,
                _ => false,
            };
            assert_eq!(
                it.cover == Cover::Covered,
                it.controls.len() == 1 && it.controls.iter().all(by_itself),
                "{}",
                it.id
            );
        }
        // Asked, and not answered: admission would decide it otherwise.
        let asked: Profile = "pss".parse().unwrap();
        for control in ["workload/non-root", "workload/capabilities-dropped"] {
            assert!(asked.asks(control) && pss.of(control).next().is_none(), "{control}");
        }
        assert_eq!(
            pss.of("workload/seccomp-is-set").collect::<Vec<_>>(),
            ["seccompProfile_restricted"]
        );
    }

    #[test]
    fn a_profile_asks_for_what_its_benchmark_names() {
        let cis: Profile = "cis-2.0.1".parse().unwrap();
        assert!(cis.asks("workload/not-privileged") && !cis.asks("ha/replicas"));
        assert!("all".parse::<Profile>().unwrap().asks("ha/replicas"));
        assert!("cis-9".parse::<Profile>().is_err());
    }
}
