//! What the operator's half knows of one machine: what it should be, what was found, and where each
//! item stands.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::certificate::CertRequest;
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::seen::{ItemSeen, Look, Seen};
use ringfort_model::step::{Act, Difference, Step};

use crate::difference::{NotSeen, View, act_for, difference, look_at};
use crate::message::Tick;
use crate::mission::Circumstances;

/// The place of an item on its board.
pub(super) type Place = usize;

/// What is known of one machine.
pub(super) struct Board {
    pub(super) items: Vec<Entry>,
    pub(super) seen: Seen,
    pub(super) link: Link,
    pub(super) losses: u32,
    pub(super) flights: BTreeMap<u64, Flight>,
    /// Items that are owned and not wanted, the first to go last.
    pub(super) leftovers: Vec<ItemId>,
    /// Components that something changed under since they were last asked.
    disturbed: BTreeSet<Place>,
    open: BTreeSet<Place>,
    places: BTreeMap<ItemId, Place>,
    /// What reads a file only at its start.
    readers: BTreeMap<Place, BTreeSet<Place>>,
}

/// An item and where it stands.
pub(super) struct Entry {
    pub(super) id: ItemId,
    pub(super) item: Item,
    pub(super) standing: Standing,
    pub(super) tries: u32,
    needs: Vec<Option<Place>>,
    needed_by: Vec<Place>,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Not compared since it was last looked at.
    Open,
    /// Compared, and to be changed as soon as it may be.
    Wrong(Difference),
    /// As it should be.
    Right,
    /// A step or a look is on its way.
    Moving,
    /// To be tried again.
    Pausing(Tick),
    /// Given up in this run.
    Failed,
}

/// Whether a machine can be spoken with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Link {
    /// It was asked what is there.
    Asked,
    /// It answers.
    Up,
    /// It will be asked again.
    Pausing(Tick, String),
    /// It was given up in this run.
    Lost(String),
}

/// A step on its way.
pub(super) struct Flight {
    pub(super) subject: Subject,
    pub(super) kind: Kind,
}

/// What a step on its way is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// An item of the board.
    Wanted(Place),
    /// An item that nobody wants.
    Leftover(ItemId),
    /// A learner of etcd, by its member id.
    Learner(String),
}

/// What kind of step is on its way.
pub(super) enum Kind {
    /// A change.
    Change(Step),
    /// The request for a certificate.
    Request(Step, CertRequest),
    /// The file of a certificate with this digest, which ends the request's step.
    Issue(Step, Digest),
    /// Waiting for a component.
    Await,
}

impl Board {
    pub(super) fn new(wanted: &BTreeMap<ItemId, Item>) -> Self {
        let places: BTreeMap<ItemId, Place> =
            wanted.keys().cloned().enumerate().map(|(place, id)| (id, place)).collect();
        let mut items: Vec<Entry> = wanted
            .iter()
            .map(|(id, item)| Entry {
                id: id.clone(),
                item: item.clone(),
                standing: Standing::Open,
                tries: 0,
                needs: item.needs.iter().map(|need| places.get(need).copied()).collect(),
                needed_by: Vec::new(),
            })
            .collect();
        for place in 0..items.len() {
            for need in items[place].needs.clone().into_iter().flatten() {
                items[need].needed_by.push(place);
            }
        }
        let mut readers: BTreeMap<Place, BTreeSet<Place>> = BTreeMap::new();
        for (reader, entry) in items.iter().enumerate() {
            let read = entry.item.what.reads().filter_map(|path| places.get(&ItemId::file(path)));
            for file in read {
                readers.entry(*file).or_default().insert(reader);
            }
        }
        Self {
            readers,
            items,
            seen: Seen::default(),
            link: Link::Asked,
            losses: 0,
            flights: BTreeMap::new(),
            leftovers: Vec::new(),
            disturbed: BTreeSet::new(),
            open: BTreeSet::new(),
            places,
        }
    }

    /// Lists everything that has to be looked at.
    pub(super) fn looks(&self) -> Vec<(ItemId, Look)> {
        self.items.iter().map(|entry| (entry.id.clone(), look_at(&entry.item))).collect()
    }

    pub(super) fn place(&self, id: &ItemId) -> Option<Place> {
        self.places.get(id).copied()
    }

    /// Takes a whole look at the machine: everything is open again.
    pub(super) fn begin(&mut self, seen: Seen, leftovers: Vec<ItemId>) {
        self.seen = seen;
        self.leftovers = leftovers;
        self.link = Link::Up;
        self.flights.clear();
        self.disturbed.clear();
        for place in 0..self.items.len() {
            if self.items[place].standing != Standing::Failed {
                self.set(place, Standing::Open);
            }
        }
    }

