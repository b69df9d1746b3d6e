//! All objects that are judged together, and what may be said of those that are not among them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringfort_model::judgement::Gap;
use ringfort_model::machine::FACTS_GROUP;
use ringfort_policy::{Direction, Labels};
use serde_json::Value;

use crate::cilium;
use crate::closed::Said;
use crate::declared;
use crate::fault::Unreadable;
use crate::kinds::{KINDS, Kind, Scope, group};
use crate::objects::{Found, Named, objects};
use crate::outline::{Known, Outline};
use crate::place::Place;
use crate::texts::Texts;

/// Whether what was not given is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum World {
    /// Everything was given: what is absent is not there.
    Closed,
    /// There may be more.
    Open,
}

/// The objects that are judged together.
#[derive(Debug)]
pub struct Objects<'a> {
    world: World,
    /// The namespace of objects that name none, where it is known.
    usual: Option<&'a str>,
    /// Where all texts come from.
    texts: Texts,
    all: Vec<Object<'a>>,
    by_kind: BTreeMap<&'static str, BTreeMap<Namespace<'a>, Vec<usize>>>,
    by_name: BTreeMap<(&'static str, Namespace<'a>, &'a str), usize>,
    accounts: Accounts<'a>,
    policies: BTreeMap<Namespace<'a>, Vec<Policy>>,
    /// What the cluster says of namespaces without a policy.
    pub(crate) said: Said<'a>,
    unjudged: Vec<Unjudged<'a>>,
    /// Kinds of others that make no pods, by group and name.
    declared: BTreeSet<(&'a str, &'a str)>,
    /// What could not be read, so that anything may be in it.
    unread: Vec<String>,
    /// Kinds of which not all could be listed, and why not.
    unlisted: Vec<(&'static str, Gap)>,
    /// Objects that Kubernetes could not read, by kind: nothing rests on them.
    broken: Vec<(&'static str, String)>,
}

/// Where an object comes from: which of the files that were given, and which document of it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    /// The number of the file.
    pub file: usize,
    /// The number of the document in it.
    pub document: usize,
}

/// An object of a kind that is judged.
#[derive(Debug)]
pub struct Object<'a> {
    /// Where it comes from.
    pub origin: Origin,
    /// The JSON pointer from the document to it.
    pub pointer: String,
    /// What it is.
    pub kind: &'static Kind,
    pub(crate) value: &'a Value,
    pub(crate) namespace: Namespace<'a>,
    /// Where its texts come from.
    pub(crate) texts: Texts,
    /// What it says wrongly of what it is.
    pub(crate) unreadable: Option<Unreadable>,
}

/// The namespace that an object says it is in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Namespace<'a> {
    /// This one.
    Said(&'a str),
    /// None: who applies it chooses one.
    Unsaid,
    /// Nobody can say which.
    Unreadable,
    /// It lives beside all namespaces.
    Beside,
}

/// An object that cannot be judged.
#[derive(Debug)]
pub struct Unjudged<'a> {
    /// Where it comes from.
    pub origin: Origin,
    /// The JSON pointer from the document to what is not understood.
    pub pointer: String,
    /// The kind that it says it is of, if it does.
    pub kind: Option<&'a str>,
    /// Why.
    pub gap: Gap,
    /// What it closes, if it is a network policy of which that is known.
    pub(crate) closing: Option<Arc<cilium::Policy>>,
    /// The group and the name of its kind, if they are said.
    named: Option<(&'a str, &'a str)>,
}

impl<'a> Objects<'a> {
    /// Begins without any. Objects that name no namespace are in the usual one, where it is known.
    pub fn new(world: World, usual: Option<&'a str>) -> Self {
        Self {
            world,
            usual,
            texts: Texts::Written,
            all: Vec::new(),
            by_kind: BTreeMap::new(),
            by_name: BTreeMap::new(),
            accounts: Accounts::default(),
            policies: BTreeMap::new(),
            said: Said::default(),
            unjudged: Vec::new(),
            declared: BTreeSet::new(),
            unread: Vec::new(),
            unlisted: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Says where the texts of all objects come from, before any is added; who does not say it has written ones.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts, ..self }
    }

