//! What Kubernetes makes of roles and bindings at its start, which accounts and ConfigMaps it makes besides, and which
//! objects of a cluster are exactly that. A name or a label says nothing: a role or a binding is upstream's own only where
//! it gives the same rights to the same subjects, and is gathered by the same roles, as in one of the minors that are
//! known here. Never here: what people are to set themselves, such as what a namespace lets in.

mod made;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use made::{Called, Users};

pub(crate) use made::{SYSTEM, is_controller};
pub use said::{Sentences, Unlike, sentences};

/// How an object that is called as one of upstream's stands to what API servers make.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It is exactly that.
    Own(Own),
    /// It is not: how it differs, as a part of a sentence.
    Changed(String),
}

/// What is upstream's own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Own {
    /// A role or a binding that API servers make at their start.
    Right,
    /// An account of a controller.
    Account,
    /// A ConfigMap of API servers.
    ConfigMap,
}

/// What was seen of what is called as upstream's, and of who uses it.
#[derive(Debug, Default)]
pub struct Upstream {
    /// What is called as one of upstream's.
    seen: Vec<Seen>,
    /// The rights of roles that others gather, by the label by which they do.
    gathered: BTreeMap<String, Sentences>,
    /// Accounts and ConfigMaps that are called as upstream's.
    called: Vec<Called>,
    users: Users,
}

/// An object that is called as one of upstream's.
#[derive(Debug)]
struct Seen {
    /// What it is told by.
    name: String,
    /// Its kind and its name.
    key: String,
    /// What API servers make that is called so, by minor.
    forms: &'static [Form],
    said: Result<Sentences, Unlike>,
}

/// What API servers of some minors make of an object.
#[derive(Debug)]
struct Form {
    /// The newest of them.
    minor: &'static str,
    said: Sentences,
}

/// The objects, each sentence of a role or a binding on a line below its kind and its name. A line with several words at
/// one place, with commas between, stands for a sentence with each.
pub const TABLE: &str = include_str!("upstream/table.txt");

static UPSTREAM: LazyLock<BTreeMap<&str, Vec<Form>>> = LazyLock::new(|| read(TABLE));

/// Whether an object says exactly what API servers of a minor that is known here make of what is called so. One that
/// gathers others is that only before it has gathered any.
pub(crate) fn is_own(object: &Value) -> bool {
    is_of_a_form(object, |form, said| form == said)
}

/// Whether an object says all that API servers make of what is called so, whatever it says besides.
pub(crate) fn says_own(object: &Value) -> bool {
    is_of_a_form(object, Sentences::is_subset)
}

/// Whether API servers of a minor that is known here give a role to somebody: a role by its kind and its name, and
/// somebody as [`sentences`] says to whom.
pub(crate) fn binds(kind: &str, role: &str, to: &str) -> bool {
    let gives = format!("gives {kind} {role}");
    let mut forms = UPSTREAM.values().flatten();
    forms.any(|form| form.said.contains(&gives) && form.said.contains(to))
}

fn is_of_a_form(object: &Value, holds: impl Fn(&Sentences, &Sentences) -> bool) -> bool {
    let forms = key(object).and_then(|key| UPSTREAM.get(key.as_str()));
    let said = sentences(object).ok();
    forms.zip(said).is_some_and(|(forms, said)| forms.iter().any(|form| holds(&form.said, &said)))
}

impl Upstream {
    /// Takes down an object, which is told by a name.
    pub fn add(&mut self, name: &str, object: &Value) {
        self.users.add(object);
        self.called.extend(Called::of(name, object));
        let Some(key) = key(object) else { return };
        let said = sentences(object);
        // Roles of a namespace are gathered by none.
        let may_be_gathered = said.iter().filter(|_| object["kind"] == "ClusterRole");
        for (label, rights) in may_be_gathered.flat_map(gathered) {
            self.gathered.entry(label.to_owned()).or_default().extend(rights.cloned());
        }
        if let Some(forms) = UPSTREAM.get(key.as_str()) {
            self.seen.push(Seen { name: name.to_owned(), key, forms, said });
        }
    }

    /// Says that there may be pods which were not seen.
    pub fn leave_users_open(&mut self) {
        self.users.is_open = true;
    }

    /// Gives by their names those that are called as upstream's, and how they stand to it. All roles and pods are to be
    /// known by now: what gathers others holds their rights, a binding gives those of its role, whatever it says
    /// itself, and an account serves whoever runs as it.
    pub fn standings(&self) -> BTreeMap<String, Standing> {
        let called = self.called.iter().map(|it| (it.name.clone(), it.standing(&self.users)));
        self.rights().chain(called).collect()
    }

    /// The same of roles and bindings.
    fn rights(&self) -> impl Iterator<Item = (String, Standing)> {
        let standings: Vec<_> = self.seen.iter().map(|it| (it, self.standing(it))).collect();
        let own: BTreeSet<String> = standings
            .iter()
            .filter(|(_, standing)| *standing == Standing::Own(Own::Right))
            .map(|(seen, _)| seen.key.clone())
            .collect();
        let with_role = move |(seen, standing): (&Seen, Standing)| {
            let gives_another = seen.role().is_some_and(|role| !own.contains(&role));
            let standing = match standing {
                Standing::Own(_) if gives_another => Standing::Changed(GIVES_ANOTHER.to_owned()),
                standing => standing,
            };
            (seen.name.clone(), standing)
        };
        standings.into_iter().map(with_role)
    }

