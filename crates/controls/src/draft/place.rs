//! One machine as a control sees it while it writes.

use std::net::IpAddr;

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::{Authority, CertRequest};
use ringfort_model::content::Content;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::name::NodeName;
use ringfort_model::net::Family;
use serde_json::Value;

use super::flags::Join;
use super::parts::UnitSketch;
use super::{Component, Document, Draft, Leaf, Mount, Shape, Sketch, Stamped, Unit};
use crate::paths;
use crate::yaml;

/// One machine of a draft.
#[derive(Debug)]
pub struct Place<'d, 'a> {
    draft: &'d mut Draft<'a>,
    node: NodeName,
}

/// Only the owner reads and writes.
pub const PRIVATE: FileMode = FileMode(0o600);
/// Everybody reads.
pub const PUBLIC: FileMode = FileMode(0o644);
/// Everybody reads and runs.
pub const PROGRAM: FileMode = FileMode(0o755);
/// Only the owner enters.
pub const CLOSED: FileMode = FileMode(0o700);
/// What units are kept from that need no capability, no device and no home, and what their files end with.
pub const CONFINED: &str = "\
UMask=0077
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
";

/// Names, as systemd does, the sockets by which an address is spoken to.
pub fn sockets_of(address: IpAddr) -> &'static str {
    match Family::of(address) {
        Family::V4 => "AF_INET",
        Family::V6 => "AF_INET6",
    }
}

impl<'d, 'a> Place<'d, 'a> {
    pub(super) fn new(draft: &'d mut Draft<'a>, node: NodeName) -> Self {
        Self { draft, node }
    }

    /// Gives the machine's name.
    pub fn name(&self) -> &NodeName {
        &self.node
    }

    /// Gives the machine's part in the cluster.
    pub fn role(&self) -> Role {
        self.draft.sketches[&self.node].role
    }

    /// Gives the machine's address.
    pub fn address(&self) -> IpAddr {
        self.draft.sketches[&self.node].address
    }