    /// Adds all objects of a document.
    pub fn add(&mut self, origin: Origin, document: &'a Value) {
        for found in objects(document) {
            let known = Known::of(&found, self.texts);
            self.add_one(origin, found, known);
        }
    }

    /// Adds all objects of a document of which an outline is kept.
    pub fn add_outline(&mut self, origin: Origin, outline: &'a Outline) {
        for (found, known) in objects(&outline.value).into_iter().zip(&outline.known) {
            self.add_one(origin, found, known.clone());
        }
    }

    /// Takes down that something could not be read.
    pub fn add_unread(&mut self, name: String) {
        self.unread.push(name);
    }

    /// Takes down that there may be more of a kind, and why they were not listed.
    pub fn add_unlisted(&mut self, kind: &'static str, gap: Gap) {
        self.unlisted.push((kind, gap));
    }

    /// Takes down that objects of a kind of others make no pods. A network policy stays one.
    pub fn add_podless(&mut self, api_version: &'a str, kind: &'a str) {
        self.declared.insert((group(api_version), kind));
    }

    /// Gives the kinds of which not all were listed, and why not.
    pub(crate) fn unlisted(&self) -> &[(&'static str, Gap)] {
        &self.unlisted
    }

    /// Gives the objects, in the order in which they came.
    pub fn iter(&self) -> std::slice::Iter<'_, Object<'a>> {
        self.all.iter()
    }

    /// Gives one by its number.
    pub fn get(&self, number: usize) -> &Object<'a> {
        &self.all[number]
    }

