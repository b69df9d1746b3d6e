//! Pods of objects that hold any: a pod itself, or the template of whatever makes pods. All kinds of
//! containers are looked at alike.

use crate::node::Node;

/// Groups and resources that hold pods, or parts of them.
pub(crate) const RESOURCES: &[(&str, &str)] = &[
    ("", "pods"),
    ("", "pods/ephemeralcontainers"),
    ("", "podtemplates"),
    ("", "replicationcontrollers"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("batch", "jobs"),
];
/// Resources that hold pods, with what leads to metadata and spec of the pod.
const TEMPLATES: [(&str, &[&str]); 9] = [
    ("pods", &[]),
    ("podtemplates", &["template"]),
    ("replicationcontrollers", &["spec", "template"]),
    ("daemonsets", &["spec", "template"]),
    ("deployments", &["spec", "template"]),
    ("replicasets", &["spec", "template"]),
    ("statefulsets", &["spec", "template"]),
    ("cronjobs", &["spec", "jobTemplate", "spec", "template"]),
    ("jobs", &["spec", "template"]),
];

/// The pod of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod<'n> {
    pub(crate) metadata: &'n Node<'n>,
    pub(crate) spec: &'n Node<'n>,
}

/// Finds the pod in an object of a resource.
pub(crate) fn pod<'n>(resource: &str, object: &'n Node<'n>) -> Option<Pod<'n>> {
    let (_, way) = TEMPLATES.iter().find(|(name, _)| *name == resource)?;
    let template = object.along(way);
    Some(Pod { metadata: template.at("metadata"), spec: template.at("spec") })
}

impl<'n> Pod<'n> {
    /// Gives every container: those that come first, those that stay, those for debugging.
    pub(crate) fn containers(self) -> impl Iterator<Item = &'n Node<'n>> {
        ["initContainers", "containers", "ephemeralContainers"]
            .into_iter()
            .flat_map(move |kind| self.spec.at(kind).items())
    }

    /// Finds the first container that is as asked, and says so with its name.
    pub(crate) fn container(self, is: impl Fn(&Node<'n>) -> bool, said: &str) -> Option<String> {
        let found = self.containers().find(|container| is(container))?;
        Some(format!("container {} {said}", found.at("name").text()))
    }

    /// Gives what a container says of its security, or the pod for all.
    pub(crate) fn security(self, container: &'n Node<'n>, key: &str) -> &'n Node<'n> {
        match container.at("securityContext").at(key) {
            Node::Null => self.spec.at("securityContext").at(key),
            own => own,
        }
    }
}
