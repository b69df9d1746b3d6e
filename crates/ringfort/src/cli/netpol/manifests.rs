//! What is seen in manifests: files as `kubectl apply` takes them, and directories of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfort_facts::manifest::{self, Document};
use ringfort_model::network_policy::{Defaults, NOTICE, WIDER_GROUP, WiderKind};
use ringfort_policy::{Place, labels, place, pod, policy, wider, with_name};
use serde_json::{Value, json};

use super::super::Fault;
use super::super::files::{self, Unread};
use super::live;
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
pub fn read(paths: &[PathBuf], defaults: Defaults, of_names: &str) -> Result<Seen, Fault> {
    let (seen, first) = (Seen::new(defaults), BTreeMap::new());
    let mut reader = Reader { seen, first, of_names, notice: None };
    for path in paths {
        for file in files::manifests(path, paths).map_err(Fault::usage)? {
            let text = files::text(&file).map_err(Fault::usage)?;
            let documents = manifest::read(&text).map_err(|error| fault(&file, &error))?;
            for object in documents.iter().flat_map(Document::objects) {
                reader.take(&file, object).map_err(|why| fault(&file, &why))?;
            }
        }
    }
    let mut seen = reader.seen;
    if let Some(told) = reader.notice {
        let mut world = told.world;
        world.namespaces = seen.world.namespaces;
        world.pods = seen.world.pods;
        world.policies = seen.world.policies;
        world.wider = seen.world.wider;
        seen.world = world;
        seen.notes.extend(told.notes);
    }
    seen.complete();
    Ok(seen)
}

fn fault(file: &Path, why: &dyn std::fmt::Display) -> Fault {
    Fault::usage(Unread::of(file, why))
}

struct Reader<'a> {
    seen: Seen,
    /// The namespace of objects that name none.
    of_names: &'a str,
    /// What a cluster says of namespaces without a policy, if its notice is among the files.
    notice: Option<Seen>,
    /// Where each object was seen first.
    first: BTreeMap<(String, Place), (PathBuf, Value)>,
}

impl Reader<'_> {
    fn take(&mut self, file: &Path, object: &Value) -> Result<(), String> {
        let Some(kind) = object["kind"].as_str() else {
            return Err("an object has no kind".to_owned());
        };
        let written = object["apiVersion"].as_str().and_then(|it| it.split_once('/'));
        let (group, version) = written.unwrap_or_default();
        if (group, kind) == ("discovery.k8s.io", "EndpointSlice") {
            return self.slice(file, object);
        }
        let template = WORKLOADS.iter().find(|(it, _)| *it == kind).map(|(_, at)| *at);
        let is_read = matches!(
            (group, kind),
            ("", "Namespace" | "Pod" | "Service") | ("networking.k8s.io", "NetworkPolicy")
        ) || group == WIDER_GROUP
            || (matches!(group, "apps" | "batch") && template.is_some());
        let is_notice = (group, kind) == ("", "ConfigMap")
            && place(object).is_some_and(|it| (it.namespace.as_str(), it.name.as_str()) == NOTICE);
        if !is_read && !is_notice {
            return Ok(());
        }
        let mut place = place(object).ok_or_else(|| format!("a {kind} has no metadata.name"))?;
        let names_none = object.pointer("/metadata/namespace").and_then(Value::as_str).is_none();
        if names_none && kind != "Namespace" && group != WIDER_GROUP {
            self.of_names.clone_into(&mut place.namespace);
        }
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
            "ConfigMap" => {
                let told = live::said(&object["data"]);
                self.notice = Some(told.map_err(|why| format!("ConfigMap {place} {why}"))?);
            }
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

    /// Takes an EndpointSlice. Nobody but its Service needs it, and that finds it by a label: its own name, which the
    /// API server makes up where none is written, says only whether it was seen already.
    fn slice(&mut self, file: &Path, object: &Value) -> Result<(), String> {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or(self.of_names);
        if let Some(name) = text("/metadata/name")
            && self.is_known(file, "EndpointSlice", &Place::new(namespace, name), object)?
        {
            return Ok(());
        }
        self.seen.slice(namespace, object);
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
