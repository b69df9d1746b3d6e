//! Attacks on protected files, as data: what each does, what has to be told of it, and who did it. Pure.
//!
//! Scripts are for `sh` on a machine of the lab, which has Debian's base, `sshd` and what the bundle brings. They run
//! in a directory of their own with [`HELP`]. Each has paths that no other has, so that what is told can be
//! attributed; none stops anything that the cluster needs.

mod cluster;
mod machine;
mod unwatched;
mod ways;
mod writers;

/// When an attack is made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum When {
    /// While the agent watches.
    Watched,
    /// While the agent is stopped; it is started afterwards.
    Stopped,
    /// After all others: it ends the agent itself.
    Last,
}

/// The order in which attacks are made.
pub(super) const WAVES: [When; 3] = [When::Watched, When::Stopped, When::Last];

/// An attack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attack {
    /// Names it, in words that make a file's name.
    pub(super) id: &'static str,
    /// What it does, in a sentence.
    pub(super) about: &'static str,
    /// The technique of MITRE ATT&CK that it is, where one fits.
    pub(super) technique: Option<&'static str>,
    /// The machine: `cp1` to `cp3` are control planes, `w1` to `w3` workers.
    pub(super) on: &'static str,
    /// When it is made.
    pub(super) when: When,
    /// What is made ready; nothing that is told of it counts.
    pub(super) before: &'static str,
    /// What it does.
    pub(super) does: &'static str,
    /// What has to be told as unexplained, each path with the programs that may have done it: names of files, or whole
    /// paths. A path that ends with `*` stands for all that begin so.
    pub(super) tells: &'static [(&'static str, &'static [&'static str])],
    /// Programs that are right as well: what the same process ran before, or the shell that opened the file.
    pub(super) shells: &'static [&'static str],
    /// Who began the program, where only one can have.
    pub(super) parent: Option<&'static str>,
    /// Reasons for which the writer may be unknown, each a part of what is said.
    pub(super) unknown: &'static [&'static str],
    /// What undoes it.
    pub(super) undoes: &'static str,
}

impl Attack {
    /// Names it among everything that is done.
    pub(super) fn name(&self) -> String {
        format!("attacks/{}", self.id)
    }
}

/// What most attacks have in common.
pub(super) const USUAL: Attack = Attack {
    id: "",
    about: "",
    technique: None,
    on: "w1",
    when: When::Watched,
    before: "",
    does: "",
    tells: &[],
    shells: &[],
    parent: None,
    unknown: &[],
    undoes: "",
};

/// The same on other machines.
const ON_CP1: Attack = Attack { on: "cp1", ..USUAL };
const ON_CP2: Attack = Attack { on: "cp2", ..USUAL };
const ON_CP3: Attack = Attack { on: "cp3", ..USUAL };
const ON_W2: Attack = Attack { on: "w2", ..USUAL };
const ON_W3: Attack = Attack { on: "w3", ..USUAL };

/// Gives every attack.
pub(super) fn all() -> impl Iterator<Item = &'static Attack> {
    let groups = [cluster::ALL, machine::ALL, ways::ALL, writers::ALL, unwatched::ALL];
    groups.into_iter().flatten()
}

