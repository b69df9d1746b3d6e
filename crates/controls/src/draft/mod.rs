//! A blueprint while controls write it: each flag, setting, file and object carries the id of the
//! control that asked for it, and two that set one thing differently are a fault naming both.
//!
//! Never here: what a cluster should be; only controls know.

mod build;
mod fault;
mod flags;
mod harm;
mod parts;
mod place;
mod pod;
mod put_back;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ringfort_model::addon::Addon;
use ringfort_model::api_object::{ApiObject, Presence};
use ringfort_model::blueprint::{Machine, Role};
use ringfort_model::bundle::{BundleLock, Entry, ImageEntry};
use ringfort_model::certificate::Authority;
use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::name::NodeName;
use ringfort_model::net::Cidr;
use ringfort_model::trust::TrustFacts;
use ringfort_spec::Spec;
use serde_json::Value;

pub use build::Needs;
pub use fault::DraftFault;
pub use parts::{Component, Document, GO_ENVIRONMENT, Leaf, Mount, Unit};
pub use place::Place;
pub use place::{CLOSED, CONFINED, PRIVATE, PROGRAM, PUBLIC, sockets_of};
pub use pod::{INPUTS, Scheme, Shape};

use crate::audit::site::SiteFiles;
use flags::Flags;
use parts::UnitSketch;
use pod::PodSketch;

/// What controls know of a cluster beside its spec.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The public half of its trust.
    pub trust: &'a TrustFacts,
    /// The lock of its bundle.
    pub bundle: &'a BundleLock,
    /// Digest of the ringfort binary that machines run.
    pub ringfort: &'a Digest,
    /// The manifests of its add-ons.
    pub addons: &'a [Addon],
    /// What the site adds to what is looked for in logs.
    pub site: &'a SiteFiles,
}

/// A blueprint while controls write it.
#[derive(Debug)]
pub struct Draft<'a> {
    given: Given<'a>,
    by: &'static str,
    sketches: BTreeMap<NodeName, Sketch>,
    objects: Vec<ApiObject>,
    plugins: BTreeMap<&'static str, Stamped<Value>>,
    put_back: Option<put_back::Wanted>,
    faults: Vec<DraftFault>,
}

/// A finished draft.
#[derive(Debug)]
pub struct Drafted {
    /// Every machine.
    pub machines: BTreeMap<NodeName, Machine>,
    /// Every object of the API, in the order of applying.
    pub objects: Vec<ApiObject>,
    /// Who asked for each part of what several controls write together.
    pub stamps: BTreeSet<Stamp>,
}

/// Says which control asked for a part of something that several controls write together.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stamp {
    /// The component or file.
    pub of: String,
    /// The flag or setting.
    pub part: String,
    /// The control.
    pub by: &'static str,
}

/// A value and the control that asked for it.
#[derive(Clone, Debug)]
struct Stamped<T> {
    value: T,
    by: &'static str,
}

/// One machine while controls write it.
#[derive(Debug)]
struct Sketch {
    role: Role,
    address: IpAddr,
    items: BTreeMap<ItemId, ringfort_model::item::Item>,
    /// Needs that hold only if the item they name is there.
    wishes: BTreeMap<ItemId, BTreeSet<ItemId>>,
    settings: BTreeMap<Document, BTreeMap<String, Stamped<Value>>>,
    pods: BTreeMap<Component, PodSketch>,
    units: BTreeMap<String, UnitSketch>,
}

impl<'a> Draft<'a> {
    /// Begins a draft with every machine of a spec and nothing on them.
    pub fn new(spec: &Spec, given: Given<'a>) -> Self {
        let sketch = |node: &ringfort_spec::Node| Sketch {
            role: node.role,
            address: node.address,
            items: BTreeMap::new(),
            wishes: BTreeMap::new(),
            settings: BTreeMap::new(),
            pods: BTreeMap::new(),
            units: BTreeMap::new(),
        };
        let sketches = spec.nodes.values().map(|node| (node.name.clone(), sketch(node))).collect();
        Self {
            given,
            by: "",
            sketches,
            objects: Vec::new(),
            plugins: BTreeMap::new(),
            put_back: None,
            faults: Vec::new(),
        }
    }

    /// Hands the pen to a control: what is written from here on carries its id.
    pub fn sign(&mut self, control: &'static str) {
        self.by = control;
    }

