//! Who did something: what the kernel says of a process, and whether it is still the one that did it.
//! Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::Place;
use crate::records::Writer;

/// A process, by its number and the moment at which it began, which together no other has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it began, in ticks since the machine's start.
    pub start: u64,
    /// What it runs.
    pub exe: String,
    /// The digest of that, where it was still there to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The process that began it, by number.
    pub parent: i32,
    /// What its parents run, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// Whether it had ended when it was asked for: its number may have been another's by then.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ended: bool,
    /// Where it runs.
    #[serde(flatten)]
    pub place: Place,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Who wrote, or why nobody can say.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// This process.
    Process(Process),
    /// Nobody can say.
    Unknown(String),
}

/// What is known of a process's number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// Whether the one who did it is still there.
    pub writer: Writer,
    /// The last one that began a program, as it was then.
    pub begun: Option<Process>,
    /// Whether that one had ended before the thing was done.
    pub had_ended: bool,
    /// Who has it now.
    pub now: Option<Process>,
    /// When the one began who has it now, also one that ended and was not waited for, of whom nothing else is known.
    pub holder: Option<u64>,
    /// Whether it began another program when the thing may have been done: which of them did it is not known.
    pub is_between: bool,
}

/// What is said where a number is another's.
const REUSED: &str = "its number belongs to another process by now";
/// What is said where nobody who began a program had the number.
const FORKED: &str = "it had ended, and was not seen to begin a program: it was forked and ran none, or began before the watch";

/// Says who had a number when something was done. A number that another process has by now names
/// nobody: a wrong name would be worse than none. Of one that went from one program to another about then no digest
/// is given, since it need not be the one whose digest it is; nothing is explained by it.
pub fn who(known: Known) -> Who {
    let Known { writer, begun, had_ended, now, holder, is_between } = known;
    let begun = begun.filter(|_| now.is_some() || !had_ended);
    let found = match (writer, begun, now) {
        (Writer::Gone, ..) if holder.is_some() => Err(REUSED),
        (Writer::Gone, Some(begun), _) => Ok(Process { ended: true, ..begun }),
        (Writer::Gone, None, _) | (_, None, None) => Err(FORKED),
        // The one that began a program had the number before.
        (Writer::There, Some(begun), Some(now)) if begun.start != now.start => Ok(now),
        (Writer::There, Some(begun), None) if holder.is_some_and(|it| it != begun.start) => {
            Err(FORKED)
        }
        (_, Some(begun), Some(now)) if begun.start != now.start => Err(REUSED),
        (_, Some(begun), Some(now)) => Ok(Process { digest: begun.digest, ..now }),
        (_, Some(begun), None) => Ok(Process { ended: true, ..begun }),
        (_, None, Some(now)) => Ok(now),
    };
    match found {
        Ok(process) if is_between => Who::Process(Process { digest: None, ..process }),
        Ok(process) => Who::Process(process),
        Err(why) => Who::Unknown(why.to_owned()),
    }
}

/// Says whether a process still has its number, by what the system says of a descriptor of it: one that ended has
/// it until somebody waited for it.
pub fn has_number(about: &str) -> bool {
    let number = about.lines().find_map(|line| line.strip_prefix("Pid:"));
    number.and_then(|number| number.trim().parse::<i32>().ok()).is_some_and(|number| number > 0)
}

/// The parts of `/proc/PID/stat` that say who a process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// The process that began it.
    pub parent: i32,
    /// When it began, in ticks since the machine's start.
    pub start: u64,
}

/// Reads `/proc/PID/stat`. A program's name may hold anything, also what looks like the rest.
pub fn stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat { parent: words.get(1)?.parse().ok()?, start: words.get(19)?.parse().ok()? })
}

/// Files that a process opened to run them since it was made, the newest last, each with when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Opened {
    kept: Vec<(String, Duration)>,
    /// Whether there were more, which are not kept.
    has_lost: bool,
}

impl Opened {
    /// How many are kept: a script, what reads it, a loader, and one more.
    const MOST: usize = 4;

