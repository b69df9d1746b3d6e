//! The least rights that a log justifies: what somebody did, as roles that give it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::caller;
use crate::event::{Event, User};

/// One thing that somebody did, as RBAC is asked about it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Access {
    /// Something was done to an object.
    Object {
        /// Its namespace, empty where it has none.
        namespace: String,
        /// The group of its kind.
        group: String,
        /// The kind, with the part of the object behind a slash.
        resource: String,
        /// Its name, empty where none is named.
        name: String,
        /// What was done.
        verb: String,
    },
    /// A path was asked.
    Path {
        /// The path.
        path: String,
        /// How.
        verb: String,
    },
}

impl Access {
    /// Reads what an event says was done.
    pub fn of(event: &Event<'_>) -> Self {
        let verb = event.verb.to_string();
        let Some(of) = event.object_ref.as_ref().filter(|of| !of.resource.is_empty()) else {
            return Self::Path { path: event.path().to_owned(), verb };
        };
        let resource = match &*of.subresource {
            "" => of.resource.to_string(),
            part => format!("{}/{part}", &*of.resource),
        };
        // Nobody is asked about a name when something is made: it may not be known yet.
        let is_named = !matches!(&*verb, "create" | "list" | "watch" | "deletecollection");
        let name = if is_named || !of.subresource.is_empty() {
            of.name.to_string()
        } else {
            String::new()
        };
        Self::Object {
            namespace: of.namespace.to_string(),
            group: of.group().to_owned(),
            resource,
            name,
            verb,
        }
    }
}

/// What somebody did.
#[derive(Debug, Default)]
pub struct Used {
    accesses: BTreeSet<Access>,
    refused: BTreeSet<Access>,
}

/// Whether what was refused counts as well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// It does.
    Counts,
    /// It does not: who was refused had no right, and a log that holds attempts justifies none.
    Spared,
}

impl Used {
    /// Adds an event, if it is the user's: what somebody did as another is the other's, and that he acted so is his.
    pub fn add(&mut self, user: &str, event: &Event<'_>) {
        if event.response_status.code == 401 {
            return;
        }
        if &*event.user.username == user
            && let Some(other) = &event.impersonated_user
        {
            self.accesses.extend(acting(event, other));
        }
        if &*event.actor().username != user {
            return;
        }
        let is_refused = event.response_status.code == 403
            || event.annotations.value("authorization.k8s.io/decision") == "forbid";
        let of = if is_refused { &mut self.refused } else { &mut self.accesses };
        of.insert(Access::of(event));
    }

    /// Gives everything that roles have to give.
    pub fn wanted(&self, refused: Refused) -> BTreeSet<Access> {
        let also = if refused == Refused::Counts { Some(&self.refused) } else { None };
        self.accesses.iter().chain(also.into_iter().flatten()).cloned().collect()
    }

    /// How many different things were refused.
    pub fn refusals(&self) -> usize {
        self.refused.len()
    }
}

const AUTHENTICATION: &str = "authentication.k8s.io";

/// What somebody needs to act as another as an event shows it: the other's name, and groups that the server does not add
/// by itself. What else is said of the other, the event does not tell apart from what the server says of him.
fn acting(event: &Event<'_>, other: &User<'_>) -> Vec<Access> {
    let constraint = event.impersonation_constraint();
    // By constrained impersonation the kinds are of another group, and what is done is asked for besides.
    let (group, verb) = match constraint {
        "" => ("", "impersonate"),
        constraint => (AUTHENTICATION, constraint),
    };
    let object = |namespace: &str, resource: &str, name: &str| {
        let [namespace, group, resource, name, verb] =
            [namespace, group, resource, name, verb].map(str::to_owned);
        Access::Object { namespace, group, resource, name, verb }
    };
    let account = caller::account(&other.username);
    let node = other.username.strip_prefix("system:node:").filter(|_| !constraint.is_empty());
    let mut needed = vec![match (account, node) {
        (Some((namespace, name)), _) => object(namespace, "serviceaccounts", name),
        (_, Some(node)) => object("", "nodes", node),
        _ => object("", "users", &other.username),
    }];
    let of_accounts = account.map(|(namespace, _)| format!("system:serviceaccounts:{namespace}"));
    let is_added = |name: &str| {
        matches!(name, "system:authenticated" | "system:unauthenticated")
            || (account.is_some() && name == "system:serviceaccounts")
            || of_accounts.as_deref() == Some(name)
            || (node.is_some() && name == "system:nodes")
    };
    let groups = other.groups.iter().filter(|name| !is_added(name));
    needed.extend(groups.map(|name| object("", "groups", name)));
    if let Some(mode) = constraint.strip_prefix("impersonate:") {
        let on = |verb: &str| format!("impersonate-on:{mode}:{verb}");
        needed.push(match Access::of(event) {
            Access::Object { namespace, group, resource, name, verb } => {
                Access::Object { namespace, group, resource, name, verb: on(&verb) }
            }
            Access::Path { path, verb } => Access::Path { path, verb: on(&verb) },
        });
    }
    needed
}