    /// Gives the public half of the cluster's trust.
    pub fn trust(&self) -> &'a TrustFacts {
        self.given.trust
    }

    /// Gives the digest of the ringfort binary that machines run.
    pub fn ringfort(&self) -> &'a Digest {
        self.given.ringfort
    }

    /// Gives the manifests of the cluster's add-ons.
    pub fn addons(&self) -> &'a [Addon] {
        self.given.addons
    }

    /// Gives what the site adds to what is looked for in logs.
    pub fn site(&self) -> &'a SiteFiles {
        self.given.site
    }

    /// Gives an authority's certificate in PEM; its absence is a fault.
    pub fn authority(&mut self, authority: Authority) -> String {
        let Some(facts) = self.given.trust.authorities.get(&authority) else {
            let what = format!("the certificate of the authority {:?}", authority.common_name());
            self.faults.push(DraftFault::Unknown { what });
            return String::new();
        };
        facts.certificate_pem.clone()
    }

    /// Gives a machine's range of pod addresses; its absence is a fault.
    pub fn pods(&mut self, node: &NodeName) -> Option<Cidr> {
        let range = self.given.trust.pod_ranges.get(node).copied();
        if range.is_none() {
            self.faults.push(DraftFault::Unknown { what: format!("the pod range of {node}") });
        }
        range
    }

    /// Finds a program of the bundle; its absence is a fault.
    pub fn program(&mut self, name: &str) -> Option<&'a Entry> {
        let found = self.given.bundle.file(name);
        if found.is_none() {
            self.faults.push(DraftFault::NotInBundle { name: name.to_owned() });
        }
        found
    }

    /// Finds an image of the bundle; its absence is a fault.
    pub fn image(&mut self, name: &str) -> Option<ImageEntry<'a>> {
        let found = self.given.bundle.image(name);
        if found.is_none() {
            self.faults.push(DraftFault::NotInBundle { name: name.to_owned() });
        }
        found
    }

    /// Takes note of something that cannot be drawn.
    pub fn fault(&mut self, fault: DraftFault) {
        self.faults.push(fault);
    }

    /// Writes on every machine.
    pub fn everywhere(&mut self, write: impl FnMut(&mut Place<'_, 'a>)) {
        self.places(|_| true, write);
    }

    /// Writes on every control plane.
    pub fn control_planes(&mut self, write: impl FnMut(&mut Place<'_, 'a>)) {
        self.places(|role| role == Role::ControlPlane, write);
    }

    fn places(&mut self, of: fn(Role) -> bool, mut write: impl FnMut(&mut Place<'_, 'a>)) {
        let nodes: Vec<NodeName> = self
            .sketches
            .iter()
            .filter(|(_, sketch)| of(sketch.role))
            .map(|(node, _)| node.clone())
            .collect();
        for node in nodes {
            write(&mut Place::new(self, node));
        }
    }

    /// Adds an object of the API.
    pub fn object(&mut self, object: Value) {
        self.add(object, Presence::Made);
    }

    /// Adds fields to an object of the API that a unit of a machine makes when it starts.
    pub fn awaited(&mut self, object: Value, node: &NodeName, unit: ItemId) {
        self.add(object, Presence::Awaited { node: node.clone(), unit });
    }

    fn add(&mut self, object: Value, presence: Presence) {
        let object = ApiObject { by: self.by.to_owned(), object, presence };
        let key = object.key();
        match self.objects.iter().find(|known| known.key() == key) {
            Some(known) if known.object != object.object => {
                let first = known.by.clone();
                self.conflict(key.to_string(), first);
            }
            Some(_) => {}
            None => self.objects.push(object),
        }
    }

    /// Configures an admission plugin of the API servers.
    pub fn plugin(&mut self, name: &'static str, configuration: Value) {
        let by = self.by;
        match self.plugins.get(name) {
            Some(known) if known.value != configuration => {
                let first = known.by.to_owned();
                self.conflict(format!("the admission plugin {name}"), first);
            }
            Some(_) => {}
            None => {
                self.plugins.insert(name, Stamped { value: configuration, by });
            }
        }
    }

    fn conflict(&mut self, what: String, first: String) {
        self.faults.push(DraftFault::Conflict { what, first, second: self.by.to_owned() });
    }
}

impl Sketch {
    fn pod(&mut self, component: Component) -> &mut PodSketch {
        self.pods.entry(component).or_default()
    }

    fn flags(&mut self, component: Component) -> &mut Flags {
        &mut self.pod(component).flags
    }
}
