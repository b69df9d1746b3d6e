//! Makes a blueprint's parts of a draft: writes the files that several controls wrote together,
//! digests what processes read only at their start, and ties items to what they need.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::api_object::Presence;
use ringfort_model::blueprint::Machine;
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::Owner;
use serde_json::{Map, Value, json};

use super::parts::UnitSketch;
use super::place::{CLOSED, PRIVATE};
use super::pod::{PodSketch, Shape, place};
use super::{Component, Document, Draft, DraftFault, Drafted, Mount, Sketch, Stamp, Stamped};
use crate::paths;
use crate::yaml;

/// How strictly needs are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Each must be there.
    All,
    /// Those that are not there are dropped: for a draft that lacks a control on purpose.
    Present,
}

impl Draft<'_> {
    /// Finishes the draft.
    ///
    /// # Errors
    /// All faults that were found while it was written, at once.
    pub fn finish(mut self, needs: Needs) -> Result<Drafted, Vec<DraftFault>> {
        self.admission_file();
        let mut stamps = BTreeSet::new();
        let mut machines = BTreeMap::new();
        let mut put_back = self.put_back.take();
        for (node, mut sketch) in std::mem::take(&mut self.sketches) {
            sketch.documents(&mut stamps);
            sketch.static_pods(&mut stamps);
            let files = put_back.as_mut().map(|wanted| sketch.open_agent(wanted));
            sketch.running_units();
            files.iter().for_each(|files| sketch.list_put_back(files));
            sketch.tie();
            sketch.check_needs(needs, &mut self.faults);
            let machine =
                Machine { role: sketch.role, address: sketch.address, items: sketch.items };
            machines.insert(node, machine);
        }
        if let Some(wanted) = put_back.filter(|_| needs == Needs::All) {
            self.unused_paths(&wanted);
        }
        // Nothing that ringfort makes waits for what somebody else does.
        self.objects.sort_by_key(|object| object.presence != Presence::Made);
        if self.faults.is_empty() {
            Ok(Drafted { machines, objects: self.objects, stamps })
        } else {
            self.faults.dedup();
            Err(self.faults)
        }
    }

    fn admission_file(&mut self) {
        let Some(first) = self.plugins.values().next() else { return };
        let by = first.by;
        let plugin = |(name, plugin): (&&'static str, &Stamped<Value>)| json!({"name": name, "configuration": plugin.value});
        let file = json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AdmissionConfiguration",
            "plugins": self.plugins.iter().map(plugin).collect::<Vec<_>>(),
        });
        let path = format!("{}/admission.yaml", paths::ADMISSION_CONFIG);
        self.sign(by);
        self.control_planes(|at| {
            at.directory(paths::ADMISSION, CLOSED, Owner::ROOT);
            at.directory(paths::ADMISSION_CONFIG, CLOSED, Owner::ROOT);
            at.yaml(&path, &file);
            at.mount(Component::ApiServer, paths::ADMISSION_CONFIG, Mount::Reads);
            at.flag(Component::ApiServer, "--admission-control-config-file", &path);
        });
    }
}

impl Sketch {
    fn documents(&mut self, stamps: &mut BTreeSet<Stamp>) {
        for (document, settings) in std::mem::take(&mut self.settings) {
            let Some(first) = settings.values().next() else { continue };
            let by = first.by.to_owned();
            for (path, setting) in &settings {
                let of = document.path().to_owned();
                stamps.insert(Stamp { of, part: path.clone(), by: setting.by });
            }
            let value = written(document, &settings);
            let text = match document.head() {
                Some(_) => yaml::document(&value),
                None => format!("{value:#}\n"),
            };
            let what = private(Content::Text(text));
            let item = Item { by, needs: BTreeSet::new(), what };
            self.items.insert(ItemId::file(document.path()), item);
        }
    }

    fn static_pods(&mut self, stamps: &mut BTreeSet<Stamp>) {
        for (component, pod) in std::mem::take(&mut self.pods) {
            let Some(Stamped { value: shape, by }) = pod.shape.clone() else { continue };
            for (part, by) in pod.flags.stamps() {
                stamps.insert(Stamp { of: component.name().to_owned(), part, by });
            }
            for (pointer, setting) in &pod.settings {
                let (of, part) = (component.name().to_owned(), (*pointer).to_owned());
                stamps.insert(Stamp { of, part, by: setting.by });
            }
            self.static_pod(component, &pod, &shape, by);
        }
    }

    fn static_pod(&mut self, component: Component, pod: &PodSketch, shape: &Shape, by: &str) {
        let (inputs, reads) = self.pod_inputs(component, pod, shape);
        let text = yaml::document(&pod.write(component, shape, &inputs));
        let mut needs = self.seen_by(pod);
        needs.insert(ItemId::Image(shape.image.clone()));
        let rolling = matches!(component, Component::Etcd | Component::ApiServer)
            .then(|| component.name().to_owned());
        let (mode, owner, content) = (PRIVATE, Owner::ROOT, Content::Text(text));
        let what = What::File { mode, owner, content, rolling };
        let manifest = ItemId::file(component.manifest());
        self.items.insert(manifest.clone(), Item { by: by.to_owned(), needs, what });
        let kubelet = ItemId::unit("kubelet.service");
        self.wishes.entry(kubelet.clone()).or_default().insert(manifest.clone());
        let what = What::Serving {
            probe: shape.probe(),
            inputs,
            process: component.name().to_owned(),
            reads,
        };
        let needs = BTreeSet::from([manifest, kubelet]);
        let serving = ItemId::Serving(component.name().to_owned());
        self.items.insert(serving, Item { by: by.to_owned(), needs, what });
    }