    /// Gives what cannot be judged. Nothing is asked of what makes no pods, as whoever gave it says.
    pub fn unjudged(&self) -> impl Iterator<Item = &Unjudged<'a>> {
        let is_open =
            move |it: &&Unjudged<'a>| it.named.is_none_or(|named| !self.declared.contains(&named));
        self.unjudged.iter().filter(is_open)
    }

    fn add_one(&mut self, origin: Origin, found: Found<'a>, known: Known) {
        let Found { object: value, pointer, named, unreadable } = found;
        let kind = match named {
            Named::Known(kind) => kind,
            Named::Plain => return,
            Named::Foreign(kind) => {
                self.add_unversioned(kind, value);
                let pointer = format!("{pointer}/kind");
                self.unjudged.push(Unjudged {
                    origin,
                    pointer,
                    kind: Some(kind),
                    gap: foreign(kind, value),
                    closing: known.of_cilium,
                    named: declared::named(kind, value),
                });
                return;
            }
            Named::Unsaid => {
                let Unreadable { pointer, why } = unreadable.unwrap_or_else(|| Unreadable {
                    pointer: pointer.clone(),
                    why: "it does not say what it is".to_owned(),
                });
                let gap = Gap { said: why, closes: "write apiVersion and kind".to_owned() };
                self.unjudged.push(Unjudged {
                    origin,
                    pointer,
                    kind: None,
                    gap,
                    closing: None,
                    named: None,
                });
                return;
            }
        };
        let namespace = self.namespace(kind, value);
        let texts = self.texts;
        let object = Object { origin, pointer, kind, value, namespace, texts, unreadable };
        self.index(&object, known);
        self.all.push(object);
    }

    /// Takes down that an object may be of a kind that is judged: a template is still to fill in its version.
    fn add_unversioned(&mut self, kind: &str, value: &Value) {
        let is_unsaid = value["apiVersion"].as_str().is_some_and(|it| self.texts.is_template(it));
        if let (true, Some(known)) = (is_unsaid, KINDS.iter().find(|it| it.name == kind)) {
            let name = value["metadata"]["name"].as_str().unwrap_or_default();
            self.broken.push((known.name, name.to_owned()));
        }
    }

    /// Makes an object known to those that others of its kind or name decide about.
    fn index(&mut self, object: &Object<'a>, known: Known) {
        let Object { kind, value, namespace, .. } = *object;
        if known.is_broken {
            self.broken.push((kind.name, object.name().to_owned()));
            self.accounts.is_unread |= kind.template.is_some();
            return;
        }
        if kind.name == "Conventions" {
            self.declared.extend(declared::kinds(value));
        }
        let number = self.all.len();
        let of_kind = self.by_kind.entry(kind.name).or_default();
        of_kind.entry(namespace).or_default().push(number);
        if let Some(name) = value["metadata"]["name"].as_str() {
            self.by_name.entry((kind.name, namespace, name)).or_insert(number);
        }
        if let Some(template) = kind.template {
            self.accounts.add((number, namespace), value.pointer(template), self.texts);
        }
        self.said.note((number, kind), value, &known);
        if kind.name == "NetworkPolicy" {
            let policy = Policy { number, read: known.policy };
            self.policies.entry(namespace).or_default().push(policy);
        }
    }

    fn namespace(&self, kind: &Kind, object: &'a Value) -> Namespace<'a> {
        if kind.scope == Scope::Cluster {
            return Namespace::Beside;
        }
        let metadata = &object["metadata"];
        match &metadata["namespace"] {
            Value::String(name) if self.texts.is_template(name) => Namespace::Unreadable,
            Value::String(name) if !name.is_empty() => Namespace::Said(name),
            Value::String(_) | Value::Null if metadata.is_object() || metadata.is_null() => {
                self.usual.map_or(Namespace::Unsaid, Namespace::Said)
            }
            _ => Namespace::Unreadable,
        }
    }

    /// Gives the objects of a kind, each with its number.
    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (usize, &Object<'a>)> {
        let numbers = self.by_kind.get(kind).into_iter().flat_map(BTreeMap::values).flatten();
        numbers.map(|number| (*number, &self.all[*number]))
    }

    /// Visits what its site agreed on, with the number of the object that says so.
    pub(crate) fn each_agreed(&self, mut visit: impl FnMut(usize, &Place<'_>)) {
        for (number, agreed) in self.of_kind("Conventions") {
            let root = agreed.root();
            visit(number, &root.at("spec"));
        }
    }

    /// Gives the objects of a kind in a namespace, each with its number.
    pub(crate) fn within<'n>(
        &'n self,
        kind: &str,
        namespace: Namespace<'n>,
    ) -> impl Iterator<Item = (usize, &'n Object<'a>)> {
        let numbers = self.by_kind.get(kind).and_then(|of_kind| of_kind.get(&namespace));
        numbers.into_iter().flatten().map(|number| (*number, &self.all[*number]))
    }

    /// Finds the object of a kind with a name.
    pub(crate) fn find(
        &self,
        kind: &'static str,
        namespace: Namespace<'_>,
        name: &str,
    ) -> Option<(usize, &Object<'a>)> {
        let number = *self.by_name.get(&(kind, namespace, name))?;
        Some((number, &self.all[number]))
    }

    /// Counts the workloads of a namespace that name an account: how many they are at least, and at most. What one
    /// controller made is one workload; what a controller that was not given made may be of another that was.
    pub(crate) fn users(&self, namespace: Namespace<'_>, account: &str) -> (usize, usize) {
        let numbers = self.accounts.users.get(&(namespace, account));
        let makers: BTreeSet<Maker<'_>> =
            numbers.into_iter().flatten().map(|number| self.maker(*number)).collect();
        let seen = makers.iter().filter(|maker| matches!(maker, Maker::Seen(_))).count();
        (seen.max(usize::from(!makers.is_empty())), makers.len())
    }

    /// Follows controllers to the workload that an object is of.
    fn maker(&self, number: usize) -> Maker<'_> {
        let mut at = number;
        for _ in 0..MOST_MAKERS {
            let object = &self.all[at];
            let Some((version, kind, name)) = controller(object.value) else {
                return Maker::Seen(at);
            };
            let is_known = KINDS.iter().any(|known| known.name == kind && known.is_of(version));
            match self.by_name.get(&(kind, object.namespace, name)) {
                Some(next) if is_known => at = *next,
                _ => return Maker::Unseen(version, kind, name),
            }
        }
        Maker::Seen(at)
    }

    /// Says that no workloads of a namespace name other accounts than those that [`Self::users`] counts.
    ///
    /// # Errors
    /// Nobody can say it: what is missing to say it.
    pub(crate) fn all_pods(&self, namespace: Namespace<'_>) -> Result<(), Gap> {
        for kind in KINDS.iter().filter(|kind| kind.template.is_some()) {
            self.complete(kind.name, namespace)?;
        }
        if self.accounts.is_unread {
            return Err(Gap {
                said: "which account a workload names cannot be read".to_owned(),
                closes: "judge what the template makes".to_owned(),
            });
        }
        self.unjudged().next().map_or(Ok(()), |unjudged| Err(unjudged.gap.clone()))
    }

    /// Gives the network policies of a namespace.
    pub(crate) fn policies<'n>(&'n self, namespace: Namespace<'n>) -> &'n [Policy] {
        let of_namespace = self.policies.get(&namespace);
        of_namespace.map(Vec::as_slice).unwrap_or_default()
    }

    /// Gives a kind of network policy that others enforce, if there is an object of one that is not understood.
    pub(crate) fn foreign_policy(&self) -> Option<&str> {
        let is_known = |it: &Arc<cilium::Policy>| it.is_placed(self.usual);
        let mut unread =
            self.unjudged.iter().filter(|it| !it.closing.as_ref().is_some_and(is_known));
        unread.find_map(|it| it.kind.filter(|kind| kind.contains("NetworkPolicy")))
    }

    /// Whether a policy that others enforce closes a way of pods with these labels.
    pub(crate) fn is_closed_by_others(
        &self,
        namespace: Namespace<'_>,
        labels: &Labels,
        direction: Direction,
    ) -> bool {
        let Namespace::Said(name) = namespace else { return false };
        self.of_others().any(|policy| policy.closes((name, self.usual), labels, direction))
    }

    /// Whether a policy that others enforce is for a namespace.
    pub(crate) fn is_governed_by_others(&self, namespace: Namespace<'_>) -> bool {
        let Namespace::Said(name) = namespace else { return false };
        self.of_others().any(|policy| policy.governs((name, self.usual)))
    }

    fn of_others(&self) -> impl Iterator<Item = &cilium::Policy> {
        self.unjudged.iter().filter_map(|it| it.closing.as_deref())
    }

    /// Says that no more of a kind are in a namespace than [`Self::within`] gives.
    ///
    /// # Errors
    /// Nobody can say it: what is missing to say it.
    pub(crate) fn complete(&self, kind: &str, namespace: Namespace<'_>) -> Result<(), Gap> {
        if self.world == World::Open {
            return Err(Gap {
                said: format!("whether there is another {kind} was not seen: the world is open"),
                closes: format!("give every {kind}, and say --world closed"),
            });
        }
        if let Some(name) = self.unread.first() {
            return Err(Gap {
                said: format!("a {kind} may be in {name}, which cannot be read"),
                closes: format!("put {name} right"),
            });
        }
        if let Some((_, gap)) = self.unlisted.iter().find(|(unlisted, _)| *unlisted == kind) {
            return Err(gap.clone());
        }
        if let Some((_, name)) = self.broken.iter().find(|(broken, _)| *broken == kind) {
            return Err(Gap {
                said: format!("the {kind} {name} is not as Kubernetes reads it"),
                closes: format!("put {name} right"),
            });
        }
        let unsaid = self.unjudged.iter().find(|it| it.kind.is_none());
        if let Some(unsaid) = unsaid {
            return Err(Gap {
                said: format!("an object that does not say what it is may be a {kind}"),
                closes: unsaid.gap.closes.clone(),
            });
        }
        let elsewhere = self.of_kind(kind).find(|(_, object)| match object.namespace {
            Namespace::Unreadable => true,
            // What says no namespace goes where the rest goes that says none.
            Namespace::Unsaid => namespace != Namespace::Unsaid,
            Namespace::Said(_) => {
                namespace == Namespace::Unsaid || namespace == Namespace::Unreadable
            }
            Namespace::Beside => false,
        });
        match elsewhere {
            None if namespace == Namespace::Unreadable => {
                Err(unknown_namespace(kind, "this object"))
            }
            None => Ok(()),
            Some((_, object)) => Err(unknown_namespace(kind, object.name())),
        }
    }
}

