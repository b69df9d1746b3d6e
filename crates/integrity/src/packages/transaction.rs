//! What dpkg and apt log of a transaction, held against what dpkg itself wrote and what its database says. Pure.
//!
//! A log explains nothing by itself: whoever can write to it writes what he likes. It says of what the program of
//! dpkg was seen to write, and the database has as it is, which package that was of.

use serde::{Deserialize, Serialize};

use crate::judge::{Kind, Look, Verdict, judge};
use crate::path::FilePath;
use crate::protected::Protected;

/// A step of a package, as dpkg logs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// The package.
    pub package: String,
    /// Its version before; none where it was not there.
    pub before: Option<String>,
    /// Its version after; none where it was removed.
    pub after: Option<String>,
    /// When, by the machine's own clock and zone.
    pub at: String,
}

/// What asked for a transaction, as apt logs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The command.
    command: String,
    /// Who ran it, where that was not root himself.
    by: Option<String>,
    /// The packages that it changes, with their architectures.
    packages: Vec<String>,
}

/// A package that was installed, replaced or removed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transaction {
    /// The package; none where the file is gone and of several nobody can say whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Its version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// When, by the machine's own clock and zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The command of apt that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The user who ran that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Whose a path is, by the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The package and its version, as the database has them.
    pub package: String,
    /// What is said of the path.
    pub entry: Protected,
}

/// What came of holding it all against each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It all agrees.
    Agrees(Transaction),
    /// It does not, and so nothing explains the change.
    Differs(String),
}

/// Reads what dpkg logged: packages that it installed, replaced or removed, in order. Other lines say nothing of
/// files.
pub fn read_log(text: &[u8]) -> Vec<Step> {
    let text = String::from_utf8_lossy(text);
    let step = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [date, time, "install" | "upgrade" | "remove" | "purge", package, before, after] =
            words[..]
        else {
            return None;
        };
        let version = |text: &str| (text != "<none>").then(|| text.to_owned());
        let name = package.split_once(':').map_or(package, |(name, _)| name);
        Some(Step {
            package: name.to_owned(),
            before: version(before),
            after: version(after),
            at: format!("{date} {time}"),
        })
    };
    text.lines().filter_map(step).collect()
}

/// Reads what apt logged of its commands, in order.
pub fn read_history(text: &[u8]) -> Vec<Asked> {
    let text = String::from_utf8_lossy(text);
    let asked = |stanza: &str| {
        let field = |name: &str| {
            stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let lists = ["Install", "Upgrade", "Downgrade", "Reinstall", "Remove", "Purge"];
        let packages =
            lists.iter().filter_map(|list| field(list)).flat_map(|list| list.split("), "));
        let name = |one: &str| one.split(' ').next().map(str::to_owned);
        Some(Asked {
            command: field("Commandline")?.to_owned(),
            by: field("Requested-By").map(str::to_owned),
            packages: packages.filter_map(name).collect(),
        })
    };
    text.split("\n\n").filter_map(asked).collect()
}

/// Holds a file that dpkg wrote or took away against what the database says of it now, and what was logged
/// since; `None` where dpkg keeps no log.
pub fn hold(
    path: &FilePath,
    look: &Look,
    owner: Option<&Owner>,
    steps: Option<&[Step]>,
    asked: &[Asked],
) -> Outcome {
    let Some(owner) = owner else { return unowned(path, look, steps, asked) };
    let package = &owner.package;
    let is_right = match judge(&owner.entry, look) {
        Verdict::Same | Verdict::ContentUnstated => true,
        // What has no digest in its package is a directory or a link, or made when it is installed.
        _ if owner.entry.expected.is_none() => {
            matches!(look, Look::There(seen) if seen.kind != Kind::Device)
        }
        _ => false,
    };
    if !is_right {
        return Outcome::Differs(format!("dpkg wrote it, and it is not as {package} has it"));
    }
    let (name, version) = package.split_once(' ').unwrap_or((package, ""));
    let Some(steps) = steps else {
        let (package, after) = (Some(name.to_owned()), Some(version.to_owned()));
        return Outcome::Agrees(Transaction { package, after, ..Transaction::default() });
    };
    let is_it = |step: &&Step| step.package == name && step.after.as_deref() == Some(version);
    match steps.iter().rev().find(is_it) {
        Some(step) => Outcome::Agrees(told(step, asked)),
        None => Outcome::Differs(format!("dpkg wrote it, and its log has no step to {package}")),
    }
}

/// No package has the path: it was one's before, or was there only while files were put in place.
fn unowned(path: &FilePath, look: &Look, steps: Option<&[Step]>, asked: &[Asked]) -> Outcome {
    match look {
        Look::Missing => {}
        _ => return Outcome::Differs(format!("dpkg wrote it, and no package has {path}")),
    }
    match steps {
        None => Outcome::Agrees(Transaction::default()),
        Some([]) => Outcome::Differs("dpkg took it away, and its log has no step".to_owned()),
        Some([first, rest @ ..]) if rest.iter().all(|step| step.package == first.package) => {
            Outcome::Agrees(told(rest.last().unwrap_or(first), asked))
        }
        Some(steps) => {
            let at = steps.last().map(|step| step.at.clone());
            Outcome::Agrees(Transaction { at, ..Transaction::default() })
        }
    }
}

fn told(step: &Step, asked: &[Asked]) -> Transaction {
    let is_of = |it: &&Asked| {
        let name = |full: &String| full.split(':').next() == Some(step.package.as_str());
        it.packages.iter().any(name)
    };
    let asked = asked.iter().rev().find(is_of);
    Transaction {
        package: Some(step.package.clone()),
        before: step.before.clone(),
        after: step.after.clone(),
        at: Some(step.at.clone()),
        command: asked.map(|it| it.command.clone()),
        by: asked.and_then(|it| it.by.clone()),
    }
}

impl Transaction {
    /// Says it on one line. Names are the logs' word, and forge no line.
    pub fn text(&self) -> String {
        let plain = |text: &String| text.escape_default().to_string();
        let mut text = self.package.as_ref().map_or("packages".to_owned(), plain);
        let versions =
            [&self.before, &self.after].map(|it| it.as_ref().map_or("none".to_owned(), plain));
        if self.package.is_some() {
            text.push_str(&format!(" {} -> {}", versions[0], versions[1]));
        }
        text.extend(self.at.iter().map(|at| format!(", {}", plain(at))));
        text.extend(self.command.iter().map(|it| format!(", by {}", plain(it))));
        text.extend(self.by.iter().map(|it| format!(" of {}", plain(it))));
        text
    }
}

#[cfg(test)]
#[path = "transaction/tests.rs"]
mod tests;
