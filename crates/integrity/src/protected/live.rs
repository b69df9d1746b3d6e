//! The paths that a running component names: in its flags, in the files that these name, and in its unit. Pure:
//! what has to be read for that is wanted, and is there when it is asked again. Of what files hold only paths are kept,
//! and only from where paths stand.

mod data;
mod keys;
mod mounts;
mod standing;
mod toml;
mod unit;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ringfort_facts::component::Component;
use ringfort_facts::component::command_line::CommandLine;
use ringfort_facts::manifest;
use serde_json::Value;

use super::{Class, Presence, Protected, stake};
use crate::judge::Kind;
use crate::packages::glob;
use crate::path::{FilePath, escape};
use keys::{ADMISSION, AUDIT_LOG, DROP_INS, Keys, SNI};

pub use data::is_usual_data;
pub use mounts::Mounts;
pub use standing::{Standing, standing};

/// The program whose arguments are read beside those of Kubernetes' components.
const RUNTIME: &str = "containerd";

/// What containerd reads where nobody says otherwise, and where it finds networks of pods.
const CONTAINERD: (&str, &str) = ("/etc/containerd/config.toml", "/etc/cni/net.d");
/// How networks of pods are named there.
const NETWORKS: [&str; 3] = [".conf", ".conflist", ".json"];
/// So many files are read for one process.
const MOST_FILES: usize = 64;
/// So many paths of one component are taken.
pub const MOST_PATHS: usize = 256;
/// So much that could not be said is told of one process.
const MOST_GAPS: usize = 32;
/// No path is longer, or lies deeper.
const LONGEST_BYTES: usize = 4095;
const DEEPEST: usize = 32;
/// So many letters are told of what strangers wrote.
const MOST_TOLD: usize = 256;

/// What is there anew after each start: files there are nobody's settings.
const VOLATILE: [&str; 2] = ["/run/", "/var/run/"];
/// What is no file system with files of anybody.
const NOWHERE: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// A process of a component.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Running {
    /// The name of its program.
    pub program: &'static str,
    /// The file that it runs, where that is the machine's.
    pub exe: Option<String>,
    /// Its arguments, the program first.
    pub words: Vec<String>,
    /// The unit of systemd that it runs in, where that is the machine's.
    pub unit: Option<String>,
}

/// What was read for a process so far, by the paths that it names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sight {
    /// Files.
    pub texts: BTreeMap<String, Read>,
    /// Names in directories; of one that is not there, none. Or why they cannot be listed.
    pub names: BTreeMap<String, Result<Vec<String>, String>>,
}

/// What came of reading a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Read {
    /// Its text.
    Text(String),
    /// It is not there, or is none of the machine's.
    Absent,
    /// It cannot be read, and why.
    Unreadable(String),
}

/// Something to be read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Want {
    /// A file.
    Text(String),
    /// The names in a directory.
    Names(String),
}

/// What a process names, as far as that can be said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Named {
    /// Paths as the process sees them.
    pub paths: BTreeMap<FilePath, Mention>,
    /// What has to be read before it can be said.
    pub wants: BTreeSet<Want>,
    /// What could not be said, without anything that the files hold.
    pub gaps: BTreeSet<String>,
}

/// How a path is named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mention {
    /// By what, as in `--config of kubelet`.
    pub by: String,
    /// What that makes of it.
    pub sense: Sense,
}

/// What a path is named as, the strictest last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sense {
    /// A directory of data.
    Data,
    /// A log.
    Log,
    /// A file.
    Plain,
    /// A directory of which each entry counts.
    Holds,
}

impl Mention {
    /// Says what protects a path that is named so, and why nothing can: that it is named may be told all the same.
    pub fn protects(
        &self,
        path: FilePath,
        kind: Option<Kind>,
    ) -> (Protected, Option<&'static str>) {
        let class = match (kind, self.sense) {
            (None | Some(Kind::Directory), Sense::Holds) => Class::Watched,
            (Some(Kind::Directory), _) | (_, Sense::Data) => Class::Kept,
            (_, Sense::Log) => Class::Growing,
            (_, Sense::Plain | Sense::Holds) => Class::Exact,
        };
        let why = unprotected(&path, class, kind);
        let (severity, presence) = (stake(&path), Presence::Optional);
        let (mode, owner, expected) = (None, None, None);
        (Protected { path, class, presence, severity, mode, owner, expected }, why)
    }
}