/// Roles with their bindings, and what they give.
#[derive(Debug, Default)]
pub struct Roles {
    /// Rules by namespace; those for everywhere have none.
    rules: BTreeMap<String, Vec<Rule>>,
}

/// A rule of a role.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    paths: Vec<String>,
    verbs: Vec<String>,
}

/// Makes the least roles that give what is wanted.
pub fn least(wanted: &BTreeSet<Access>) -> Roles {
    type Verbs = BTreeSet<String>;
    let mut objects: BTreeMap<&str, BTreeMap<(&str, &str, &str), Verbs>> = BTreeMap::new();
    let mut paths: BTreeMap<&str, Verbs> = BTreeMap::new();
    for access in wanted {
        match access {
            Access::Path { path, verb } => {
                paths.entry(path).or_default().insert(verb.clone());
            }
            Access::Object { namespace, group, resource, name, verb } => {
                let wider = |namespace: &str, name: &str| {
                    let (namespace, name) = (namespace.to_owned(), name.to_owned());
                    let (group, resource, verb) = (group.clone(), resource.clone(), verb.clone());
                    Access::Object { namespace, group, resource, name, verb }
                };
                // What is given for all objects, or everywhere, is not given again for one.
                let given = [wider("", ""), wider(namespace, ""), wider("", name)];
                if !given.iter().any(|it| it != access && wanted.contains(it)) {
                    let of = objects.entry(namespace).or_default();
                    let verbs = of.entry((group, resource, name)).or_default();
                    verbs.insert(verb.clone());
                }
            }
        }
    }
    let mut roles = Roles::default();
    for (namespace, of) in objects {
        roles.rules.insert(namespace.to_owned(), rules(&of));
    }
    let mut by_verbs: BTreeMap<Verbs, Vec<String>> = BTreeMap::new();
    for (path, verbs) in paths {
        by_verbs.entry(verbs).or_default().push(path.to_owned());
    }
    let of_paths = by_verbs.into_iter().map(|(verbs, paths)| Rule {
        paths,
        verbs: verbs.into_iter().collect(),
        ..Rule::default()
    });
    let of_paths: Vec<_> = of_paths.collect();
    if !of_paths.is_empty() {
        roles.rules.entry(String::new()).or_default().extend(of_paths);
    }
    roles
}