    /// Takes one more.
    pub fn push(&mut self, path: String, at: Duration) {
        if self.kept.len() == Self::MOST {
            self.kept.remove(0);
            self.has_lost = true;
        }
        self.kept.push((path, at));
    }

    /// Gives what the process runs: the newest that is no loader of libraries.
    pub fn program(&self) -> Option<&str> {
        self.programs().next_back().map(|(path, _)| path.as_str())
    }

    /// Says whether the process went from one program to another since then. What is not kept may have been another.
    pub fn is_between(&self, since: Duration) -> bool {
        let mut programs = self.programs();
        let newest = programs.next_back();
        newest.is_some_and(|(path, at)| {
            *at >= since && (self.has_lost || programs.any(|(before, _)| before != path))
        })
    }

    fn programs(&self) -> impl DoubleEndedIterator<Item = &(String, Duration)> {
        self.kept.iter().filter(|(path, _)| !is_loader(path))
    }
}

/// Where loaders of libraries lie. What has such a name elsewhere is a program like any other.
const LOADERS: [&str; 4] = ["/usr/lib/", "/usr/lib64/", "/lib/", "/lib64/"];

fn is_loader(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    LOADERS.iter().any(|it| path.starts_with(it)) && (name.starts_with("ld-") || name == "ld.so")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(start: u64, exe: &str) -> Process {
        let digest = (exe == "/begun").then(|| "blake3:1".to_owned());
        Process {
            pid: 7,
            start,
            exe: exe.to_owned(),
            digest,
            parent: 1,
            parents: Vec::new(),
            ended: false,
            place: Place::default(),
        }
    }

    #[test]
    fn who_went_from_one_program_to_another_about_then_is_named_without_a_digest() {
        let digest = |is_between| {
            let known = Known {
                begun: Some(process(5, "/begun")),
                now: Some(process(5, "/now")),
                is_between,
                ..Known::default()
            };
            match who(known) {
                Who::Process(found) => (found.exe, found.digest.is_some()),
                Who::Unknown(why) => panic!("{why}"),
            }
        };
        assert_eq!(digest(false), ("/now".to_owned(), true));
        assert_eq!(digest(true), ("/now".to_owned(), false));
        let at = Duration::from_millis;
        let mut opened = Opened::default();
        opened.push("/usr/bin/sh".to_owned(), at(1));
        opened.push("/usr/lib/ld-linux.so.2".to_owned(), at(9));
        assert!(!opened.is_between(at(0)), "a loader is no other program");
        opened.push("/usr/local/bin/ringfort".to_owned(), at(10));
        assert!(opened.is_between(at(5)) && opened.is_between(at(10)));
        assert!(!opened.is_between(at(11)), "all that is asked for came later");
        let mut same = Opened::default();
        (1..=4).for_each(|moment| same.push("/usr/bin/dpkg".to_owned(), at(moment)));
        assert!(!same.is_between(at(0)), "all that it ran is known");
        same.push("/usr/bin/dpkg".to_owned(), at(5));
        assert!(same.is_between(at(0)), "what it ran first is not known any more");
        assert!(!same.is_between(at(6)));
    }

    #[test]
    fn nobody_is_named_who_has_only_the_same_number() {
        let begun = || Some(process(5, "/begun"));
        let check = |begun, now, expected: Option<Process>| match who(Known {
            begun,
            now,
            ..Known::default()
        }) {
            Who::Process(found) => assert_eq!(Some(found), expected),
            Who::Unknown(why) => assert!(expected.is_none() && !why.is_empty(), "{why}"),
        };
        check(begun(), None, begun().map(|it| Process { ended: true, ..it }));
        check(None, Some(process(9, "/now")), Some(process(9, "/now")));
        check(begun(), Some(process(6, "/other")), None);
        check(None, None, None);
        let same = Process { digest: Some("blake3:1".to_owned()), ..process(5, "/now") };
        check(begun(), Some(process(5, "/now")), Some(same));
    }

    #[test]
    fn who_has_ended_is_not_taken_for_who_has_the_number_now() {
        let (begun, now) = (|| Some(process(5, "/begun")), |start| Some(process(start, "/now")));
        let check = |writer, begun, now, holder: Option<u64>, expected: (&str, bool)| {
            let known = Known { writer, begun, now, holder, ..Known::default() };
            match who(known) {
                Who::Process(found) => assert_eq!((found.exe.as_str(), found.ended), expected),
                Who::Unknown(why) => assert_eq!((why.as_str(), false), expected),
            }
        };
        let gone = |begun, now, holder, expected| check(Writer::Gone, begun, now, holder, expected);
        gone(begun(), None, None, ("/begun", true));
        gone(None, None, None, (FORKED, false));
        // The newest that began a program is the one that was given the number since.
        gone(begun(), now(5), Some(5), (REUSED, false));
        gone(begun(), None, Some(5), (REUSED, false));
        // Whoever was given it began none.
        gone(begun(), now(6), Some(6), (REUSED, false));
        gone(None, now(6), Some(6), (REUSED, false));
        let there =
            |begun, now, holder, expected| check(Writer::There, begun, now, holder, expected);
        there(begun(), now(5), Some(5), ("/now", false));
        there(None, now(5), Some(5), ("/now", false));
        // Whoever began a program under the number had it before.
        there(begun(), now(6), Some(6), ("/now", false));
        // It has ended, and nobody has waited for it.
        there(begun(), None, Some(5), ("/begun", true));
        there(begun(), None, Some(6), (FORKED, false));
        there(None, None, Some(6), (FORKED, false));
        check(Writer::Untold, begun(), now(6), Some(6), (REUSED, false));
    }

    #[test]
    fn who_had_ended_before_did_not_do_it() {
        for writer in [Writer::Untold, Writer::There, Writer::Gone] {
            let begun = Some(process(5, "/begun"));
            let ended = who(Known { writer, begun, had_ended: true, ..Known::default() });
            assert_eq!(ended, Who::Unknown(FORKED.to_owned()));
        }
    }

    #[test]
    fn a_process_has_its_number_until_it_was_waited_for() {
        assert!(has_number("pos:\t0\nflags:\t02\nPid:\t4711\nNSpid:\t4711\n"));
        // It has none any more, or none in this place; or nothing is said.
        for about in ["Pid:\t-1\nNSpid:\t-1\n", "Pid:\t0\n", "pos:\t0\nNSpid:\t7\n", "Pid:\n", ""] {
            assert!(!has_number(about), "{about}");
        }
    }

    #[test]
    fn a_name_that_looks_like_the_rest_does_not_deceive() {
        let numbers = "1 1 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 123456 8192 1";
        let check = |name: &str| {
            let text = format!("42 ({name}) S 17 {numbers}");
            assert_eq!(stat(text.as_bytes()), Some(Stat { parent: 17, start: 123_456 }), "{text}");
        };
        check("sh");
        check("a) S 1 2 3 (b");
        assert_eq!(stat(b"42 (sh"), None);
        assert_eq!(stat(b"42 (sh) S 17"), None);
        assert_eq!(stat(b""), None);
    }

    #[test]
    fn the_loader_of_libraries_is_not_the_program() {
        let program = |paths: &[&str]| {
            let mut opened = Opened::default();
            paths.iter().for_each(|path| opened.push((*path).to_owned(), Duration::ZERO));
            opened.program().map(str::to_owned)
        };
        let loader = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        assert_eq!(program(&["/usr/bin/cp", loader]).unwrap(), "/usr/bin/cp");
        assert_eq!(program(&["/a.sh", "/usr/bin/dash", loader]).unwrap(), "/usr/bin/dash");
        assert_eq!(program(&["/1", "/2", "/3", "/4", "/5", loader]).unwrap(), "/5");
        assert_eq!(
            program(&["/usr/bin/cp", "/lib64/ld-linux-x86-64.so.2"]).unwrap(),
            "/usr/bin/cp"
        );
        for copy in ["/tmp/ld-linux-x86-64.so.2", "/tmp/usr/lib/ld.so", "/usr/library/ld-a"] {
            assert_eq!(program(&["/usr/bin/cp", copy]).unwrap(), copy);
        }
        assert_eq!(program(&[]), None);
    }
}
