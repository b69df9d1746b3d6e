//! Judges objects by guidelines: one walk over the objects, and every guideline that is about each.

use crate::fault::Unreadable;
use crate::grants;
use crate::guideline::{Guideline, Judge};
use crate::judgement::{Judgement, Missing, Sheet};
use crate::place::Place;
use crate::pods::{Subject, faults, without_containers};
use crate::scene::{PodScene, Scene};
use crate::shape;
use crate::world::{Object, Objects};
use ringfort_model::pod_security::Version;
use serde_json::Value;

/// What comes of judging an object.
#[derive(Debug)]
pub struct Judged {
    /// What could not be read as Kubernetes would have to, so that nothing passes.
    pub unreadable: Vec<Unreadable>,
    /// Each guideline that is about such objects, and what it comes to.
    pub judgements: Vec<(&'static Guideline, Judgement)>,
}

impl Judged {
    /// Whether something that is missing is not just what could not be read of the whole object.
    pub fn is_missing_by_itself(&self, missing: &Missing) -> bool {
        !self
            .unreadable
            .iter()
            .any(|it| it.pointer == missing.pointer && it.why == missing.gap.said)
    }
}

/// Judges an object by guidelines. Its number is where it stands among the objects.
pub fn judge(objects: &Objects<'_>, number: usize, guidelines: &[&'static Guideline]) -> Judged {
    judge_object(objects, objects.get(number), number, guidelines)
}

/// Judges an object of which the others know an outline: its whole is in a document.
pub fn judge_whole(
    objects: &Objects<'_>,
    number: usize,
    document: &Value,
    guidelines: &[&'static Guideline],
) -> Judged {
    let known = objects.get(number);
    match document.pointer(&known.pointer) {
        Some(value) => judge_object(objects, &known.whole(value), number, guidelines),
        None => judge(objects, number, guidelines),
    }
}

/// Judges an object as it would be if it said something else about everything but what it is called.
pub(crate) fn judge_changed(
    objects: &Objects<'_>,
    number: usize,
    object: &Value,
    guidelines: &[&'static Guideline],
) -> Judged {
    judge_object(objects, &objects.get(number).whole(object), number, guidelines)
}

fn judge_object(
    objects: &Objects<'_>,
    object: &Object<'_>,
    number: usize,
    guidelines: &[&'static Guideline],
) -> Judged {
    let root = object.root();
    let mut unreadable: Vec<_> = object.unreadable.iter().cloned().collect();
    shape::check(object.kind, &root, &mut unreadable);
    let scene = Scene { objects, object, root: &root, metadata: &root.at("metadata") };
    let judgements = match object.kind.template {
        Some(template) => of_pod(scene, number, template, guidelines, &mut unreadable),
        None => {
            let judged = |guideline: &&'static Guideline| {
                let mut sheet = Sheet::new(number);
                let is_about = of_object(&scene, guideline, &mut sheet);
                is_about.then(|| (*guideline, sheet.judged(&unreadable)))
            };
            guidelines.iter().filter_map(judged).collect()
        }
    };
    Judged { unreadable, judgements }
}

fn of_pod(
    whole: Scene<'_>,
    number: usize,
    template: &'static str,
    guidelines: &[&'static Guideline],
    unreadable: &mut Vec<Unreadable>,
) -> Vec<(&'static Guideline, Judgement)> {
    let Object { pointer, value, texts, .. } = whole.object;
    let pointer = format!("{pointer}{template}");
    let template = Place::of(&pointer, value.pointer(template), *texts);
    let (metadata, spec) = (template.at("metadata"), template.at("spec"));
    unreadable.extend(without_containers(&spec));
    let (annotations, security) = (metadata.at("annotations"), spec.at("securityContext"));
    let subject = Subject {
        minor: Version::NEWEST,
        annotations: &annotations,
        spec: &spec,
        security: &security,
    };
    let scene = PodScene {
        whole,
        metadata: &metadata,
        annotations: &annotations,
        spec: &spec,
        security: &security,
        subject: &subject,
    };
    let judged = |guideline: &&'static Guideline| {
        let mut sheet = Sheet::new(number);
        match guideline.judge {
            Judge::Standard(id) => by_standard(id, &scene, &mut sheet),
            Judge::Pod(judge) | Judge::Volumes(judge, _) => judge(&scene, &mut sheet),
            Judge::Container(judge) => {
                scene.each_container(|container| judge(&scene, container, &mut sheet));
            }
            Judge::Grants(_) | Judge::Object(..) | Judge::Waiver => {
                if !of_object(&scene.whole, guideline, &mut sheet) {
                    return None;
                }
            }
        }
        Some((*guideline, sheet.judged(unreadable)))
    };
    guidelines.iter().filter_map(judged).collect()
}

/// Judges an object that is looked at as a whole, if the guideline is about such objects.
fn of_object(scene: &Scene<'_>, guideline: &Guideline, sheet: &mut Sheet) -> bool {
    let kind = scene.object.kind.name;
    match guideline.judge {
        Judge::Grants(grants) if matches!(kind, "Role" | "ClusterRole") => {
            grants::judge(grants, scene.root, sheet);
        }
        Judge::Object(kinds, judge) if kinds.contains(&kind) => judge(scene, sheet),
        Judge::Volumes(_, judge) if kind == "PersistentVolume" => judge(scene, sheet),
        _ => return false,
    }
    true
}

/// Judges a pod by a check of the standards. What a template is still to fill in may be right or wrong.
fn by_standard(id: &str, scene: &PodScene<'_>, sheet: &mut Sheet) {
    let Some(faults) = faults(id, scene.subject) else {
        return sheet.spare("the standard spares such pods");
    };
    if faults.is_empty() {
        return sheet.pass(scene.spec);
    }
    for fault in faults {
        match &fault.found {
            Some(found) if scene.spec.texts().is_template(found) => {
                sheet.unread_at(fault.pointer, found);
            }
            _ => sheet.fault(fault),
        }
    }
}
