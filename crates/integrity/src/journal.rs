//! What an agent tells, line by line: a chain that only grows. Pure.
//!
//! Each line holds the digest of the line before it, so that none can be taken out, put in or changed
//! without the ones after it saying so. The end can be cut off; whoever kept the last digest sees that.

use serde::{Deserialize, Serialize};

use crate::change::{Blind, Change, Unknown};
use crate::path::FilePath;
use crate::why::Why;

/// The version of lines.
pub const VERSION: u32 = 1;

/// Something that an agent tells.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "told")]
pub enum Told {
    /// The agent began.
    Began {
        /// The machine.
        node: String,
        /// The number of its baseline.
        baseline: u64,
        /// What it does not see here.
        limits: Vec<String>,
    },
    /// Something changed.
    Change(Box<Change>),
    /// A change that nothing explained is explained by what came after it.
    Settled {
        /// The change, by its id.
        change: String,
        /// What explains it.
        why: Why,
    },
    /// A file that the agent puts back was left as it is.
    Left {
        /// Where.
        path: FilePath,
        /// The newest change of it that nothing explains, by its id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<String>,
        /// Why.
        why: String,
    },
    /// Changes may have been missed.
    Blind(Blind),
    /// Everything protected was looked at.
    Verified {
        /// How many paths.
        paths: u64,
        /// What could not be compared, the first few.
        unknown: Vec<Unknown>,
        /// How many could not be compared.
        unknown_count: u64,
    },
    /// Files were compared with the packages that brought them.
    Compared(Compared),
    /// Another baseline is compared with from here on.
    Baseline {
        /// Its number.
        number: u64,
    },
    /// A baseline that lies there is not believed.
    Refused {
        /// Why.
        why: String,
    },
}

/// What a comparison of files with their packages came to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// How many packages there are.
    pub packages: u64,
    /// How many files were compared.
    pub files: u64,
    /// A digest of what was compared with.
    pub database: String,
    /// How many settings are not as they came, which is what they are for.
    pub settings: u64,
    /// How many files are not as they should be.
    pub findings_count: u64,
    /// How many of them were told as changes, now or before.
    pub told_count: u64,
    /// What could not be compared, the first few.
    pub unknown: Vec<Unknown>,
    /// How many could not be compared.
    pub unknown_count: u64,
}

impl Compared {
    /// Tells how many files are not as they should be without having been told as changes.
    pub fn untold(&self) -> u64 {
        self.findings_count.saturating_sub(self.told_count)
    }
}

/// A line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Line {
    /// The version of this form.
    pub version: u32,
    /// Its number: one more than the line before.
    pub seq: u64,
    /// The digest of the line before it; of the first, of nothing.
    pub previous: String,
    /// When it was told, in seconds since 1970.
    pub at: u64,
    /// What is told.
    #[serde(flatten)]
    pub told: Told,
}

/// The end of a chain, from which it goes on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tip {
    /// The number of the last line.
    pub seq: u64,
    /// Its digest.
    pub digest: String,
}

impl Default for Tip {
    fn default() -> Self {
        Self { seq: 0, digest: digest("") }
    }
}

impl Tip {
    /// Writes what follows, and goes on from it. The text ends with the line.
    pub fn append(&mut self, at: u64, told: Told) -> (Line, String) {
        let (seq, previous) = (self.seq + 1, self.digest.clone());
        let line = Line { version: VERSION, seq, previous, at, told };
        let text = serde_json::to_string(&line).expect("every key of a line is text");
        *self = Self { seq, digest: digest(&text) };
        (line, text + "\n")
    }
}

/// What was read of a journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// The lines that follow each other, in order.
    pub lines: Vec<Line>,
    /// The end of the chain.
    pub tip: Tip,
    /// How many bytes these lines are: what comes after them was torn by a crash, or is damage.
    pub good_bytes: usize,
    /// Why reading ended before the bytes did.
    pub broken: Option<Broken>,
}

/// Why a journal is read no further.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// The last line has no end: a crash tore it.
    #[error("its last line was torn")]
    Torn,
    /// A line is none.
    #[error("line {line} is none of a journal")]
    Shape {
        /// Its number.
        line: usize,
    },
    /// A line does not follow the one before it.
    #[error(
        "line {line} does not follow the one before it: something was taken out, put in or changed"
    )]
    Unchained {
        /// Its number.
        line: usize,
    },
}