/// Says why a path cannot be protected as it is named, if it cannot.
fn unprotected(path: &FilePath, class: Class, kind: Option<Kind>) -> Option<&'static str> {
    let is_it = |it: &str| path.as_bytes() == it.trim_end_matches('/').as_bytes();
    let is_below =
        |all: &[&str]| all.iter().any(|it| is_it(it) || path.as_bytes().starts_with(it.as_bytes()));
    if matches!(kind, Some(Kind::Socket | Kind::Fifo | Kind::Device)) {
        return Some("it is no file");
    }
    if is_below(&NOWHERE) || (class != Class::Watched && is_below(&VOLATILE)) {
        return Some("it lies where nothing stays");
    }
    let is_too_wide = match class {
        Class::Watched => keys::is_too_wide(path),
        // Nothing in it is looked at, wherever it lies.
        _ => *path == FilePath::root(),
    };
    is_too_wide.then_some("it is too wide to be watched")
}

/// Finds the program of a name whose arguments are read.
pub fn program(name: &str) -> Option<&'static str> {
    let components = Component::ALL.map(Component::program).into_iter();
    components.chain([RUNTIME]).find(|it| *it == name)
}

/// What strangers wrote, as it may be told: without what is not plain, and no longer than a line.
pub fn told(text: &str) -> String {
    let text = escape(text.as_bytes());
    match text.char_indices().nth(MOST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Says which paths a process names, by what was read for it.
pub fn named_by(running: &Running, sight: &Sight) -> Named {
    let mut reader = Reader { program: running.program, sight, named: Named::default() };
    if let Some(exe) = &running.exe {
        reader.mention(Sense::Plain, exe, &format!("what runs as {}", running.program));
    }
    match Component::ALL.into_iter().find(|it| it.program() == running.program) {
        Some(component) => reader.flags(component, &running.words),
        None => reader.containerd(&running.words),
    }
    if let Some(unit) = &running.unit {
        reader.unit(unit);
    }
    reader.named
}

struct Reader<'a> {
    program: &'a str,
    sight: &'a Sight,
    named: Named,
}

impl<'a> Reader<'a> {
    fn gap(&mut self, why: String) {
        if self.named.gaps.len() < MOST_GAPS {
            self.named.gaps.insert(why);
        }
    }

    fn flags(&mut self, component: Component, words: &[String]) {
        let read = CommandLine::of_process(component, words);
        let Some(line) = read.known().ok().map(|seen| &seen.value) else {
            return self.uncertain(words);
        };
        let Ok(given) = line.counting() else { return self.uncertain(words) };
        for (name, values) in given {
            let Some(sense) = keys::flag(name) else { continue };
            let by = format!("--{name} of {component}");
            if line.given(name).is_err() {
                self.gap(format!("what {by} names is not certain"));
            }
            for value in values.iter().flat_map(|value| files_of(name, value)) {
                if let Some(path) = self.mention(sense, value, &by) {
                    self.follow(component, name, &path);
                }
            }
        }
        for word in &line.unknown {
            let (name, value) = word.split_once('=').unwrap_or((word.as_str(), "/"));
            if value.starts_with('/') {
                let name = told(name);
                self.gap(format!("{name} of {component} is not known here, and may name a file"));
            }
        }
    }

    /// Reads what a flag names, where that names further files.
    fn follow(&mut self, component: Component, name: &str, path: &str) {
        let Some(keys) = keys::document(component, name) else { return };
        match name {
            ADMISSION => self.admission(path, keys),
            DROP_INS => {
                self.each(path, &[".conf"]).iter().for_each(|it| self.document(it, keys));
            }
            _ => self.document(path, keys),
        }
    }

    /// Nothing certain can be said of any flag: what may be the value of one that names a path is taken for it.
    fn uncertain(&mut self, words: &[String]) {
        let program = self.program;
        self.gap(format!("the arguments of {program} cannot be read as its own parser does"));
        let by = format!("the arguments of {program}");
        for (at, word) in words.iter().enumerate().skip(1) {
            let Some(flag) = word.strip_prefix('-') else { continue };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, words.get(at + 1).map(String::as_str)),
            };
            let name = name.trim_start_matches('-').replace('_', "-");
            if let (Some(sense), Some(value)) = (keys::flag(&name), value) {
                for value in files_of(&name, value) {
                    self.mention(sense, value, &by);
                }
            }
        }
    }

    /// Takes a path, and gives it without empty parts; nothing, where it is none.
    fn mention(&mut self, sense: Sense, value: &str, by: &str) -> Option<String> {
        if value.is_empty() {
            return None;
        }
        let (text, path) = match clean(value) {
            Ok(clean) => clean,
            Err(why) => {
                self.gap(format!("a path that {by} names {why}"));
                return None;
            }
        };
        let (is_known, program) = (self.named.paths.contains_key(&path), self.program);
        if !is_known && self.named.paths.len() >= MOST_PATHS {
            self.gap(format!("{program} names more than {MOST_PATHS} paths"));
            return None;
        }
        let mention = Mention { by: by.to_owned(), sense };
        let known = self.named.paths.entry(path).or_insert_with(|| mention.clone());
        if known.sense < sense {
            *known = mention;
        }
        Some(text)
    }

    /// Gives what a file holds, if that was read.
    fn text(&mut self, path: &str) -> Option<&'a str> {
        match self.sight.texts.get(path) {
            Some(Read::Text(text)) => return Some(text),
            Some(Read::Absent) => {}
            Some(Read::Unreadable(why)) => {
                let program = self.program;
                self.gap(format!("{}, which {program} reads: {why}", told(path)));
            }
            None => drop(self.named.wants.insert(Want::Text(path.to_owned()))),
        }
        None
    }

    /// Names the files in a directory whose names end so, as far as they are to be read.
    fn each(&mut self, directory: &str, ends: &[&str]) -> Vec<String> {
        self.files(directory, |name| ends.iter().any(|end| name.ends_with(end)))
    }

    fn files(&mut self, directory: &str, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let directory = directory.trim_end_matches('/');
        let names = match self.sight.names.get(directory) {
            Some(Ok(names)) => names,
            Some(Err(why)) => {
                self.gap(format!("{}, which {} reads: {why}", told(directory), self.program));
                return Vec::new();
            }
            None => {
                self.named.wants.insert(Want::Names(directory.to_owned()));
                return Vec::new();
            }
        };
        let all = names.iter().filter(|name| is_it(name));
        let all: Vec<String> = all.map(|name| format!("{directory}/{name}")).collect();
        if all.len() > MOST_FILES {
            self.gap(format!(
                "{}: no more than {MOST_FILES} files of it are read",
                told(directory)
            ));
        }
        all.into_iter().take(MOST_FILES).collect()
    }

    fn document(&mut self, path: &str, keys: Keys) {
        let by = format!("{} of {}", told(path), self.program);
        for document in self.documents(path) {
            self.walk("", &document, keys, &by);
        }
    }

    fn documents(&mut self, path: &str) -> Vec<Value> {
        let Some(text) = self.text(path) else { return Vec::new() };
        let Ok(documents) = manifest::read(text) else {
            self.gap(format!("{}, which {} reads, is no YAML", told(path), self.program));
            return Vec::new();
        };
        documents.into_iter().map(manifest::Document::into_value).collect()
    }

    fn walk(&mut self, key: &str, value: &Value, keys: Keys, by: &str) {
        match value {
            Value::String(text) => {
                if let Some(sense) = keys(key) {
                    self.mention(sense, text, by);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(key, item, keys, by)),
            Value::Object(fields) => {
                fields.iter().for_each(|(key, it)| self.walk(key, it, keys, by));
            }
            _ => {}
        }
    }

    /// A configuration of admission names further ones, also from its own directory.
    fn admission(&mut self, own: &str, keys: Keys) {
        let by = format!("{} of {}", told(own), self.program);
        for document in self.documents(own) {
            self.walk("", &document, keys, &by);
            let plugins = document["plugins"].as_array().into_iter().flatten();
            for path in plugins.filter_map(|plugin| plugin["path"].as_str()) {
                if let Some(path) = self.mention(Sense::Plain, &beside(own, path), &by) {
                    self.document(&path, keys);
                }
            }
        }
    }

    fn containerd(&mut self, words: &[String]) {
        let own = option(words, &["--config", "-config", "-c"]).unwrap_or(CONTAINERD.0);
        if let Some(root) = option(words, &["--root", "-root"]) {
            self.mention(Sense::Data, root, "--root of containerd");
        }
        let mut networks = BTreeSet::from([CONTAINERD.1.to_owned()]);
        let (mut queue, mut seen) = (VecDeque::from([own.to_owned()]), BTreeSet::new());
        while let Some(path) = queue.pop_front() {
            let by = "the configuration of containerd";
            let Some(path) = self.mention(Sense::Plain, &path, by) else { continue };
            if !seen.insert(path.clone()) {
                continue;
            }
            if seen.len() > MOST_FILES {
                self.gap(format!("containerd: no more than {MOST_FILES} files are read"));
                break;
            }
            let Some(text) = self.text(&path) else { continue };
            let Some(strings) = toml::strings(text) else {
                self.gap(format!("{}, which containerd reads, is no TOML", told(&path)));
                continue;
            };
            for (key, value) in strings {
                match key.as_str() {
                    // What is imported is named one by one.
                    "imports" => queue.extend(self.imports(&path, &value)),
                    _ => networks.extend(self.setting(&path, &key, &value)),
                }
            }
        }
        for directory in networks {
            for path in self.each(&directory, &NETWORKS) {
                self.document(&path, keys::network);
            }
        }
    }

    /// Takes a setting of containerd. Gives the directories in it that hold networks.
    fn setting(&mut self, own: &str, key: &str, value: &str) -> Vec<String> {
        let Some(sense) = keys::containerd(key) else { return Vec::new() };
        let by = format!("{} of containerd", told(own));
        let all: Vec<&str> = match key {
            "config_path" => value.split(':').collect(),
            _ => vec![value],
        };
        // A bare name is looked for among programs.
        let paths = all.into_iter().filter(|path| path.contains('/'));
        let taken: Vec<String> = paths.filter_map(|path| self.mention(sense, path, &by)).collect();
        if key == "conf_dir" { taken } else { Vec::new() }
    }

    /// Names the files that a pattern of containerd's stands for.
    fn imports(&mut self, own: &str, pattern: &str) -> Vec<String> {
        let pattern = beside(own, pattern);
        let Some((directory, name)) = pattern.rsplit_once('/') else { return Vec::new() };
        if !name.contains(WILD) {
            return vec![pattern];
        }
        let own = told(own);
        if directory.contains(WILD) {
            self.gap(format!("{own}: a pattern of directories in its imports is not followed"));
            return Vec::new();
        }
        let by = format!("imports in {own} of containerd");
        let Some(directory) = self.mention(Sense::Holds, directory, &by) else { return Vec::new() };
        self.files(&directory, |it| glob::is_match(name.as_bytes(), it.as_bytes()))
    }

    /// Reads the unit that it runs in, wherever it lies, with what is laid over it.
    fn unit(&mut self, unit: &str) {
        for directory in unit::DIRECTORIES {
            let own = format!("{directory}/{unit}");
            let over = self.each(&format!("{own}.d"), &[".conf"]);
            for path in [vec![own], over].concat() {
                let Some(text) = self.text(&path) else { continue };
                // Other programs make those in `/run` anew all the time.
                if !VOLATILE.iter().any(|it| path.starts_with(it)) {
                    self.mention(Sense::Plain, &path, &format!("the unit of {}", self.program));
                }
                let by = format!("{}, the unit of {}", told(&path), self.program);
                for named in unit::paths(text, self.program) {
                    self.mention(Sense::Plain, &named, &by);
                }
            }
        }
    }
}

