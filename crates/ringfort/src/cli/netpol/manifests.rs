//! What is seen in manifests: files as `kubectl apply` takes them, and directories of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfort_facts::manifest::{self, Document};
use ringfort_model::network_policy::{Defaults, WIDER_GROUP, WiderKind};
use ringfort_policy::{Place, labels, place, pod, policy, wider, with_name};
use serde_json::{Value, json};

use super::super::Fault;
use super::super::files::{self, Unread};
use super::seen::Seen;

/// Kinds that make pods of a template, and where it stands.
const WORKLOADS: &[(&str, &str)] = &[
    ("CronJob", "/spec/jobTemplate/spec/template"),
    ("DaemonSet", "/spec/template"),
    ("Deployment", "/spec/template"),
    ("Job", "/spec/template"),
    ("ReplicaSet", "/spec/template"),
    ("StatefulSet", "/spec/template"),
];

/// Reads manifests.
///
/// # Errors
/// A file cannot be read, or what it holds is no object of the API or a policy that says nothing.
pub fn read(paths: &[PathBuf], defaults: Defaults) -> Result<Seen, Fault> {
    let mut reader = Reader { seen: Seen::new(defaults), first: BTreeMap::new() };
    for path in paths {
        for file in files::manifests(path).map_err(Fault::usage)? {
            let text = files::text(&file).map_err(Fault::usage)?;
            let documents = manifest::read(&text).map_err(|error| fault(&file, &error))?;
            for object in documents.iter().flat_map(Document::objects) {
                reader.take(&file, object).map_err(|why| fault(&file, &why))?;
            }
        }
    }
    reader.seen.complete();
    Ok(reader.seen)
}

fn fault(file: &Path, why: &dyn std::fmt::Display) -> Fault {
    Fault::usage(Unread::of(file, why))
}

struct Reader {
    seen: Seen,
    /// Where each object was seen first.
    first: BTreeMap<(String, Place), (PathBuf, Value)>,
}

impl Reader {
    fn take(&mut self, file: &Path, object: &Value) -> Result<(), String> {
        let Some(kind) = object["kind"].as_str() else {
            return Err("an object has no kind".to_owned());
        };
        let written = object["apiVersion"].as_str().and_then(|it| it.split_once('/'));
        let (group, version) = written.unwrap_or_default();
        let template = WORKLOADS.iter().find(|(it, _)| *it == kind).map(|(_, at)| *at);
        let is_read = matches!(
            (group, kind),
            ("", "Namespace" | "Pod" | "Service") | ("networking.k8s.io", "NetworkPolicy")
        ) || group == WIDER_GROUP
            || (matches!(group, "apps" | "batch") && template.is_some());
        if !is_read {
            return Ok(());
        }
        let place = place(object).ok_or_else(|| format!("a {kind} has no metadata.name"))?;
        if self.is_known(file, kind, &place, object)? {
            return Ok(());
        }
        let world = &mut self.seen.world;
        match kind {
            _ if group == WIDER_GROUP => {
                let known = WiderKind::of(kind).filter(|kind| kind.best(&[version]).is_some());
                match known.and_then(|kind| wider(kind, object)) {
                    Some((name, policy)) => {
                        world.wider.insert(name, policy);
                    }
                    None => self.seen.wider.push(format!("{kind} {} of {version}", place.name)),
                }
            }
            "Service" => self.seen.service(&place, object),
            "Namespace" => {
                check_labels(object, kind, &place)?;
                let labels = with_name(labels(object), &place.name);
                world.namespaces.insert(place.name, labels);
            }
            "NetworkPolicy" => {
                let policy = policy(object).map_err(|error| error.to_string())?;
                world.policies.insert(place, policy);
            }
            _ => {
                let object = match template {
                    None => object.clone(),
                    Some(at) => of_template(object, at),
                };
                check_labels(&object, kind, &place)?;
                let name = match template {
                    None => place.name,
                    Some(_) => format!("{}/{}", kind.to_ascii_lowercase(), place.name),
                };
                world.pods.insert(Place::new(place.namespace, name), pod(&object));
            }
        }
        Ok(())
    }

    /// Whether the same object was seen already; another one of its name is an error.
    fn is_known(
        &mut self,
        file: &Path,
        kind: &str,
        place: &Place,
        object: &Value,
    ) -> Result<bool, String> {
        let key = (kind.to_owned(), place.clone());
        match self.first.get(&key) {
            None => {
                self.first.insert(key, (file.to_owned(), object.clone()));
                Ok(false)
            }
            Some((_, same)) if same == object => Ok(true),
            Some((first, _)) => Err(format!(
                "{kind} {place} stands in {} already, and says something else there: leave one out",
                first.display()
            )),
        }
    }
}

/// The pod that a workload makes.
fn of_template(object: &Value, at: &str) -> Value {
    let template = object.pointer(at).unwrap_or(&Value::Null);
    json!({"metadata": {"labels": template["metadata"]["labels"]}, "spec": template["spec"]})
}

/// The API server takes only texts; what it would refuse must not count as no label.
fn check_labels(object: &Value, kind: &str, place: &Place) -> Result<(), String> {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    match labels.into_iter().flatten().find(|(_, value)| !value.is_string()) {
        None => Ok(()),
        Some((key, value)) => Err(format!(
            "{kind} {place}: the label {key} is {value}, and labels are texts: put it in quotes"
        )),
    }
}
