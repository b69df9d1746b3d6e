//! Holds what machines told against what was done to them: what was found, and whether who did it is named right.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::attacks::Attack;

/// The most of attacks, in percent, whose writer may be unknown without having been declared so.
const UNKNOWN_PERCENT: usize = 1;

/// Who did something, as an agent told it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Who {
    /// A process, by what it runs, with what its parents run, the nearest first.
    Process { exe: String, parents: Vec<String> },
    /// Nobody knows, for this reason.
    Unknown(String),
}

impl Who {
    fn read(value: &Value) -> Self {
        let process = &value["process"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match process["exe"].as_str() {
            Some(exe) => {
                let parents = process["parents"].as_array().into_iter().flatten();
                Self::Process { exe: exe.to_owned(), parents: parents.map(text).collect() }
            }
            None => Self::Unknown(text(&value["unknown"])),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Process { exe, parents } if parents.is_empty() => format!("by {exe}"),
            Self::Process { exe, parents } => format!("by {exe} < {}", parents.join(" < ")),
            Self::Unknown(why) => format!("by nobody known: {why}"),
        }
    }
}

/// A change, as far as it is judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Change {
    /// Names it on its machine.
    pub(super) id: String,
    /// Where.
    pub(super) path: String,
    /// In what it differs, in the agent's words.
    pub(super) differences: String,
    /// Who did it.
    pub(super) who: Who,
    /// What explains it; nothing does, if absent.
    pub(super) cause: Option<String>,
}

impl Change {
    fn read(value: &Value) -> Option<Self> {
        let difference = |each: &Value| {
            format!(
                "{}: {} -> {}",
                plain(&each["of"]),
                plain(&each["expected"]),
                plain(&each["found"])
            )
        };
        let differences = value["differences"].as_array().into_iter().flatten().map(difference);
        let why = &value["why"];
        Some(Self {
            id: value["id"].as_str()?.to_owned(),
            path: value["path"].as_str()?.to_owned(),
            differences: differences.collect::<Vec<_>>().join(", "),
            who: Who::read(&value["who"]),
            cause: (why != "unexplained").then(|| cause(why)),
        })
    }

    /// Writes it on a line.
    pub(super) fn words(&self) -> String {
        let what = match self.differences.as_str() {
            "" => "written to, or came and went",
            differences => differences,
        };
        let cause = match &self.cause {
            Some(cause) => format!("explained by {cause}"),
            None => "UNEXPLAINED".to_owned(),
        };
        format!("{} ({what}) {}, {cause}", self.path, self.who.words())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Names a cause: a text, or the one key of an object.
fn cause(why: &Value) -> String {
    let explained = &why["explained"];
    let key = explained.as_object().and_then(|it| it.keys().next()).map(String::as_str);
    explained.as_str().or(key).unwrap_or("something that is not understood").to_owned()
}

/// What all machines told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// The changes of each machine.
    pub(super) machines: BTreeMap<String, Vec<Change>>,
    /// The machines of which not everything is known, each with why.
    pub(super) unseen: Vec<String>,
}

/// Changes that are known already, each by its machine and id.
pub(super) type Known = BTreeSet<(String, String)>;

impl Told {
    /// Reads what `ringfort integrity changes --json` wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let mut told = Self::default();
        for of in all["machines"].as_array()? {
            let node = of["node"].as_str()?.to_owned();
            let changes: Option<Vec<Change>> =
                of["changes"].as_array()?.iter().map(Change::read).collect();
            let unseen = of["unseen"].as_str().map(|why| format!("{node}: {why}"));
            told.unseen.extend(unseen);
            told.machines.insert(node, changes?);
        }
        Some(told)
    }

    /// Lists what is known by now.
    pub(super) fn known(&self) -> Known {
        self.each().map(|(node, change)| (node.to_owned(), change.id.clone())).collect()
    }

    /// Leaves what came after.
    pub(super) fn after(&self, known: &Known) -> Self {
        let is_new =
            |node: &str, change: &Change| !known.contains(&(node.to_owned(), change.id.clone()));
        let machines = self.machines.iter().map(|(node, changes)| {
            let new = changes.iter().filter(|change| is_new(node, change)).cloned().collect();
            (node.clone(), new)
        });
        Self { machines: machines.collect(), unseen: self.unseen.clone() }
    }

