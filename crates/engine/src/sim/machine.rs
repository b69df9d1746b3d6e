//! An invented machine: things on its disk, what of them is durable, its units, and what a kubelet
//! would run.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::blueprint::Role;
use ringfort_model::certificate::CertSeen;
use ringfort_model::digest::Digest;
use ringfort_model::item::ItemId;
use ringfort_model::mode::{FileMode, Owner};
use ringfort_model::seen::{ContentSeen, ItemSeen, Look};
use ringfort_model::step::{Act, Outcome, Source, Step};

use super::draft::read_by;
use super::random::Random;
use crate::node::{Node, Tenure};

/// What is on a disk under one name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Thing {
    User(Owner),
    Sysctl(String),
    Directory(FileMode, Owner),
    File { mode: FileMode, owner: Owner, text: String, digest: Digest },
    Image(Digest),
    Unit { enabled: bool, active: bool, inputs: Option<Digest> },
}

impl Thing {
    pub(super) fn file(mode: FileMode, owner: Owner, text: String) -> Self {
        let digest = Digest::of(text.as_bytes());
        Self::File { mode, owner, text, digest }
    }
}

/// A machine.
pub(super) struct Machine {
    pub(super) role: Role,
    pub(super) address: std::net::IpAddr,
    pub(super) is_on: bool,
    /// Counts up with every boot: what was begun before does not happen after.
    pub(super) boot: u64,
    pub(super) things: BTreeMap<ItemId, Thing>,
    /// What a power loss could leave instead of what is there now.
    pub(super) unsynced: BTreeMap<ItemId, Vec<Option<Thing>>>,
    /// What was said to be done, and must survive a power loss.
    pub(super) promised: BTreeMap<ItemId, Option<Thing>>,
    pub(super) journal: Vec<u8>,
    pub(super) tenure: Tenure,
    /// The id of the etcd member whose data is here.
    pub(super) member: Option<u64>,
    pub(super) agent: Option<Agent>,
    pub(super) processes: BTreeMap<&'static str, Process>,
    /// What each kubelet and component read at its start, by its name.
    pub(super) read: BTreeMap<String, Option<Digest>>,
    /// Components that may have read a file that was put right since: it is on the disk.
    pub(super) misread: BTreeMap<String, u64>,
    pub(super) keys_made: u64,
    /// Whether the node that its kubelet makes at its start is as it should be, once it is there.
    pub(super) node: Option<bool>,
    /// Kills the machine's agent, or its power, after so many effects.
    pub(super) doom: Option<(u32, Doom)>,
    /// Until when its etcd does not come up.
    pub(super) ails_until: u64,
    /// The run that took a step here last, and its epoch.
    pub(super) acted: Option<(u64, u64)>,
}

/// What ends a machine's work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Doom {
    Agent,
    Power,
}

/// The machine's half of the engine, in a process.
pub(super) struct Agent {
    pub(super) id: u64,
    pub(super) run: u64,
    pub(super) node: Node,
    pub(super) performing: BTreeMap<u64, Step>,
}

/// A process that the kubelet runs.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) manifest: Digest,
    pub(super) is_running: bool,
    /// Since when it runs.
    pub(super) since: u64,
    /// Whether it is down because its manifest was changed, and not because of a fault.
    pub(super) is_our_restart: bool,
    pub(super) inputs: Option<Digest>,
    /// Public halves that an API server accepts tokens of.
    pub(super) accepts: BTreeSet<String>,
    /// The key that an API server signs tokens with.
    pub(super) signs_with: String,
    /// The encryption keys that an API server has loaded, the one that writes first.
    pub(super) seals_with: Vec<String>,
    /// The digest of the configuration that these come from.
    pub(super) loaded: Option<Digest>,
}

impl Machine {
    pub(super) fn new(role: Role, address: std::net::IpAddr) -> Self {
        Self {
            role,
            address,
            is_on: true,
            boot: 0,
            things: BTreeMap::new(),
            unsynced: BTreeMap::new(),
            promised: BTreeMap::new(),
            journal: Vec::new(),
            tenure: Tenure::default(),
            member: None,
            agent: None,
            processes: BTreeMap::new(),
            read: BTreeMap::new(),
            misread: BTreeMap::new(),
            keys_made: 0,
            node: None,
            doom: None,
            ails_until: 0,
            acted: None,
        }
    }