/// Reads a journal that begins after a tip; the first line of a journal that was cut at its beginning may
/// follow any.
pub fn read(text: &str, after: Option<&Tip>) -> Read {
    let mut read = Read { tip: after.cloned().unwrap_or_default(), ..Read::default() };
    let mut is_bound = after.is_some();
    for (whole, number) in text.split_inclusive('\n').zip(1..) {
        let Some(line) = whole.strip_suffix('\n') else {
            read.broken = Some(Broken::Torn);
            break;
        };
        let Ok(parsed) = serde_json::from_str::<Line>(line) else {
            read.broken = Some(Broken::Shape { line: number });
            break;
        };
        let follows = parsed.previous == read.tip.digest && parsed.seq == read.tip.seq + 1;
        if is_bound && !follows {
            read.broken = Some(Broken::Unchained { line: number });
            break;
        }
        is_bound = true;
        read.tip = Tip { seq: parsed.seq, digest: digest(line) };
        read.good_bytes += whole.len();
        read.lines.push(parsed);
    }
    read
}

fn digest(line: &str) -> String {
    blake3::hash(line.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use ringfort_model::mode::{FileMode, Owner};
    use ringfort_model::severity::Severity;

    use super::*;
    use crate::change::Finding;
    use crate::process::Who;
    use crate::protected::Class;
    use crate::state::{State, differences};
    use crate::why::Cause;

    fn journal() -> (String, Tip) {
        let (mut tip, mut text) = (Tip::default(), String::new());
        for number in 1..=3 {
            text.push_str(&tip.append(number, Told::Baseline { number }).1);
        }
        (text, tip)
    }

    #[test]
    fn what_was_written_is_read_and_goes_on() {
        let (text, tip) = journal();
        let all = read(&text, Some(&Tip::default()));
        assert_eq!((all.lines.len(), &all.tip, all.broken), (3, &tip, None));
        assert_eq!(all.good_bytes, text.len());
        let later = read(text.split_once('\n').unwrap().1, None);
        assert_eq!((later.lines.len(), later.tip, later.broken), (2, tip, None));
    }

    #[test]
    fn a_change_is_read_as_it_was_written() {
        let kind = crate::judge::Kind::File;
        let (mode, owner) = (FileMode(0o600), Owner::ROOT);
        let (digest, number, capabilities) = (None, None, None);
        let state = State { kind, mode, owner, size: 1, digest, number, capabilities };
        let change = Change {
            id: "a".to_owned(),
            finding: Finding {
                path: "/a".parse().unwrap(),
                class: Class::Exact,
                severity: Severity::High,
                differences: differences(None, Some(&state)),
            },
            is_right: false,
            before: None,
            after: Some(state),
            drift: None,
            who: Who::Unknown("gone".to_owned()),
            why: Why::Unexplained,
        };
        let told = [
            Told::Change(Box::new(Change { before: change.after.clone(), ..change.clone() })),
            Told::Change(Box::new(change)),
            Told::Settled { change: "a".to_owned(), why: Why::Explained(Cause::Package) },
            Told::Compared(Compared { told_count: 1, ..Compared::default() }),
            Told::Left { path: "/a".parse().unwrap(), change: None, why: "up acts".to_owned() },
            Told::Settled {
                change: "a".to_owned(),
                why: Why::Explained(Cause::Repair { change: None, milliseconds: 3 }),
            },
            Told::Blind(Blind { from: 1, until: 2, why: "deaf".to_owned() }),
        ];
        let (mut tip, mut text) = (Tip::default(), String::new());
        told.iter().for_each(|one| text.push_str(&tip.append(7, one.clone()).1));
        let read = read(&text, Some(&Tip::default()));
        assert_eq!(read.broken, None, "{text}");
        assert_eq!(read.lines.into_iter().map(|line| line.told).collect::<Vec<_>>(), told);
    }

    #[test]
    fn a_line_that_was_changed_taken_out_or_torn_ends_the_reading() {
        let (text, _) = journal();
        let from_first = |text: &str| read(text, Some(&Tip::default()));
        let changed = from_first(&text.replacen("\"number\":2", "\"number\":9", 1));
        assert_eq!((changed.lines.len(), changed.broken), (2, Some(Broken::Unchained { line: 3 })));
        let lines: Vec<&str> = text.lines().collect();
        let without = from_first(&format!("{}\n{}\n", lines[0], lines[2]));
        assert_eq!(without.broken, Some(Broken::Unchained { line: 2 }));
        assert_eq!(from_first(lines[1]).broken, Some(Broken::Torn));
        assert_eq!(from_first("{}\n").broken, Some(Broken::Shape { line: 1 }));
        let torn = from_first(&text[..text.len() - 5]);
        assert_eq!((torn.lines.len(), torn.broken), (2, Some(Broken::Torn)));
        assert_eq!(torn.good_bytes, lines[0].len() + lines[1].len() + 2);
    }
}