    /// Gives every change with its machine.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &Change)> {
        self.machines
            .iter()
            .flat_map(|(node, changes)| changes.iter().map(move |change| (node.as_str(), change)))
    }

    /// Writes down each change that nothing explains.
    pub(super) fn unexplained(&self) -> Vec<String> {
        let open = self.each().filter(|(_, change)| change.cause.is_none());
        open.map(|(node, change)| format!("{node} {}", change.words())).collect()
    }

    /// Counts what each cause explains.
    pub(super) fn causes(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for cause in self.each().filter_map(|(_, change)| change.cause.clone()) {
            *counts.entry(cause).or_default() += 1;
        }
        counts
    }
}

/// How well who did something is named, the best first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Writer {
    /// As expected.
    Right,
    /// What the same process ran before or after, or the shell that opened the file, as declared.
    Shell,
    /// Unknown, for a reason that was declared.
    Declared(String),
    /// Unknown.
    Unknown(String),
    /// Somebody else.
    Wrong(String),
}

/// What came of an attack.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Came {
    /// It could not be made.
    NotMade(String),
    /// These of its paths were not told as unexplained, each with what was.
    Missed(Vec<String>),
    /// It was found.
    Found,
}

/// An attack that was judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// The attack.
    pub(super) attack: &'static Attack,
    /// What came of it.
    pub(super) came: Came,
    /// How well who did it is named, at worst; nothing, where nothing was told.
    pub(super) writer: Option<Writer>,
    /// What was told at its paths.
    pub(super) seen: Vec<String>,
}

/// Judges an attack by what its machine told since it was prepared.
pub(super) fn judge(attack: &'static Attack, error: Option<&String>, changes: &[Change]) -> Judged {
    let (mut missed, mut writer, mut seen) = (Vec::new(), None, Vec::new());
    for (path, writers) in attack.tells {
        let at: Vec<&Change> = changes.iter().filter(|it| is_at(path, &it.path)).collect();
        if !at.iter().any(|change| change.cause.is_none()) {
            let causes: Vec<&str> = at.iter().filter_map(|it| it.cause.as_deref()).collect();
            missed.push(match causes.as_slice() {
                [] => format!("{path} was not told"),
                causes => format!("{path} was explained by {}", causes.join(", ")),
            });
        }
        let named = at.iter().map(|change| named(attack, writers, &change.who));
        writer = writer.max(named.max());
        seen.extend(at.iter().map(|change| change.words()));
    }
    let came = match (error, missed.is_empty()) {
        (Some(error), _) => Came::NotMade(error.clone()),
        (None, true) => Came::Found,
        (None, false) => Came::Missed(missed),
    };
    Judged { attack, came, writer, seen }
}

/// Whether a path is the one that is meant; one that ends with `*` means all that begin so.
fn is_at(meant: &str, path: &str) -> bool {
    match meant.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => path == meant,
    }
}

fn named(attack: &Attack, writers: &[&str], who: &Who) -> Writer {
    let (exe, parents) = match who {
        Who::Process { exe, parents } => (exe.trim_end_matches(" (deleted)"), parents),
        Who::Unknown(why) if attack.unknown.iter().any(|it| why.contains(it)) => {
            return Writer::Declared(why.clone());
        }
        Who::Unknown(why) => return Writer::Unknown(why.clone()),
    };
    let is_it = |wanted: &&str| match wanted.starts_with('/') {
        true => exe == *wanted,
        false => file_name(exe) == *wanted,
    };
    if attack.shells.iter().any(is_it) {
        return Writer::Shell;
    }
    if !writers.iter().any(is_it) {
        return Writer::Wrong(exe.to_owned());
    }
    // Of a parent that has ended nothing is said.
    match (attack.parent, parents.first()) {
        (Some(wanted), Some(parent)) if file_name(parent) != wanted => {
            Writer::Wrong(format!("{exe}, begun by {parent}"))
        }
        _ => Writer::Right,
    }
}

fn file_name(path: &str) -> &str {
    path.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default()
}

