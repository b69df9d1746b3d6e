//! Ways to every right that no object shows by itself: who may run pods where an account is that holds it, who may write
//! bindings by one role and bind any role by another. Kept from the roles and bindings that are written.

mod power;
#[cfg(test)]
mod tests;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::power::{ALL, Power};
use self::way::Ways;
use crate::caller;
use crate::node::Node;
use crate::scene::Scene;

/// Somebody who may be given rights.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Who {
    Account { space: String, name: String },
    Group(String),
    User(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { space, name } => write!(f, "account {space}/{name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::User(name) => write!(f, "user {name}"),
        }
    }
}

/// What tells an object from others: its kind, its namespace, its name.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    is_binding: bool,
    space: String,
    name: String,
}

impl Key {
    fn role(space: &str, name: &str) -> Self {
        Self { is_binding: false, space: space.to_owned(), name: name.to_owned() }
    }

    fn binding(space: &str, name: &str) -> Self {
        Self { is_binding: true, ..Self::role(space, name) }
    }

    fn weight(&self) -> usize {
        power::long(&self.space) + power::long(&self.name)
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Object {
    Role(Role),
    Binding { role: Key, subjects: BTreeSet<Who> },
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Role {
    powers: BTreeSet<Power>,
    labels: BTreeMap<String, String>,
    /// Labels of the cluster roles whose rules it takes over.
    gathers: Vec<BTreeMap<String, String>>,
}

/// Roles and bindings as far as they were seen, and who had a way to every right before the last of them.
#[derive(Debug)]
pub(crate) struct Paths {
    /// With when each was seen, but for those that every cluster has.
    objects: BTreeMap<Key, (Option<u64>, Object)>,
    /// The same, the oldest first.
    order: BTreeMap<u64, Key>,
    seen: u64,
    /// How much of them there is.
    held: usize,
    /// Who has a way, where that is known for what there is now.
    known: Option<BTreeSet<Who>>,
}

/// So many powers and subjects are held at most.
const MOST: usize = 1 << 14;
/// So many new ways are named.
const NAMED: usize = 3;
/// The namespace of what every cluster has.
const SYSTEM: &str = "kube-system";

impl Paths {
    /// Begins with what every cluster has, and with what is known of this one.
    pub(crate) fn new(access: Option<&Access>) -> Self {
        let mut objects: BTreeMap<Key, (Option<u64>, Object)> = BTreeMap::new();
        let mut put = |key, object| drop(objects.insert(key, (None, object)));
        for own in power::of_every_cluster() {
            let label = |name: &str| {
                let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
                BTreeMap::from([(label, "true".to_owned())])
            };
            let labels = own.into.map(label).unwrap_or_default();
            let gathers = if own.gathers { vec![label(own.name)] } else { Vec::new() };
            let powers = own.powers.iter().cloned().collect();
            put(Key::role("", own.name), Object::Role(Role { powers, labels, gathers }));
        }
        let masters = Who::Group("system:masters".to_owned());
        let (space, name) = (SYSTEM.to_owned(), power::AGGREGATES.to_owned());
        let aggregates = Who::Account { space, name };
        for (role, who) in [(ALL, masters), (power::AGGREGATES_ROLE, aggregates)] {
            let (key, role) = (Key::binding("", role), Key::role("", role));
            put(key, Object::Binding { role, subjects: BTreeSet::from([who]) });
        }
        let known = access.iter().flat_map(|access| &access.0);
        known.for_each(|(key, object)| put(key.clone(), object.clone()));
        let order = BTreeMap::new();
        Self { objects, order, seen: 0, held: 0, known: None }
    }

    /// Learns what a request wrote or deleted, and says for whom that opens a way to every right. Counts what is forgotten
    /// for want of room.
    pub(crate) fn learn(&mut self, scene: &Scene<'_>, forgotten: &mut u64) -> Option<String> {
        let event = scene.event;
        let (space, is_binding) = (event.namespace(), event.resource().ends_with("bindings"));
        let key = |name: &str| Key { is_binding, ..Key::role(space, name) };
        match &*event.verb {
            // Whether it was only tried, a body says that is not written down: then all is taken for still there.
            "delete" | "deletecollection" if !event.parameters("dryRun").is_empty() => {}
            "delete" => self.forget(&key(event.name())),
            "deletecollection" => {
                // Which of them go, a selector says: then all are taken for still there.
                if !event.request_uri.contains("Selector=") {
                    let is_gone = |it: &&Key| it.is_binding == is_binding && it.space == space;
                    let gone: Vec<Key> = self.objects.keys().filter(is_gone).cloned().collect();
                    gone.iter().for_each(|key| self.forget(key));
                }
            }
            _ => {
                let object = scene.object()?;
                let name = match event.name() {
                    "" => object.along(&["metadata", "name"]).text(),
                    name => name,
                };
                let is_part = scene.stored().is_none();
                let object = Object::read(object, is_binding, space, is_part)?;
                let said = self.write(key(name), object, forgotten);
                // What a run of ringfort gives is what it is meant to give.
                return said.filter(|_| !caller::is_keeper(event));
            }
        }
        None
    }

    /// Writes down an object, and says for whom that opens a way.
    fn write(&mut self, key: Key, object: Object, forgotten: &mut u64) -> Option<String> {
        if self.objects.get(&key).is_some_and(|(_, before)| *before == object) {
            return None;
        }
        let gives = match &object {
            Object::Role(role) => !role.powers.is_empty() || !role.gathers.is_empty(),
            Object::Binding { role, .. } => {
                let mut left = Some(way::MOST_LOOKED);
                let powers = way::powers(&self.objects, role, &mut left);
                !powers.is_empty() || left.is_none()
            }
        };
        if !gives {
            self.keep(key, object, forgotten);
            return None;
        }
        let most = way::MOST_LOOKED;
        let known = self.known.take().unwrap_or_else(|| Ways::of(&self.objects, most).who());
        self.keep(key, object, forgotten);
        let ways = Ways::of(&self.objects, most);
        let new: Vec<&Who> = ways.told().filter(|who| !known.contains(*who)).collect();
        let (named, more) = new.split_at(new.len().min(NAMED));
        let named: Vec<String> = named.iter().map(|who| ways.say(who)).collect();
        let mut now = ways.who();
        if !ways.is_whole() {
            *forgotten += 1;
            // Who was not found may have one still.
            now.extend(known.iter().cloned());
        }
        let more = match more.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        self.known = Some(now);
        (!named.is_empty()).then(|| format!("{}{more}", named.join("; ")))
    }

    fn keep(&mut self, key: Key, object: Object, forgotten: &mut u64) {
        self.forget(&key);
        self.seen += 1;
        self.held += key.weight() + object.weight();
        self.order.insert(self.seen, key.clone());
        self.objects.insert(key, (Some(self.seen), object));
        while self.held > MOST {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            let oldest = oldest.clone();
            self.forget(&oldest);
            *forgotten += 1;
        }
    }

    fn forget(&mut self, key: &Key) {
        let Some((seen, object)) = self.objects.remove(key) else { return };
        self.known = None;
        if let Some(seen) = seen {
            self.order.remove(&seen);
            self.held -= key.weight() + object.weight();
        }
    }
}

impl Object {
    /// Reads it. Of a part of one only what stands there counts, and nothing comes of one that says too little.
    fn read(object: &Node<'_>, is_binding: bool, space: &str, is_part: bool) -> Option<Self> {
        if is_binding {
            let role = object.at("roleRef");
            let of = if role.at("kind").text() == "Role" { space } else { "" };
            let role = Key::role(of, role.at("name").text());
            let subjects = object.at("subjects").items().iter().filter_map(Who::read).collect();
            return (!role.name.is_empty()).then_some(Self::Binding { role, subjects });
        }
        let rules = object.at("rules");
        if is_part && rules.is_null() {
            return None;
        }
        let selectors = object.along(&["aggregationRule", "clusterRoleSelectors"]).items();
        let gathers = selectors.iter().map(|it| labels(it.at("matchLabels")));
        Some(Self::Role(Role {
            powers: power::read(rules),
            labels: labels(object.along(&["metadata", "labels"])),
            gathers: gathers.filter(|it| !it.is_empty()).collect(),
        }))
    }

    fn weight(&self) -> usize {
        let of = |labels: &BTreeMap<String, String>| -> usize {
            labels.iter().map(|(key, value)| 1 + power::long(key) + power::long(value)).sum()
        };
        1 + match self {
            Self::Role(Role { powers, labels, gathers }) => {
                let powers: usize = powers.iter().map(Power::weight).sum();
                powers + of(labels) + gathers.iter().map(of).sum::<usize>()
            }
            Self::Binding { role, subjects } => {
                role.weight() + subjects.iter().map(Who::weight).sum::<usize>()
            }
        }
    }
}

fn labels(of: &Node<'_>) -> BTreeMap<String, String> {
    of.fields().iter().map(|(key, value)| (key.to_string(), value.text().to_owned())).collect()
}

impl Who {
    fn weight(&self) -> usize {
        1 + match self {
            Self::Account { space, name } => power::long(space) + power::long(name),
            Self::Group(name) | Self::User(name) => power::long(name),
        }
    }

    fn read(subject: &Node<'_>) -> Option<Self> {
        let name = subject.at("name").text();
        let account = |space: &str, name: &str| Self::Account {
            space: space.to_owned(),
            name: name.to_owned(),
        };
        match (subject.at("kind").text(), caller::account(name)) {
            ("User", Some((space, name))) => Some(account(space, name)),
            ("User", None) => Some(Self::User(name.to_owned())),
            ("Group", _) => Some(Self::Group(name.to_owned())),
            ("ServiceAccount", _) => Some(account(subject.at("namespace").text(), name)),
            _ => None,
        }
    }
}

/// Roles and bindings that there are, as somebody asked for them.
#[derive(Clone, Debug)]
pub(crate) struct Access(Vec<(Key, Object)>);

impl Access {
    /// Reads a list of them. Nothing comes of what holds none.
    pub(crate) fn of(list: &Node<'_>) -> Option<Self> {
        let one = |object: &Node<'_>| {
            let is_binding = match object.at("kind").text() {
                "ClusterRole" | "Role" => false,
                "ClusterRoleBinding" | "RoleBinding" => true,
                _ => return None,
            };
            let metadata = object.at("metadata");
            let (space, name) = (metadata.at("namespace").text(), metadata.at("name").text());
            let key = Key { is_binding, ..Key::role(space, name) };
            Some((key, Object::read(object, is_binding, space, false)?))
        };
        let all: Vec<_> = list.at("items").items().iter().filter_map(one).collect();
        (!all.is_empty()).then_some(Self(all))
    }
}