    pub(super) fn set(&mut self, place: Place, standing: Standing) {
        self.items[place].standing = standing;
        match standing {
            Standing::Open | Standing::Wrong(_) => self.open.insert(place),
            _ => self.open.remove(&place),
        };
    }

    /// Lists the items whose turn may have come: open or wrong, with all their needs right.
    pub(super) fn candidates(&self) -> Vec<Place> {
        self.open.iter().copied().filter(|place| self.has_its_needs(*place)).collect()
    }

    pub(super) fn has_its_needs(&self, place: Place) -> bool {
        let is_right = |need: Place| self.items[need].standing == Standing::Right;
        self.items[place].needs.iter().all(|need| need.is_some_and(is_right))
    }

    /// Names the first need of an item that is not right.
    pub(super) fn missing_need(&self, place: Place) -> Option<&ItemId> {
        let entry = &self.items[place];
        let lacks = |need: &Option<Place>| {
            need.is_none_or(|need| self.items[need].standing != Standing::Right)
        };
        entry.item.needs.iter().zip(&entry.needs).find(|(_, need)| lacks(need)).map(|(id, _)| id)
    }

    /// Compares an item with what was found.
    pub(super) fn compare(
        &self,
        place: Place,
        circumstances: &Circumstances,
    ) -> Result<Option<Difference>, NotSeen> {
        if self.disturbed.contains(&place) {
            return Ok(Some(Difference::Silent));
        }
        let entry = &self.items[place];
        let Some(seen) = self.seen.items.get(&entry.id) else {
            return Err(NotSeen { why: "the machine did not report it".to_owned() });
        };
        let view = View {
            now_s: circumstances.now_s,
            authorities: &circumstances.authorities,
            items: &self.seen.items,
        };
        difference(&entry.item, seen, &view)
    }

    /// Takes note of what was found of one item.
    pub(super) fn found(&mut self, place: Place, seen: ItemSeen) {
        self.disturbed.remove(&place);
        self.seen.items.insert(self.items[place].id.clone(), seen);
    }

    /// Takes note of a finished change.
    pub(super) fn changed(&mut self, place: Place, seen: ItemSeen) {
        self.found(place, seen);
        let id = &self.items[place].id;
        self.seen.owned.insert(id.clone());
        // What units have started goes on while they are started anew.
        if !matches!(id, ItemId::Unit(_)) {
            self.disturb_after(place);
        }
    }

    /// Has a component asked before it counts as one that answers.
    pub(super) fn disturb(&mut self, component: Place) {
        self.disturbed.insert(component);
    }

    /// Has everything that serves with the help of an item asked again.
    pub(super) fn disturb_after(&mut self, place: Place) {
        for dependent in self.items[place].needed_by.clone() {
            if matches!(self.items[dependent].item.what, What::Serving { .. }) {
                self.disturbed.insert(dependent);
                if self.items[dependent].standing == Standing::Right {
                    self.set(dependent, Standing::Open);
                }
            }
        }
    }

    /// Makes the step that puts an item right.
    pub(super) fn step(&self, place: Place, because: Difference) -> Step {
        let entry = &self.items[place];
        let by = entry.item.by.clone();
        let mut act = act_for(&entry.item);
        if let Act::WriteFile { readers, .. } = &mut act
            && because != Difference::Permissions
        {
            *readers = self.readers_of(place).map(|reader| self.process(reader)).collect();
        }
        if let Act::RunUnit { anew, .. } = &mut act {
            *anew = because == Difference::Unmade;
        }
        Step { item: entry.id.clone(), by, because, act }
    }

    /// Lists what reads a file only at its start.
    fn readers_of(&self, file: Place) -> impl Iterator<Item = Place> {
        self.readers.get(&file).into_iter().flatten().copied()
    }

    /// Names what runs by its unit or its process.
    fn process(&self, reader: Place) -> ItemId {
        match &self.items[reader].item.what {
            What::Serving { process, .. } => ItemId::Serving(process.clone()),
            _ => self.items[reader].id.clone(),
        }
    }

    /// Takes note that what reads a file may have read what was wrong.
    pub(super) fn put_right(&mut self, file: Place) {
        for reader in self.readers_of(file).collect::<Vec<_>>() {
            let seen = self.seen.items.get_mut(&self.items[reader].id);
            if let Some(ItemSeen::Unit { inputs, .. } | ItemSeen::Serving { inputs, .. }) = seen {
                *inputs = None;
            }
            if self.items[reader].standing == Standing::Right {
                self.set(reader, Standing::Open);
            }
        }
    }