    pub(super) fn runs(&self, unit: &str) -> bool {
        let thing = self.things.get(&ItemId::unit(unit));
        self.is_on && matches!(thing, Some(Thing::Unit { active: true, .. }))
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.things.get(&ItemId::file(path)) {
            Some(Thing::File { text, .. }) => Some(text),
            _ => None,
        }
    }

    /// Looks at one thing, as the driver on a machine does.
    pub(super) fn look(&self, id: &ItemId, look: &Look) -> ItemSeen {
        if matches!(id, ItemId::Image(_)) && !self.runs("containerd") {
            let is_bare = !self.things.contains_key(&ItemId::unit("containerd"));
            let why = "containerd does not run".to_owned();
            return if is_bare { ItemSeen::Absent } else { ItemSeen::Unreadable(why) };
        }
        match self.things.get(id).cloned() {
            None => ItemSeen::Absent,
            Some(Thing::User(owner)) => ItemSeen::User { owner },
            Some(Thing::Sysctl(value)) => ItemSeen::Sysctl { value },
            Some(Thing::Directory(mode, owner)) => ItemSeen::Directory { mode, owner },
            Some(Thing::Image(manifest)) => ItemSeen::Image { manifest },
            Some(Thing::Unit { enabled, active, inputs }) => {
                ItemSeen::Unit { enabled, active, inputs }
            }
            Some(Thing::File { mode, owner, text, digest }) => {
                ItemSeen::File { mode, owner, content: read(&text, digest, look) }
            }
        }
    }

    /// Does a step, whole and durable.
    pub(super) fn perform(&mut self, step: &Step, secret: &str) -> Outcome {
        let id = &step.item;
        let look = match &step.act {
            Act::MakeKey { .. } => Look::Key,
            _ => Look::Plain,
        };
        match &step.act {
            Act::RequestCertificate { request } => {
                return match self.text(&request.key).and_then(public_half) {
                    Some(public) => Outcome::Signing { csr_pem: public.as_str().to_owned() },
                    None => Outcome::Failed { why: "there is no key".to_owned() },
                };
            }
            Act::Remove => {
                self.things.remove(id);
                if *id == ItemId::directory("/var/lib/etcd") {
                    self.member = None;
                }
                if *id == ItemId::unit("kubelet") {
                    self.processes.clear();
                }
            }
            act => match self.made(id, act, secret) {
                Ok(thing) => {
                    self.things.insert(id.clone(), thing);
                }
                Err(why) => return Outcome::Failed { why },
            },
        }
        self.unsynced.remove(id);
        self.promised.insert(id.clone(), self.things.get(id).cloned());
        Outcome::Done(self.look(id, &look))
    }

    fn made(&mut self, id: &ItemId, act: &Act, secret: &str) -> Result<Thing, String> {
        Ok(match act {
            Act::AddUser { owner } => Thing::User(*owner),
            Act::SetSysctl { value } => Thing::Sysctl(value.clone()),
            Act::MakeDirectory { mode, owner } => Thing::Directory(*mode, *owner),
            Act::WriteFile { mode, owner, source, readers } => {
                self.forget_what_was_read(readers);
                let text = match source {
                    Source::Text(text) => text.clone(),
                    Source::Stored(digest) => format!("bundled {digest}"),
                    Source::Secret { .. } => secret.to_owned(),
                };
                Thing::file(*mode, *owner, text)
            }
            Act::MakeKey { mode, owner } => match self.things.get(id) {
                Some(Thing::File { text, .. }) if public_half(text).is_some() => {
                    Thing::file(*mode, *owner, text.clone())
                }
                _ => {
                    self.keys_made += 1;
                    let (boot, count) = (self.boot, self.keys_made);
                    Thing::file(*mode, *owner, format!("key:{}:{boot}:{count}", self.address))
                }
            },
            Act::ImportImage { .. } if !self.runs("containerd") => {
                return Err("containerd does not run".to_owned());
            }
            Act::ImportImage { archive } => Thing::Image(archive.clone()),
            Act::RunUnit { inputs, anew } => {
                self.start_reading(id, Some(inputs).filter(|_| !anew));
                Thing::Unit { enabled: true, active: true, inputs: Some(inputs.clone()) }
            }
            _ => return Err("is no act of this machine".to_owned()),
        })
    }

    /// What may have read the file that is written now counts as started with nothing known.
    fn forget_what_was_read(&mut self, readers: &BTreeSet<ItemId>) {
        for reader in readers {
            if let Some(Thing::Unit { inputs, .. }) = self.things.get_mut(reader) {
                *inputs = None;
                self.promised.remove(reader);
            }
            if let ItemId::Serving(name) = reader
                && let Some(process) = self.processes.get(name.as_str())
            {
                self.misread.insert(name.clone(), process.id);
            }
        }
    }