    /// Gives the draft, for what is not of one machine.
    pub fn draft(&mut self) -> &mut Draft<'a> {
        self.draft
    }

    fn sketch(&mut self) -> &mut Sketch {
        self.draft.sketches.get_mut(&self.node).expect("a place is made for a machine of the draft")
    }

    /// Adds an item.
    pub fn item(&mut self, id: ItemId, what: What, needs: impl IntoIterator<Item = ItemId>) {
        let by = self.draft.by;
        let item = Item { by: by.to_owned(), needs: needs.into_iter().collect(), what };
        let known = self.sketch().items.get(&id).cloned();
        match known {
            Some(known) if known.what != item.what => self.draft.conflict(id.to_string(), known.by),
            Some(_) => {}
            None => {
                self.sketch().items.insert(id, item);
            }
        }
    }

    /// Makes an item wait for another, if both are there in the end.
    pub fn after(&mut self, item: ItemId, other: ItemId) {
        self.sketch().wishes.entry(item).or_default().insert(other);
    }

    /// Adds a user that logs in nowhere.
    pub fn user(&mut self, name: &str, owner: Owner) {
        self.item(ItemId::User(name.to_owned()), What::User { owner }, []);
    }

    /// Adds a kernel setting.
    pub fn sysctl(&mut self, name: &str, value: &str) {
        let what = What::Sysctl { value: value.to_owned() };
        self.item(ItemId::Sysctl(name.to_owned()), what, []);
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str, mode: FileMode, owner: Owner) {
        self.item(ItemId::directory(path), What::Directory { mode, owner }, []);
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: FileMode, owner: Owner, content: Content) {
        let what = What::File { mode, owner, content, rolling: None };
        self.item(ItemId::file(path), what, []);
    }

    /// Adds a text file of root's.
    pub fn text(&mut self, path: &str, mode: FileMode, text: impl Into<String>) {
        self.file(path, mode, Owner::ROOT, Content::Text(text.into()));
    }

    /// Adds a YAML file that only root reads.
    pub fn yaml(&mut self, path: &str, value: &Value) {
        self.text(path, PRIVATE, yaml::document(value));
    }

    /// Adds a program of the bundle.
    pub fn program(&mut self, directory: &str, name: &str) {
        if let Some(entry) = self.draft.program(name) {
            let content = Content::Bundled { name: name.to_owned(), digest: entry.sha256.clone() };
            self.file(&format!("{directory}/{name}"), PROGRAM, Owner::ROOT, content);
        }
    }

    /// Adds an image of the bundle.
    pub fn image(&mut self, name: &str) {
        if let Some(image) = self.draft.image(name) {
            let what = What::Image {
                name: name.to_owned(),
                archive: image.archive.sha256.clone(),
                manifest: image.manifest.clone(),
            };
            let runtime = ItemId::unit("containerd.service");
            self.item(ItemId::Image(image.reference.to_owned()), what, [runtime]);
        }
    }

    /// Adds the certificate of an authority.
    pub fn authority(&mut self, path: &str, authority: Authority) {
        let pem = self.draft.authority(authority);
        self.text(path, PUBLIC, pem);
    }

    /// Adds a certificate and its key.
    pub fn leaf(&mut self, leaf: Leaf<'_>) {
        let key = format!("{}.key", leaf.stem);
        self.file(&key, PRIVATE, leaf.owner, Content::PrivateKey);
        let request = CertRequest {
            authority: leaf.authority,
            subject: leaf.subject,
            usages: leaf.usages.iter().copied().collect(),
            names: leaf.names,
            key,
        };
        self.file(&format!("{}.crt", leaf.stem), PUBLIC, leaf.owner, Content::Issued(request));
    }

    /// Adds a unit: its file, and that it runs.
    pub fn unit(&mut self, unit: Unit<'_>) {
        let path = format!("{}/{}", paths::UNITS, unit.name);
        // CIS 4.1.1 asks it of kubelet's, and nobody but systemd reads the others.
        self.text(&path, PRIVATE, unit.text);
        let reads = unit.reads.iter().map(|path| (*path).to_owned()).chain([path]).collect();
        let sketch =
            UnitSketch { by: self.draft.by, reads, needs: unit.needs.into_iter().collect() };
        self.sketch().units.insert(unit.name.to_owned(), sketch);
    }

    /// Says what else a unit reads only at its start.
    pub fn unit_reads(&mut self, unit: &str, path: &str) {
        if let Some(unit) = self.sketch().units.get_mut(unit) {
            unit.reads.push(path.to_owned());
        }
    }

    /// Sets one setting of a document, by its path in it, such as `authentication/anonymous`.
    pub fn set(&mut self, document: Document, path: &str, value: impl Into<Value>) {
        let (by, value) = (self.draft.by, value.into());
        let settings = self.sketch().settings.entry(document).or_default();
        match settings.get(path) {
            Some(known) if known.value != value => {
                let (what, first) = (format!("{path} in {}", document.path()), known.by.to_owned());
                self.draft.conflict(what, first);
            }
            Some(_) => {}
            None => {
                settings.insert(path.to_owned(), Stamped { value, by });
            }
        }
    }

    /// Says that a component runs here as a static pod.
    pub fn pod(&mut self, component: Component, shape: Shape) {
        let by = self.draft.by;
        self.sketch().pod(component).shape = Some(Stamped { value: shape, by });
    }

    /// Sets a part of a component's pod by its JSON pointer.
    pub fn pod_set(&mut self, component: Component, pointer: &'static str, value: Value) {
        let by = self.draft.by;
        self.sketch().pod(component).settings.insert(pointer, Stamped { value, by });
    }

    /// Lets a component see something of the machine.
    pub fn mount(&mut self, component: Component, path: &str, mount: Mount) {
        let by = self.draft.by;
        let mounts = &mut self.sketch().pod(component).mounts;
        mounts.insert(path.to_owned(), Stamped { value: mount, by });
    }

    /// Sets a flag of a component.
    #[expect(clippy::needless_pass_by_value, reason = "texts, numbers and booleans alike")]
    pub fn flag(&mut self, component: Component, name: &'static str, value: impl ToString) {
        self.give(component, name, Join::Alone, value.to_string());
    }

    /// Adds to a flag whose values stand behind each other with commas.
    #[expect(clippy::needless_pass_by_value, reason = "texts, numbers and booleans alike")]
    pub fn add(&mut self, component: Component, name: &'static str, value: impl ToString) {
        self.give(component, name, Join::Commas, value.to_string());
    }

    /// Gives a flag once more.
    #[expect(clippy::needless_pass_by_value, reason = "texts, numbers and booleans alike")]
    pub fn again(&mut self, component: Component, name: &'static str, value: impl ToString) {
        self.give(component, name, Join::Again, value.to_string());
    }

    fn give(&mut self, component: Component, name: &'static str, join: Join, value: String) {
        let by = self.draft.by;
        if let Err(first) = self.sketch().flags(component).set(name, join, value, by) {
            self.draft.conflict(format!("{} {name}", component.name()), first.to_owned());
        }
    }
}