/// Puts together what has the same verbs: names of one kind, then kinds of one group that are given alike.
fn rules(of: &BTreeMap<(&str, &str, &str), BTreeSet<String>>) -> Vec<Rule> {
    type Alike<'a> = BTreeMap<(&'a str, &'a str, Vec<String>), Vec<String>>;
    let mut names: Alike<'_> = BTreeMap::new();
    for ((group, resource, name), verbs) in of {
        let key = (*group, *resource, verbs.iter().cloned().collect());
        names.entry(key).or_default().push((*name).to_owned());
    }
    type Kinds<'a> = BTreeMap<(&'a str, Vec<String>, Vec<String>), Vec<String>>;
    let mut kinds: Kinds<'_> = BTreeMap::new();
    for ((group, resource, verbs), mut names) in names {
        // No name is every name, and does not stand beside one.
        if names.iter().any(String::is_empty) && names.len() > 1 {
            names.retain(|name| !name.is_empty());
            let all = (group, vec![String::new()], verbs.clone());
            kinds.entry(all).or_default().push(resource.to_owned());
        }
        kinds.entry((group, names, verbs)).or_default().push(resource.to_owned());
    }
    let rule = |((group, names, verbs), resources): ((&str, Vec<String>, Vec<String>), _)| Rule {
        groups: vec![group.to_owned()],
        resources,
        names: names.into_iter().filter(|name| !name.is_empty()).collect(),
        verbs,
        ..Rule::default()
    };
    kinds.into_iter().map(rule).collect()
}

impl Roles {
    /// Whether they give something, as RBAC decides it.
    pub fn allow(&self, access: &Access) -> bool {
        let namespaces: &[&str] = match access {
            Access::Object { namespace, .. } if !namespace.is_empty() => &["", namespace],
            _ => &[""],
        };
        let rules = namespaces.iter().filter_map(|namespace| self.rules.get(*namespace)).flatten();
        rules.into_iter().any(|rule| rule.allows(access))
    }

    /// Gives everything that they give, one by one.
    pub fn given(&self) -> Vec<Access> {
        let mut given = Vec::new();
        for (namespace, rules) in &self.rules {
            for rule in rules {
                rule.give(namespace, &mut given);
            }
        }
        given
    }

    /// Gives the objects: roles and bindings for a user.
    pub fn objects(&self, user: &str, name: &str) -> Vec<Value> {
        let subject = match caller::account(user) {
            Some((namespace, account)) => {
                json!({"kind": "ServiceAccount", "name": account, "namespace": namespace})
            }
            None => json!({"kind": "User", "apiGroup": RBAC, "name": user}),
        };
        let mut objects = Vec::new();
        for (namespace, rules) in &self.rules {
            let (kind, mut metadata) = ("Role", json!({"name": name, "namespace": namespace}));
            let kind = match namespace.is_empty() {
                true => {
                    metadata = json!({"name": name});
                    "ClusterRole"
                }
                false => kind,
            };
            let version = format!("{RBAC}/v1");
            let rules: Vec<Value> = rules.iter().map(Rule::value).collect();
            objects.push(json!({
                "apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules,
            }));
            objects.push(json!({
                "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name}, "subjects": [subject],
            }));
        }
        objects
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

impl Rule {
    fn allows(&self, access: &Access) -> bool {
        let has = |list: &[String], it: &str| list.iter().any(|one| one == it || one == "*");
        match access {
            Access::Path { path, verb } => {
                let fits = |pattern: &String| crate::engine::matches(pattern, path);
                has(&self.verbs, verb) && self.paths.iter().any(fits)
            }
            Access::Object { group, resource, name, verb, .. } => {
                let part = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
                let is_kind = has(&self.resources, resource)
                    || part.is_some_and(|part| self.resources.contains(&part));
                let is_name = self.names.is_empty() || self.names.contains(name);
                has(&self.verbs, verb) && has(&self.groups, group) && is_kind && is_name
            }
        }
    }

    fn give(&self, namespace: &str, given: &mut Vec<Access>) {
        let every = vec![String::new()];
        let names = if self.names.is_empty() { &every } else { &self.names };
        for verb in &self.verbs {
            for path in &self.paths {
                given.push(Access::Path { path: path.clone(), verb: verb.clone() });
            }
            for (group, resource) in self
                .groups
                .iter()
                .flat_map(|group| self.resources.iter().map(move |it| (group, it)))
            {
                given.extend(names.iter().map(|name| Access::Object {
                    namespace: namespace.to_owned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb: verb.clone(),
                }));
            }
        }
    }

    fn value(&self) -> Value {
        let mut rule = json!({});
        let lists = [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.paths),
            ("verbs", &self.verbs),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            rule[name] = json!(list);
        }
        rule
    }
}