    fn standing(&self, seen: &Seen) -> Standing {
        let said = match &seen.said {
            Ok(said) => said,
            Err(unlike) => return Standing::Changed(unlike.to_string()),
        };
        let label = said.iter().find_map(|it| it.strip_prefix("gathers "));
        let others = label.and_then(|label| self.gathered.get(label));
        let differences = seen.forms.iter().rev().map(|form| Difference::of(form, said, others));
        match differences.min_by_key(Difference::count) {
            Some(nearest) if nearest.count() == 0 => Standing::Own(Own::Right),
            Some(nearest) => Standing::Changed(nearest.said(seen.kind())),
            None => Standing::Changed("no API server makes it".to_owned()),
        }
    }
}

const GIVES_ANOTHER: &str = "the role that it gives is not as Kubernetes makes it";

impl Seen {
    fn kind(&self) -> &str {
        self.key.split(' ').next().unwrap_or_default()
    }

    /// Gives the kind and the name of the role that it gives, if it is a binding.
    fn role(&self) -> Option<String> {
        let said = self.said.as_ref().ok()?;
        let gives = said.iter().find_map(|it| it.strip_prefix("gives "))?;
        let namespace = self.key.rsplit(' ').next().and_then(|name| name.split_once('/'));
        Some(match (gives.strip_prefix("Role "), namespace) {
            (Some(role), Some((namespace, _))) => format!("Role {namespace}/{role}"),
            _ => gives.to_owned(),
        })
    }
}

/// Gives the labels by which a role may be gathered, each with the rights that it then gives.
fn gathered(said: &Sentences) -> impl Iterator<Item = (&str, impl Iterator<Item = &String>)> {
    let labels = said.iter().filter_map(|it| it.strip_prefix("labelled "));
    labels.map(move |label| (label, said.iter().filter(|it| it.starts_with("may "))))
}

/// Gives the kind and the name of a role or a binding, with its namespace where it is in one.
fn key(object: &Value) -> Option<String> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").filter(|kind| KINDS.contains(kind))?;
    if text("/apiVersion") != Some(VERSION) {
        return None;
    }
    let name = text("/metadata/name")?;
    Some(match text("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    })
}

const VERSION: &str = "rbac.authorization.k8s.io/v1";
const KINDS: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

/// What an object says otherwise than API servers make it.
struct Difference<'a> {
    minor: &'static str,
    added: Vec<&'a String>,
    missing: Vec<&'a String>,
}

impl<'a> Difference<'a> {
    /// Compares what an object says with a form; what it gathers of others is no difference.
    fn of(form: &'a Form, said: &'a Sentences, others: Option<&Sentences>) -> Self {
        let is_of_others = |it: &&String| others.is_some_and(|others| others.contains(*it));
        Self {
            minor: form.minor,
            added: said.difference(&form.said).filter(|it| !is_of_others(it)).collect(),
            missing: form.said.difference(said).collect(),
        }
    }

    fn count(&self) -> usize {
        self.added.len() + self.missing.len()
    }

    fn said(&self, kind: &str) -> String {
        let parts = [("it adds", &self.added), ("it lacks", &self.missing)];
        let parts = parts.into_iter().filter(|(_, sentences)| !sentences.is_empty());
        let parts: Vec<_> = parts.map(|(how, those)| format!("{how} {}", first(those))).collect();
        format!("this is not the {kind} that Kubernetes {} makes: {}", self.minor, parts.join("; "))
    }
}

/// Quotes the first of many, and counts the rest.
fn first(sentences: &[&String]) -> String {
    let quoted: Vec<_> = sentences.iter().take(FIRST).map(|it| format!("\"{it}\"")).collect();
    match sentences.len().saturating_sub(FIRST) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

const FIRST: usize = 3;

/// Reads the table.
fn read(table: &'static str) -> BTreeMap<&'static str, Vec<Form>> {
    let mut objects: BTreeMap<&str, Vec<Form>> = BTreeMap::new();
    let mut at = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        if let Some(line) = line.strip_prefix(' ') {
            if let Some(form) = objects.get_mut(at).and_then(|forms| forms.last_mut()) {
                form.said.extend(spelled_out(line));
            }
            continue;
        }
        let (key, minors) = split(line);
        let minor = minors.rsplit(' ').next().unwrap_or_default();
        objects.entry(key).or_default().push(Form { minor, said: BTreeSet::new() });
        at = key;
    }
    objects
}

/// Parts a line of the table into the kind with the name, and the minors.
fn split(line: &str) -> (&str, &str) {
    let name = line.find(' ').map_or(line.len(), |at| at + 1);
    let end = line[name..].find(' ').map_or(line.len(), |at| name + at);
    (&line[..end], line[end..].trim_start())
}

/// Spells out a line in which several words stand at one place.
fn spelled_out(line: &str) -> Vec<String> {
    line.split(' ').fold(vec![String::new()], |begun, words| {
        let with = |begun: &String, word: &str| match begun.is_empty() {
            true => word.to_owned(),
            false => format!("{begun} {word}"),
        };
        let each =
            begun.iter().flat_map(|begun| words.split(',').map(move |word| with(begun, word)));
        each.collect()
    })
}

#[cfg(test)]
mod tests;