/// Lists what machines told that is at no path of their attacks: temporary files of editors, and what else attacks
/// did.
pub(super) fn beside(attacks: &[&'static Attack], told: &Told) -> Vec<String> {
    let is_theirs = |node: &str, change: &Change| {
        let on = attacks.iter().filter(|attack| attack.on == node);
        on.flat_map(|attack| attack.tells).any(|(path, _)| is_at(path, &change.path))
    };
    let others = told.each().filter(|(node, change)| !is_theirs(node, change));
    others.map(|(node, change)| format!("{node} {}", change.words())).collect()
}

/// The sums over all attacks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    pub(super) all: usize,
    pub(super) found: usize,
    pub(super) right: usize,
    pub(super) shell: usize,
    pub(super) declared: usize,
    pub(super) unknown: usize,
    pub(super) wrong: usize,
}

impl Sums {
    /// Counts.
    pub(super) fn of(judged: &[Judged]) -> Self {
        let mut sums = Self { all: judged.len(), ..Self::default() };
        for one in judged {
            sums.found += usize::from(one.came == Came::Found);
            match &one.writer {
                Some(Writer::Right) => sums.right += 1,
                Some(Writer::Shell) => sums.shell += 1,
                Some(Writer::Declared(_)) => sums.declared += 1,
                Some(Writer::Unknown(_)) => sums.unknown += 1,
                Some(Writer::Wrong(_)) => sums.wrong += 1,
                None => {}
            }
        }
        sums
    }

    /// Says whether the writers of too many are unknown.
    fn has_many_unknown(&self) -> bool {
        self.unknown * 100 > self.all * UNKNOWN_PERCENT
    }

    fn words(&self) -> String {
        let Self { all, found, right, shell, declared, unknown, wrong } = self;
        format!(
            "{found} of {all} attacks were found; who made them is right for {right}, named by its shell for {shell}, \
             unknown as declared for {declared}, unknown otherwise for {unknown}, wrong for {wrong}"
        )
    }
}

/// Says what is not as it should be: nothing, if all is.
pub(super) fn complaints(judged: &[Judged]) -> Vec<String> {
    let mut all = Vec::new();
    for Judged { attack, came, writer, .. } in judged {
        let name = attack.name();
        match came {
            Came::NotMade(why) => all.push(format!("{name} could not be made: {why}")),
            Came::Missed(paths) => all.push(format!("{name} was not found: {}", paths.join("; "))),
            Came::Found => {}
        }
        if let Some(Writer::Wrong(who)) = writer {
            all.push(format!("{name} is said to be by {who}"));
        }
    }
    let sums = Sums::of(judged);
    if sums.has_many_unknown() {
        let unknown = judged.iter().filter_map(|one| match &one.writer {
            Some(Writer::Unknown(why)) => Some(format!("{} ({why})", one.attack.name())),
            _ => None,
        });
        let unknown: Vec<String> = unknown.collect();
        all.push(format!(
            "by whom is unknown for more than {UNKNOWN_PERCENT} %: {}",
            unknown.join("; ")
        ));
    }
    all
}

/// Writes a row for each attack, and the sums.
pub(super) fn table(judged: &[Judged]) -> String {
    let mut text =
        "| attack | technique | on | what it does | found | by whom |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for Judged { attack, came, writer, .. } in judged {
        let found = match came {
            Came::NotMade(_) => "not made",
            Came::Missed(_) => "**no**",
            Came::Found => "yes",
        };
        let by = match writer {
            None => "nothing was told".to_owned(),
            Some(Writer::Right) => "right".to_owned(),
            Some(Writer::Shell) => "right, its shell".to_owned(),
            Some(Writer::Declared(why)) => format!("unknown as declared: {why}"),
            Some(Writer::Unknown(why)) => format!("unknown: {why}"),
            Some(Writer::Wrong(who)) => format!("**wrong**: {who}"),
        };
        let (name, technique) = (attack.name(), attack.technique.unwrap_or("-"));
        let (on, about) = (attack.on, attack.about);
        text.push_str(&format!("| {name} | {technique} | {on} | {about} | {found} | {by} |\n"));
    }
    text + "\n" + &Sums::of(judged).words() + "\n"
}

#[cfg(test)]
#[path = "judge/tests.rs"]
mod tests;