/// A network policy.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The number of the object.
    pub(crate) number: usize,
    /// What it says; nothing where that cannot be read.
    pub(crate) read: Option<Arc<ringfort_policy::Policy>>,
}

/// Reads a network policy, if nothing in it is still to be filled in.
pub(crate) fn read_policy(object: &Value, texts: Texts) -> Option<ringfort_policy::Policy> {
    let is_said = !texts.has_template(&object["spec"]);
    is_said.then(|| ringfort_policy::policy(object).ok()).flatten()
}

/// Which accounts workloads name.
#[derive(Debug, Default)]
struct Accounts<'a> {
    /// The numbers of the objects that name each.
    users: BTreeMap<(Namespace<'a>, &'a str), Vec<usize>>,
    /// Whether one cannot be read.
    is_unread: bool,
}

impl<'a> Accounts<'a> {
    fn add(
        &mut self,
        (number, namespace): (usize, Namespace<'a>),
        pod: Option<&'a Value>,
        texts: Texts,
    ) {
        let Some(Value::Object(spec)) = pod.and_then(|pod| pod.get("spec")) else {
            self.is_unread = true;
            return;
        };
        let said = |key| spec.get(key).filter(|name| !name.is_null());
        match said("serviceAccountName").or_else(|| said("serviceAccount")) {
            Some(Value::String(name)) if !texts.is_template(name) => {
                self.users.entry((namespace, name)).or_default().push(number);
            }
            Some(_) => self.is_unread = true,
            None => self.is_unread |= spec.keys().any(|key| texts.is_template(key)),
        }
    }
}

/// The workload that an object is of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Maker<'a> {
    /// One of the objects, by its number.
    Seen(usize),
    /// One that was not given, by its version, its kind and its name.
    Unseen(&'a str, &'a str, &'a str),
}

/// A CronJob makes Jobs that make pods; no chain of controllers that are judged is longer than this.
const MOST_MAKERS: usize = 4;

/// Gives the version, the kind and the name of the controller that made an object, if one did.
fn controller(object: &Value) -> Option<(&str, &str, &str)> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    Some((owner["apiVersion"].as_str()?, owner["kind"].as_str()?, owner["name"].as_str()?))
}