const WILD: [char; 3] = ['*', '?', '['];

/// Gives the files in what a flag was given.
fn files_of<'v>(name: &str, value: &'v str) -> Vec<&'v str> {
    match (name, value) {
        // Names of hosts stand behind its two files.
        (SNI, _) => value.split(':').take(1).flat_map(|files| files.split(',')).collect(),
        // It is the API server's word for its own output.
        (AUDIT_LOG, "-") => Vec::new(),
        _ => vec![value],
    }
}

/// Gives what an option was given last.
fn option<'w>(words: &'w [String], names: &[&str]) -> Option<&'w str> {
    let mut given = words.iter().enumerate().filter_map(|(at, word)| match word.split_once('=') {
        Some((name, value)) => names.contains(&name).then_some(value),
        None if names.contains(&word.as_str()) => words.get(at + 1).map(String::as_str),
        None => None,
    });
    given.next_back()
}

/// A path that is meant from the directory of the file that names it.
fn beside(own: &str, path: &str) -> String {
    match own.rsplit_once('/') {
        Some((directory, _)) if !path.starts_with('/') => format!("{directory}/{path}"),
        _ => path.to_owned(),
    }
}

/// A path without empty parts and `.`, or why it is none.
fn clean(text: &str) -> Result<(String, FilePath), &'static str> {
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match text {
        _ if !text.starts_with('/') => Err("is relative, and not followed"),
        _ if text.len() > LONGEST_BYTES => Err("is too long"),
        _ if parts.len() > DEEPEST => Err("lies too deep"),
        _ if parts.contains(&"..") => Err("leads upwards"),
        _ if text.contains(char::REPLACEMENT_CHARACTER) => Err("is no text"),
        _ => {
            let whole = format!("/{}", parts.join("/"));
            let path = FilePath::new(whole.as_bytes()).map_err(|_| "is none")?;
            Ok((whole, path))
        }
    }
}
