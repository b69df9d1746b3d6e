//! All kinds of requests that a policy or a detection tells apart: few enough to look at every one of them.

use std::collections::BTreeSet;

use super::Request;
use crate::caller;
use crate::detection::{Detection, Need, Of, Who};
use crate::engine::{HEALTH, matches};
use crate::event::{ANONYMOUS, Level};
use crate::policy::compile::{CAPPED, QUIET};

/// Users that are told apart, with their groups.
pub const USERS: [(&str, &[&str]); 11] = [
    ("system:apiserver", &["system:masters"]),
    ("system:kube-controller-manager", &["system:authenticated"]),
    ("system:kube-scheduler", &["system:authenticated"]),
    ("system:kube-proxy", &["system:authenticated"]),
    ("system:serviceaccount:kube-system:replicaset-controller", &["system:authenticated"]),
    ("system:serviceaccount:kube-system:made-up", &["system:authenticated"]),
    ("system:node:n1", &["system:nodes", "system:authenticated"]),
    ("made-up", &["system:nodes", "system:authenticated"]),
    ("system:node:made-up", &["system:authenticated"]),
    (ANONYMOUS, &["system:unauthenticated"]),
    ("eve", &["system:authenticated"]),
];

/// What is done; the last stands for verbs of no resource.
pub const VERBS: [&str; 9] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post"];

const NAMESPACES: [&str; 4] = ["", "kube-system", "kube-node-lease", "web"];

const PATHS: [&str; 10] = [
    "/healthz/etcd",
    "/livez",
    "/readyz",
    "/version",
    "/metrics",
    "/api",
    "/openapi/v3",
    "/debug/pprof/heap",
    "/logs/x",
    "/configz",
];

/// Visits every kind of request.
pub fn each(detections: &[&'static Detection], visit: &mut dyn FnMut(&Request<'_>)) {
    let resources = resources(detections);
    for (user, groups) in USERS {
        for verb in VERBS {
            let path =
                |path| Request { user, groups, verb, group: "", resource: "", namespace: "", path };
            PATHS.iter().for_each(|it| visit(&path(it)));
            for (group, resource) in &resources {
                for namespace in NAMESPACES {
                    visit(&Request { user, groups, verb, group, resource, namespace, path: "" });
                }
            }
        }
    }
}

/// All resources that anything names, and some that nothing does.
fn resources(detections: &[&'static Detection]) -> BTreeSet<(&'static str, &'static str)> {
    let mut all = BTreeSet::from([
        ("", "anything"),
        ("", "pods/status"),
        ("apps", "anything"),
        ("apps", "deployments/scale"),
        ("example.com", "secrets"),
        ("example.com", "things/status"),
    ]);
    let needs = detections.iter().flat_map(|detection| detection.needs);
    for need in needs {
        if let Of::Resources(resources) = need.of {
            all.extend(resources);
        }
    }
    all.extend(CAPPED);
    all.extend(QUIET.iter().flat_map(|quiet| quiet.resources));
    all
}

impl Need {
    /// Whether a request is one of those that it is about.
    pub fn covers(&self, request: &Request<'_>) -> bool {
        let is_node =
            request.user.starts_with("system:node:") && request.groups.contains(&"system:nodes");
        let is_component = || is_node || caller::is_component_named(request.user);
        let is_who = match self.who {
            Who::Anyone => true,
            Who::Anonymous => request.user == ANONYMOUS,
            Who::Others => !is_component(),
        };
        let is_verb = self.verbs.is_empty() || self.verbs.contains(&request.verb);
        let is_object = !request.resource.is_empty();
        is_verb
            && match self.of {
                Of::Resources(all) => all.contains(&(request.group, request.resource)),
                Of::AnyResource => is_object,
                Of::Paths(paths) => {
                    !is_object && paths.iter().any(|path| matches(path, request.path))
                }
                Of::Anything => is_object || !HEALTH.iter().any(|path| matches(path, request.path)),
            }
            && is_who
    }
}

/// Says how much a detection needs to be written down of a request.
pub fn needed(detection: &Detection, request: &Request<'_>) -> Level {
    let covering = detection.needs.iter().filter(|need| need.covers(request));
    covering.map(|need| need.level).max().unwrap_or(Level::None)
}

/// Says how much of a resource may be written down at most.
pub fn most(request: &Request<'_>) -> Level {
    match CAPPED.contains(&(request.group, request.resource)) {
        true => Level::Metadata,
        false => Level::RequestResponse,
    }
}