    /// Digests the pod itself and every text that it reads only at its start; names these too.
    fn pod_inputs(
        &self,
        component: Component,
        pod: &PodSketch,
        shape: &Shape,
    ) -> (Digest, BTreeSet<String>) {
        let mut reads = BTreeSet::new();
        let mut all = pod.skeleton(component, shape).to_string();
        let reloads = |path: &str| {
            let mounts = pod.mounts.iter().filter(|(_, mount)| mount.value == Mount::Reloads);
            mounts.map(|(mount, _)| mount).any(|mount| is_below(path, mount))
        };
        for (id, item) in &self.items {
            let (ItemId::File(path), What::File { content: Content::Text(text), .. }) =
                (id, &item.what)
            else {
                continue;
            };
            let mounted = pod.mounts.keys().any(|mount| is_below(path, mount));
            if mounted && !reloads(path) {
                all.push_str(&format!("\n{path} {}", Digest::of(text.as_bytes())));
                reads.insert(path.clone());
            }
        }
        (Digest::of(all.as_bytes()), reads)
    }

    /// Names every item that a pod sees.
    fn seen_by(&self, pod: &PodSketch) -> BTreeSet<ItemId> {
        let sees = |id: &&ItemId| match id {
            ItemId::File(path) | ItemId::Directory(path) => {
                pod.mounts.keys().any(|mount| is_below(path, mount))
            }
            _ => false,
        };
        self.items.keys().filter(sees).cloned().collect()
    }

    fn running_units(&mut self) {
        for (name, unit) in std::mem::take(&mut self.units) {
            let (inputs, reads) = self.unit_inputs(&unit);
            let mut needs = unit.needs;
            needs.extend(unit.reads.iter().map(ItemId::file));
            let item = Item { by: unit.by.to_owned(), needs, what: What::Unit { inputs, reads } };
            self.items.insert(ItemId::unit(name), item);
        }
    }

    fn unit_inputs(&self, unit: &UnitSketch) -> (Digest, BTreeSet<String>) {
        let (mut all, mut reads) = (String::new(), BTreeSet::new());
        for path in unit.reads.iter().collect::<BTreeSet<_>>() {
            let item = self.items.get(&ItemId::file(path));
            let digest = match item.map(|item| &item.what) {
                Some(What::File { content: Content::Text(text), .. }) => {
                    Digest::of(text.as_bytes())
                }
                Some(What::File {
                    content: Content::Bundled { digest, .. } | Content::Secret { digest, .. },
                    ..
                }) => digest.clone(),
                _ => continue,
            };
            all.push_str(&format!("{path} {digest}\n"));
            reads.insert(path.clone());
        }
        (Digest::of(all.as_bytes()), reads)
    }

    /// Adds the needs that follow from what items are: the directory above, the user that owns it,
    /// the key of a certificate; and the wishes that came true.
    fn tie(&mut self) {
        let known: BTreeSet<ItemId> = self.items.keys().cloned().collect();
        let owners: BTreeMap<u32, ItemId> = self
            .items
            .iter()
            .filter_map(|(id, item)| match item.what {
                What::User { owner } => Some((owner.uid, id.clone())),
                _ => None,
            })
            .collect();
        for (id, item) in &mut self.items {
            if let ItemId::File(path) | ItemId::Directory(path) = id {
                item.needs.extend(above(path).map(ItemId::directory).find(|id| known.contains(id)));
            }
            if let What::File { owner, .. } | What::Directory { owner, .. } = &item.what {
                item.needs.extend(owners.get(&owner.uid).cloned());
            }
            if let What::File { content: Content::Issued(request), .. } = &item.what {
                item.needs.insert(ItemId::file(&request.key));
            }
            let wishes = self.wishes.get(id).into_iter().flatten();
            item.needs.extend(wishes.filter(|wish| known.contains(wish)).cloned());
        }
    }

    fn check_needs(&mut self, needs: Needs, faults: &mut Vec<DraftFault>) {
        let known: BTreeSet<ItemId> = self.items.keys().cloned().collect();
        for (id, item) in &mut self.items {
            if needs == Needs::All {
                faults.extend(item.needs.difference(&known).map(|need| DraftFault::NoSuchNeed {
                    item: id.to_string(),
                    by: item.by.clone(),
                    need: need.to_string(),
                }));
            }
            item.needs.retain(|need| known.contains(need));
        }
    }
}

fn written(document: Document, settings: &BTreeMap<String, Stamped<Value>>) -> Value {
    let mut head = Map::new();
    if let Some((api_version, kind)) = document.head() {
        head.insert("apiVersion".to_owned(), api_version.into());
        head.insert("kind".to_owned(), kind.into());
    }
    let mut value = Value::Object(head);
    for (path, setting) in settings {
        place(&mut value, path, setting.value.clone());
    }
    value
}

fn private(content: Content) -> What {
    What::File { mode: PRIVATE, owner: Owner::ROOT, content, rolling: None }
}

pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Lists the directories above a path, the nearest first.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}