    /// Says whether a component answers that may have read what was wrong, and nothing else was
    /// changed under it.
    pub(super) fn misread(&self, component: &str) -> bool {
        let id = ItemId::Serving(component.to_owned());
        let seen = self.seen.items.get(&id);
        self.answers(component)
            && matches!(seen, Some(ItemSeen::Serving { healthy: true, inputs: None }))
            && self.place(&id).is_some_and(|p| self.items[p].standing != Standing::Moving)
    }

    /// Forgets what was on its way: the machine is asked again before anything else.
    pub(super) fn forget_moves(&mut self) {
        for place in 0..self.items.len() {
            if matches!(self.items[place].standing, Standing::Moving | Standing::Pausing(_)) {
                self.set(place, Standing::Open);
            }
        }
    }

    /// Ends the pauses of items that are over.
    pub(super) fn rouse(&mut self, now: Tick) {
        for place in 0..self.items.len() {
            if matches!(self.items[place].standing, Standing::Pausing(until) if until <= now) {
                self.set(place, Standing::Open);
            }
        }
    }

    /// Ends all pauses, since nothing will be tried again.
    pub(super) fn drop_pauses(&mut self) {
        self.rouse(Tick::MAX);
        if let Link::Pausing(_, why) | Link::Lost(why) = &self.link {
            self.link = Link::Lost(why.clone());
        }
    }

    /// Lists when pauses end.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Tick> {
        let link = match &self.link {
            Link::Pausing(until, _) => Some(*until),
            _ => None,
        };
        let item = |entry: &Entry| match entry.standing {
            Standing::Pausing(until) => Some(until),
            _ => None,
        };
        link.into_iter().chain(self.items.iter().filter_map(item))
    }

    /// Counts the steps on their way that keep a worker of the machine busy.
    pub(super) fn busy(&self) -> usize {
        self.flights.values().filter(|flight| !matches!(flight.kind, Kind::Await)).count()
    }

    pub(super) fn is_up(&self) -> bool {
        self.link == Link::Up
    }

    pub(super) fn is_settled(&self) -> bool {
        self.items.iter().all(|entry| entry.standing == Standing::Right)
    }

    pub(super) fn is_idle(&self) -> bool {
        let moves =
            |entry: &Entry| matches!(entry.standing, Standing::Moving | Standing::Pausing(_));
        self.flights.is_empty()
            && !matches!(self.link, Link::Asked | Link::Pausing(..))
            && !self.items.iter().any(moves)
    }

    /// Says whether a component answered when it was last asked, whatever was changed since.
    pub(super) fn answered(&self, component: &str) -> bool {
        let seen = self.seen.items.get(&ItemId::Serving(component.to_owned()));
        matches!(seen, Some(ItemSeen::Serving { healthy: true, .. }))
    }

    /// Says whether a component answered and nothing was changed under it since.
    pub(super) fn answers(&self, component: &str) -> bool {
        let place = self.place(&ItemId::Serving(component.to_owned()));
        self.answered(component) && place.is_none_or(|place| !self.disturbed.contains(&place))
    }

    /// Gives what a component was found to have been started with.
    pub(super) fn inputs(&self, component: Place) -> Option<Digest> {
        match self.seen.items.get(&self.items[component].id) {
            Some(ItemSeen::Serving { inputs, .. }) => inputs.clone(),
            _ => None,
        }
    }

    /// Lists the units that a component needs.
    pub(super) fn units_of(&self, component: &str) -> impl Iterator<Item = Place> {
        let serving = self.place(&ItemId::Serving(component.to_owned()));
        let needs = serving.into_iter().flat_map(|place| self.items[place].needs.iter().flatten());
        needs.copied().filter(|place| matches!(self.items[*place].id, ItemId::Unit(_)))
    }

    /// Says whether a unit ran when it was last looked at, or was started since.
    pub(super) fn runs(&self, unit: Place) -> bool {
        matches!(
            self.seen.items.get(&self.items[unit].id),
            Some(ItemSeen::Unit { active: true, .. })
        )
    }

    /// Says whether a component answers with what it should have read.
    pub(super) fn serves(&self, component: &str) -> bool {
        let place = self.place(&ItemId::Serving(component.to_owned()));
        place.is_some_and(|place| self.items[place].standing == Standing::Right)
    }
}

/// The step of a kind of act that is no item's: a removal.
pub(super) fn removal(item: ItemId, by: String) -> Step {
    Step { item, by, because: Difference::Unwanted, act: Act::Remove }
}
