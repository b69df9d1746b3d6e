//! What is shown to the outside leads to what is there.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;
use crate::world::Namespace;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/backends-exist",
    title: "The Service that an Ingress or a route leads to is there",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/gateway/")],
    doc: include_str!("backends_exist.md"),
    judge: Judge::Object(KINDS, judge),
};

const KINDS: &[&str] = &["GRPCRoute", "HTTPRoute", "Ingress", "TCPRoute", "TLSRoute", "UDPRoute"];

fn judge(scene: &Scene<'_>, sheet: &mut Sheet) {
    sheet.spare("it names no Service");
    let spec = scene.root.at("spec");
    let rules = spec.at("rules");
    if matches!(rules.list(), Field::Unreadable) {
        sheet.unread(&rules);
    }
    if scene.object.kind.name != "Ingress" {
        for rule in rules.items() {
            rule.at("backendRefs").items().for_each(|it| judge_reference(scene, &it, sheet));
        }
        return;
    }
    judge_backend(scene, &spec.at("defaultBackend"), sheet);
    for rule in rules.items() {
        let http = rule.at("http");
        for path in http.at("paths").items() {
            judge_backend(scene, &path.at("backend"), sheet);
        }
    }
}

/// Judges a backend of an Ingress. One that is no Service is of a kind of somebody else's.
fn judge_backend(scene: &Scene<'_>, backend: &Place<'_>, sheet: &mut Sheet) {
    let service = backend.at("service");
    match service.value() {
        Field::Absent => {}
        Field::Unreadable => sheet.unread(&service),
        Field::Is(_) => judge_name(scene, &service.at("name"), scene.object.namespace, sheet),
    }
}

/// Judges a reference of a route, which is to a Service where it does not say otherwise.
fn judge_reference(scene: &Scene<'_>, reference: &Place<'_>, sheet: &mut Sheet) {
    let (group, kind) = (reference.at("group"), reference.at("kind"));
    match (group.word().or(""), kind.word().or("Service")) {
        (Field::Is("" | "core"), Field::Is("Service")) => {}
        (Field::Is(_), Field::Is(_)) => return,
        (Field::Is(_), _) => return sheet.unread(&kind),
        _ => return sheet.unread(&group),
    }
    let namespace = reference.at("namespace");
    let within = match namespace.word() {
        Field::Absent => scene.object.namespace,
        Field::Is(name) => Namespace::Said(name),
        Field::Unreadable => return sheet.unread(&namespace),
    };
    judge_name(scene, &reference.at("name"), within, sheet);
}

fn judge_name(scene: &Scene<'_>, place: &Place<'_>, within: Namespace<'_>, sheet: &mut Sheet) {
    let Field::Is(name) = place.word() else { return sheet.unread(place) };
    match scene.objects.find("Service", within, name) {
        Some(_) => sheet.pass(place),
        None => match scene.objects.complete("Service", within) {
            Ok(()) => sheet.fail(place, Remedy::Do("take the backend out, or give the Service")),
            Err(gap) => sheet.missing(place, gap),
        },
    }
}
