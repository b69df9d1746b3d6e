//! The audit policy: which requests an API server writes down, and how much of each. It is compiled from what
//! the detections need, so that no detection waits for events that nobody writes.

pub mod classes;
mod compile;
mod forecast;

use serde_json::{Value, json};

use crate::engine::matches;
use crate::event::{Event, Level, Stage};

use compile::CAPPED;
pub use compile::{blind_spots, compile};
pub use forecast::{Forecast, Sample};

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The rules: the first that fits a request decides.
    pub rules: Vec<Rule>,
    /// The stages that nothing is written of.
    pub omitted: Vec<Stage>,
}

/// One rule. What is empty holds for anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Why it is so.
    pub why: &'static str,
    /// How much is written down.
    pub level: Level,
    /// Users by name.
    pub users: Vec<String>,
    /// Users by group.
    pub groups: Vec<&'static str>,
    /// What is done.
    pub verbs: Vec<&'static str>,
    /// Groups with their resources; without any, all of a group.
    pub resources: Vec<(&'static str, Vec<&'static str>)>,
    /// Namespaces.
    pub namespaces: Vec<&'static str>,
    /// Paths that are no resources.
    pub paths: Vec<&'static str>,
    /// The detections that it is for.
    pub feeds: Vec<&'static str>,
}

/// A detection that is not fed with all that it needs.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Blind {
    /// The detection.
    pub detection: &'static str,
    /// Of what.
    pub resource: String,
    /// Why.
    pub why: &'static str,
}

/// A request, as far as a policy looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks,
    pub user: &'a str,
    /// with the groups.
    pub groups: &'a [&'a str],
    /// What is done.
    pub verb: &'a str,
    /// The group of the resource.
    pub group: &'a str,
    /// The resource, with the part of it behind a slash; empty for a path.
    pub resource: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The path, of what is no resource.
    pub path: &'a str,
}

/// Whether an event is about objects whose bodies are never written down.
pub(crate) fn is_capped(event: &Event<'_>) -> bool {
    let group = event.object_ref.as_ref().map_or("", |of| of.group());
    let is_it = |(of, resource): &(&str, &str)| *of == group && *resource == event.resource();
    CAPPED.iter().any(is_it)
}

impl Policy {
    /// Says how much is written down of a request.
    pub fn level(&self, request: &Request<'_>) -> Level {
        self.rule(request).map_or(Level::None, |(_, rule)| rule.level)
    }

    /// Gives the rule that decides about a request, and its number.
    pub fn rule(&self, request: &Request<'_>) -> Option<(usize, &Rule)> {
        self.rules.iter().enumerate().find(|(_, rule)| rule.fits(request))
    }

    /// Gives it as an API server reads it.
    pub fn value(&self) -> Value {
        let omitted: Vec<_> = self.omitted.iter().map(|stage| json!(stage)).collect();
        let rules: Vec<Value> = self.rules.iter().map(Rule::value).collect();
        json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": omitted,
            "omitManagedFields": true,
            "rules": rules,
        })
    }
}

impl Rule {
    /// A rule that fits everything.
    pub(crate) fn any(level: Level, why: &'static str) -> Self {
        Self {
            why,
            level,
            users: Vec::new(),
            groups: Vec::new(),
            verbs: Vec::new(),
            resources: Vec::new(),
            namespaces: Vec::new(),
            paths: Vec::new(),
            feeds: Vec::new(),
        }
    }

    /// Whether it decides about a request: everything that it names has to fit.
    pub fn fits(&self, request: &Request<'_>) -> bool {
        let is_in = |list: &[&str], what: &str| list.is_empty() || list.contains(&what);
        let is_user = self.users.is_empty() || self.users.iter().any(|user| user == request.user);
        let is_member = self.groups.is_empty()
            || self.groups.iter().any(|group| request.groups.contains(group));
        if !is_user || !is_member || !is_in(&self.verbs, request.verb) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return !request.resource.is_empty()
                && is_in(&self.namespaces, request.namespace)
                && (self.resources.is_empty() || self.names(request.group, request.resource));
        }
        let is_path = || self.paths.iter().any(|path| matches(path, request.path));
        self.paths.is_empty() || (request.resource.is_empty() && is_path())
    }

    fn names(&self, group: &str, resource: &str) -> bool {
        let is_it = |(of, names): &(&str, Vec<&str>)| {
            *of == group && (names.is_empty() || names.contains(&resource))
        };
        self.resources.iter().any(is_it)
    }

    fn value(&self) -> Value {
        let mut rule = json!({"level": self.level.to_string()});
        if !self.users.is_empty() {
            rule["users"] = json!(self.users);
        }
        let lists = [
            ("userGroups", &self.groups),
            ("verbs", &self.verbs),
            ("namespaces", &self.namespaces),
            ("nonResourceURLs", &self.paths),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            rule[name] = json!(list);
        }
        if !self.resources.is_empty() {
            let resource = |(group, names): &(&str, Vec<&str>)| match names.as_slice() {
                [] => json!({"group": group}),
                names => json!({"group": group, "resources": names}),
            };
            rule["resources"] = self.resources.iter().map(resource).collect();
        }
        rule
    }
}