impl<'a> Object<'a> {
    /// Gives the same object with all that it says.
    pub(crate) fn whole<'w>(&self, value: &'w Value) -> Object<'w>
    where
        'a: 'w,
    {
        Object {
            origin: self.origin,
            pointer: self.pointer.clone(),
            kind: self.kind,
            value,
            namespace: self.namespace,
            texts: self.texts,
            unreadable: self.unreadable.clone(),
        }
    }
}

impl Object<'_> {
    /// Gives the place that it is as a whole.
    pub(crate) fn root(&self) -> Place<'_> {
        Place::of(&self.pointer, Some(self.value), self.texts)
    }

    /// Gives its name, or how its name begins; empty where it has none.
    pub fn name(&self) -> &str {
        let metadata = &self.value["metadata"];
        let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str());
        name.unwrap_or_default()
    }

    /// Gives its namespace, where one is known.
    pub fn namespace(&self) -> Option<&str> {
        match self.namespace {
            Namespace::Said(name) => Some(name),
            _ => None,
        }
    }

    /// Gives the namespace that it is, if it is one.
    pub(crate) fn as_namespace(&self) -> Namespace<'_> {
        match self.name() {
            name if self.texts.is_template(name) => Namespace::Unreadable,
            name => Namespace::Said(name),
        }
    }

    /// Gives the JSON pointer from the object to its pod, or to the template of its pods.
    pub fn template(&self) -> Option<&'static str> {
        self.kind.template
    }
}

fn foreign(kind: &str, object: &Value) -> Gap {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    if version.starts_with(FACTS_GROUP) {
        return Gap {
            said: "these are facts of a machine, which are judged apart from manifests".to_owned(),
            closes: "name their file by itself, as JSON: ringfort check FILE".to_owned(),
        };
    }
    Gap {
        said: format!("what {kind} makes is not known: Kubernetes has no such kind by itself"),
        closes: "give what its controller makes of it, or name the kind under kinds of a Conventions if it makes no pods"
            .to_owned(),
    }
}

fn unknown_namespace(kind: &str, name: &str) -> Gap {
    Gap {
        said: format!(
            "in which namespace {name} is cannot be said, so neither whether a {kind} is"
        ),
        closes: "write metadata.namespace, or give --namespace".to_owned(),
    }
}