    /// A unit reads its file when it starts; one that runs with these inputs goes on.
    fn start_reading(&mut self, unit: &ItemId, wanted: Option<&Digest>) {
        let goes_on = matches!(
            self.things.get(unit),
            Some(Thing::Unit { active: true, inputs, .. }) if inputs.as_ref() == wanted && wanted.is_some()
        );
        if let (ItemId::Unit(name), false) = (unit, goes_on) {
            self.note_read(name);
        }
    }

    /// Takes note of what is read at a start.
    pub(super) fn note_read(&mut self, name: &str) {
        if name == "kubelet" {
            self.node.get_or_insert(false);
        }
        if let Some(path) = read_by(name) {
            self.read.insert(name.to_owned(), self.digest_of(path));
        }
    }

    pub(super) fn digest_of(&self, path: &str) -> Option<Digest> {
        self.text(path).map(|text| Digest::of(text.as_bytes()))
    }

    /// Does a step only so far that nobody was told: not at all, or whole and not yet durable.
    pub(super) fn break_off(&mut self, step: &Step, secret: &str, random: &mut Random) {
        self.promised.remove(&step.item);
        if random.chance(50) {
            return;
        }
        let before = self.things.get(&step.item).cloned();
        self.perform(step, secret);
        self.promised.remove(&step.item);
        self.unsynced.insert(step.item.clone(), vec![before]);
    }

    /// Loses power: of what was not durable, something is left.
    pub(super) fn lose_power(&mut self, random: &mut Random) -> Result<(), String> {
        for (id, others) in std::mem::take(&mut self.unsynced) {
            if random.chance(50) {
                continue;
            }
            match random.pick(&others).cloned().flatten() {
                Some(thing) => self.things.insert(id, thing),
                None => self.things.remove(&id),
            };
        }
        for (id, promised) in &self.promised {
            if self.things.get(id) != promised.as_ref() {
                return Err(format!("{id} was said to be done, and a power loss undid it"));
            }
        }
        self.is_on = false;
        self.boot += 1;
        self.agent = None;
        self.processes.clear();
        Ok(())
    }

    /// Boots: enabled units run with what they find.
    pub(super) fn start(&mut self) {
        self.is_on = true;
        let units: Vec<ItemId> =
            self.things.keys().filter(|id| matches!(id, ItemId::Unit(_))).cloned().collect();
        units.iter().for_each(|unit| self.start_reading(unit, None));
        for thing in self.things.values_mut() {
            if let Thing::Unit { enabled, active, .. } = thing {
                *active = *enabled;
            }
        }
        for (id, promised) in &mut self.promised {
            if matches!(id, ItemId::Unit(_)) {
                *promised = self.things.get(id).cloned();
            }
        }
    }

    /// Is put in by somebody who does not know ringfort.
    pub(super) fn meddle(&mut self, id: &ItemId, with: Option<Thing>) {
        self.promised.remove(id);
        self.unsynced.remove(id);
        match with {
            Some(thing) => self.things.insert(id.clone(), thing),
            None => self.things.remove(id),
        };
    }
}

fn read(text: &str, digest: Digest, look: &Look) -> ContentSeen {
    match look {
        Look::Key => match public_half(text) {
            Some(id) => ContentSeen::Key { public_pem: id.as_str().to_owned(), id },
            None => ContentSeen::Other("no key".to_owned()),
        },
        Look::Certificate => match serde_json::from_str::<CertSeen>(text) {
            Ok(certificate) => ContentSeen::Certificate(certificate),
            Err(_) => ContentSeen::Other("no certificate".to_owned()),
        },
        Look::EncryptionKeys => match encryption_keys(text) {
            Some(keys) => ContentSeen::EncryptionKeys { digest, keys },
            None => ContentSeen::Other("no encryption configuration".to_owned()),
        },
        _ => ContentSeen::Bytes(digest),
    }
}

/// The public half of an invented key.
pub(super) fn public_half(text: &str) -> Option<Digest> {
    text.strip_prefix("key:").map(|rest| Digest::of(format!("public:{rest}").as_bytes()))
}

/// The names of the keys in an invented encryption configuration.
pub(super) fn encryption_keys(text: &str) -> Option<Vec<String>> {
    let (names, _secret) = text.strip_prefix("keys:")?.split_once(' ')?;
    Some(names.split(',').map(str::to_owned).collect())
}
