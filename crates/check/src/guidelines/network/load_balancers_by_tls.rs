//! A load balancer that looks into HTTP speaks TLS where clients expect it.

use ringfort_model::reference::Ref;
use ringfort_model::severity::Severity;

use super::balancer::is_balancer;
use crate::fault::Remedy;
use crate::guideline::{Guideline, Judge};
use crate::judgement::Sheet;
use crate::place::{Field, Place};
use crate::scene::Scene;

/// The guideline.
pub static GUIDELINE: Guideline = Guideline {
    id: "network/load-balancers-by-tls",
    title: "A load balancer that looks into HTTP has a certificate for port 443",
    severity: Severity::Medium,
    refs: &[Ref::Docs("concepts/services-networking/service/")],
    doc: include_str!("load_balancers_by_tls.md"),
    judge: Judge::Object(&["Service"], judge),
};

fn judge(service: &Scene<'_>, sheet: &mut Sheet) {
    if !is_balancer(service, sheet) {
        return;
    }
    let spec = service.root.at("spec");
    let annotations = service.metadata.at("annotations");
    let protocol = annotations.entry(PROTOCOL);
    match protocol.word() {
        Field::Is("http" | "https") => {}
        Field::Unreadable => return sheet.unread(&protocol),
        _ => return sheet.spare("it hands on what clients say as it is, in TLS or not"),
    }
    let ports = spec.at("ports");
    if ports.list() == Field::Unreadable {
        return sheet.unread(&ports);
    }
    sheet.spare("it has no port 443");
    for port in ports.items() {
        let number = port.at("port");
        match number.integer() {
            Field::Is(443) => judge_port(&annotations, &port, sheet),
            Field::Is(_) | Field::Absent => {}
            Field::Unreadable => sheet.unread(&number),
        }
    }
}

/// Judges the port that clients speak TLS to: there is a certificate, and it is for this port as well.
fn judge_port(annotations: &Place<'_>, port: &Place<'_>, sheet: &mut Sheet) {
    let (certificate, only) = (annotations.entry(CERTIFICATE), annotations.entry(PORTS));
    let remedy = Remedy::Do("name the certificate for port 443");
    match certificate.word() {
        Field::Is(word) if !word.is_empty() => {}
        Field::Unreadable => return sheet.unread(&certificate),
        _ => return sheet.fail(&certificate, remedy),
    }
    let name = port.at("name");
    let is_among = |it: &str| it == "*" || it == "443" || name.word() == Field::Is(it);
    match (only.word(), name.word()) {
        (Field::Absent, _) => sheet.pass(&certificate),
        (Field::Is(all), _) if all.split(',').any(|it| is_among(it.trim())) => sheet.pass(&only),
        (Field::Unreadable, _) => sheet.unread(&only),
        (_, Field::Unreadable) => sheet.unread(&name),
        _ => sheet.fail(&only, remedy),
    }
}

const PROTOCOL: &str = "service.beta.kubernetes.io/aws-load-balancer-backend-protocol";
const CERTIFICATE: &str = "service.beta.kubernetes.io/aws-load-balancer-ssl-cert";
/// Ports that the certificate is for, if not for all.
const PORTS: &str = "service.beta.kubernetes.io/aws-load-balancer-ssl-ports";
