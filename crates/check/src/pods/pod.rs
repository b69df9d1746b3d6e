//! A pod of a document, and how it is judged.

use ringfort_model::pod_security::Policy;
use serde_json::Value;

use super::catalogue;
use super::checks::Subject;
use super::judged::Judged;
use crate::fault::Unreadable;
use crate::kinds::Kind;
use crate::place::{Field, Place};
use crate::shape;

/// A Pod, or a template of pods in an object that makes them.
#[derive(Clone)]
pub struct Pod<'a> {
    pub(crate) object: &'a Value,
    pub(crate) pointer: String,
    /// What the object is, where that can be read.
    pub(crate) kind: Option<&'static Kind>,
    /// What the object does not say of itself.
    pub(crate) unreadable: Option<Unreadable>,
}

impl Pod<'_> {
    /// Gives the kind of the object: `Pod`, or that of a workload; empty where it does not say.
    pub fn kind(&self) -> &'static str {
        self.kind.map_or("", |kind| kind.name)
    }

    /// Gives the object's name, or how its name begins; empty where it has none.
    pub fn name(&self) -> &str {
        let metadata = &self.object["metadata"];
        let name = metadata["name"].as_str().or_else(|| metadata["generateName"].as_str());
        name.unwrap_or_default()
    }

    /// Gives the JSON pointer from the document to the object.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Judges it by a policy. Pointers of what is found begin at the document.
    pub fn judge(&self, policy: Policy) -> Judged {
        let mut unreadable: Vec<_> = self.unreadable.iter().cloned().collect();
        let Some((kind, template)) = self.kind.and_then(|kind| Some((kind, kind.template?))) else {
            return Judged { failures: Vec::new(), unreadable };
        };
        let object = Place::new(&self.pointer, Some(self.object));
        shape::check(kind, &object, &mut unreadable);

        let pointer = format!("{}{template}", self.pointer);
        let template = Place::new(&pointer, self.object.pointer(template));
        let (metadata, spec) = (template.at("metadata"), template.at("spec"));
        unreadable.extend(without_containers(&spec));
        let subject = Subject {
            minor: policy.version.applied(),
            annotations: &metadata.at("annotations"),
            spec: &spec,
            security: &spec.at("securityContext"),
        };
        Judged { failures: catalogue::failures(&subject, policy.level), unreadable }
    }
}

/// Says that nothing is there to judge, if it is so. Kubernetes takes no pod without a container.
pub(crate) fn without_containers(spec: &Place<'_>) -> Option<Unreadable> {
    let containers = spec.at("containers");
    let is_without = containers.list().or(&[]) == Field::Is(&[]);
    is_without.then(|| Unreadable {
        pointer: containers.pointer(),
        why: "at least one container must stand here, and there is none".to_owned(),
    })
}
