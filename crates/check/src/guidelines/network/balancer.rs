//! Which Services are load balancers.

use crate::judgement::Sheet;
use crate::place::Field;
use crate::scene::Scene;

/// Says whether a Service is a load balancer, and writes down why it is not judged where it is none.
pub(super) fn is_balancer(service: &Scene<'_>, sheet: &mut Sheet) -> bool {
    let spec = service.root.at("spec");
    let kind = spec.at("type");
    match kind.word() {
        Field::Is("LoadBalancer") => return true,
        Field::Unreadable => sheet.unread(&kind),
        _ => sheet.spare("it is no load balancer"),
    }
    false
}
