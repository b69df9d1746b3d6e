//! What each check looks at. A rule finds faults and nothing else: which pods it is asked about, and
//! from which version on, stands in the catalogue.

pub(crate) mod capabilities;
pub(crate) mod host;
pub(crate) mod profiles;
pub(crate) mod user;
pub(crate) mod volumes;

use crate::fault::Fault;
use crate::place::Place;

/// Finds the faults of a pod.
pub(crate) type Rule = fn(&Subject<'_>, &mut Vec<Fault>);

/// A pod or a template of pods, and the minor by whose rules it is judged.
pub(crate) struct Subject<'a> {
    pub(crate) minor: u64,
    pub(crate) annotations: &'a Place<'a>,
    pub(crate) spec: &'a Place<'a>,
    /// What the pod says of its security for all of its containers.
    pub(crate) security: &'a Place<'a>,
}

impl Subject<'_> {
    /// Visits every container: those that come first, those that stay, those for debugging.
    pub(crate) fn each_container(&self, mut visit: impl FnMut(&Place<'_>)) {
        for kind in ["initContainers", "containers", "ephemeralContainers"] {
            self.spec.at(kind).items().for_each(|container| visit(&container));
        }
    }

    /// Visits what every container says of its own security.
    pub(crate) fn each_container_security(&self, mut visit: impl FnMut(&Place<'_>)) {
        self.each_container(|container| visit(&container.at("securityContext")));
    }

    /// Visits what the pod says of its security, then what every container says.
    pub(crate) fn each_security(&self, mut visit: impl FnMut(&Place<'_>)) {
        visit(self.security);
        self.each_container_security(visit);
    }
}