/// What scripts call. In their directory lie `text`, a comment, and `program`, which does nothing.
pub(super) const HELP: &str = "\
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
kept() { printf 'kept/'; printf '%s' \"$1\" | tr / :; }
# Puts a copy of a file aside, and back.
keep() { mkdir -p kept; cp -a \"$1\" \"$(kept \"$1\")\"; }
back() { cp -a --remove-destination \"$(kept \"$1\")\" \"$1\"; }
# Makes a directory that is taken away in the end if it is empty.
within() { [ -d \"$1\" ] || { mkdir -p \"$1\"; echo \"$1\" >>made; }; }
# Makes a file of 4,096 bytes.
filled() { head -c 4096 /dev/zero | tr '\\0' a >\"$1\"; }
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::maintenance::MACHINES;
    use super::{Attack, HELP, WAVES, When, all};

    #[test]
    fn there_are_many_and_each_has_a_name_of_its_own() {
        let ids: BTreeSet<&str> = all().map(|attack| attack.id).collect();
        assert_eq!(ids.len(), all().count());
        assert!(ids.len() >= 60, "{}", ids.len());
        for id in ids {
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(!id.is_empty() && id.chars().all(is_plain), "{id}");
        }
    }

    #[test]
    fn each_says_what_it_does_where_and_how_it_is_undone() {
        for attack in all() {
            let Attack { id, about, technique, on, does, tells, undoes, .. } = attack;
            assert!(!about.is_empty() && !about.ends_with('.') && !about.contains('|'), "{id}");
            assert!(MACHINES.contains(on), "{id}");
            assert!(!does.is_empty() && !undoes.is_empty() && !tells.is_empty(), "{id}");
            assert!(WAVES.contains(&attack.when), "{id}");
            let is_technique = |text: &str| {
                let number = text.strip_prefix('T').unwrap_or_default();
                number.len() >= 4 && number.chars().all(|it| it.is_ascii_digit() || it == '.')
            };
            assert!(technique.is_none_or(is_technique), "{id}");
            for script in [attack.before, *does, *undoes] {
                assert!(!script.contains("STORY"), "{id} would end its own file");
            }
        }
    }

    /// Nobody is named for what was changed while nobody watched.
    #[test]
    fn each_names_its_writers_or_why_nobody_knows_them() {
        for attack in all() {
            for (path, writers) in attack.tells {
                assert!(path.starts_with('/') && !path.contains("//"), "{path}");
                assert_eq!(writers.is_empty(), attack.when == When::Stopped, "{}", attack.id);
            }
            let needs_a_reason = attack.when != When::Watched;
            assert!(!needs_a_reason || !attack.unknown.is_empty(), "{}", attack.id);
        }
    }

    /// What is told at a path is one attack's: no other of its machine and wave is there, above or below.
    #[test]
    fn no_attack_is_where_another_is() {
        let all: Vec<&Attack> = all().collect();
        for (place, one) in all.iter().enumerate() {
            for other in all[place + 1..].iter().filter(|it| (it.on, it.when) == (one.on, one.when))
            {
                for ((a, _), (b, _)) in
                    one.tells.iter().flat_map(|a| other.tells.iter().map(move |b| (a, b)))
                {
                    let (a, b) = (a.trim_end_matches('*'), b.trim_end_matches('*'));
                    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
                    let rest = long.strip_prefix(short);
                    let meet = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                    assert!(!meet, "{} and {} are both at {short}", one.id, other.id);
                }
            }
        }
    }

    /// What is told must be written somewhere in the script, or be what its program is known to write.
    #[test]
    fn every_path_is_one_that_the_script_goes_to() {
        const KNOWN: &[&str] = &[
            "/etc/passwd",
            "/etc/shadow",
            "/etc/group",
            "/etc/gshadow",
            "/etc/ld.so.cache",
            "/etc/ssh/story_host_key.pub",
        ];
        for attack in all() {
            for (path, _) in attack.tells {
                let name = path.trim_end_matches('*').rsplit('/').next().unwrap_or_default();
                let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
                // A name of a letter or two is in every script: its directory has to be there too.
                let above = path.rsplit('/').nth(1).filter(|_| name.len() < 3).unwrap_or_default();
                let above = above.trim_end_matches('*');
                let has = |part: &str| attack.does.contains(part) || attack.before.contains(part);
                let is_there = has(name) && has(above);
                assert!(is_there || KNOWN.contains(path), "{}: {path}", attack.id);
            }
        }
    }

    #[test]
    fn control_planes_and_workers_are_attacked_in_every_wave_that_has_many() {
        let on = |role: &str| all().filter(|attack| attack.on.starts_with(role)).count();
        assert!(on("cp") >= 15 && on("w") >= 40, "{} {}", on("cp"), on("w"));
        assert!(WAVES.iter().all(|when| all().any(|attack| attack.when == *when)));
        assert!(HELP.contains("keep()") && HELP.contains("back()"));
    }
}
