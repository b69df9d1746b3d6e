//! Decides when a file of a rolling group may change: what serves on several machines is never
//! taken down on two of them at once, and a newcomer waits until the others know it.
//!
//! A server that starts with a new signing key is refused by every server that has not read its
//! public half (both ways were seen on a real cluster), and two etcd members of three that restart
//! together are no quorum.
//!
//! Where no kubelet runs, what serves goes on with what it read: there a file takes nothing down,
//! and starting the kubelet does.

use std::collections::{BTreeMap, BTreeSet};

use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::name::NodeName;
use ringfort_model::seen::ItemSeen;

use super::API_SERVER;
use super::board::{Board, Entry, Link, Place, Standing};
use crate::mission::Circumstances;

/// What is known of the groups since the first look.
#[derive(Default)]
pub(super) struct Groups {
    /// Groups of which no machine had a file.
    fresh: BTreeSet<String>,
    /// Groups that answered on some machine.
    alive: BTreeSet<String>,
    /// Machines whose API server starts last, since the others may not know its key.
    unannounced: BTreeSet<NodeName>,
}

impl Groups {
    /// Takes note of the first look.
    pub(super) fn begin(
        &mut self,
        boards: &BTreeMap<NodeName, Board>,
        unannounced: &BTreeSet<NodeName>,
    ) {
        self.unannounced = unannounced.clone();
        for group in boards.values().flat_map(|board| &board.items).filter_map(group_of) {
            let has_none = |board: &Board| board.is_up() && !has(board, group);
            if boards.values().filter(|board| belongs(board, group)).all(has_none) {
                self.fresh.insert(group.to_owned());
            }
        }
        boards.values().for_each(|board| self.note(board));
    }

    /// Takes note of what answers on a machine.
    pub(super) fn note(&mut self, board: &Board) {
        for group in board.items.iter().filter_map(group_of) {
            if board.answers(group) && !self.alive.contains(group) {
                self.alive.insert(group.to_owned());
            }
        }
    }

    /// Says whether a file may change, or a unit start, now.
    pub(super) fn may_change(
        &self,
        boards: &BTreeMap<NodeName, Board>,
        node: &NodeName,
        place: Place,
        circumstances: &Circumstances,
    ) -> bool {
        let board = &boards[node];
        let entry = &board.items[place];
        let may_restart = |group: &str, is_there: bool| {
            self.may_restart(boards, (node, group), is_there, circumstances)
        };
        match group_of(entry) {
            Some(group) if is_dormant(board, group) => true,
            Some(group) => may_restart(group, is_present(board, entry)),
            None if is_misread(board, entry) => may_restart(component(entry), true),
            None => woken_by(board, place).all(|group| may_restart(group, true)),
        }
    }

    /// Says whether a component of a machine may be taken down, or come up for the first time.
    fn may_restart(
        &self,
        boards: &BTreeMap<NodeName, Board>,
        (node, group): (&NodeName, &str),
        is_there: bool,
        circumstances: &Circumstances,
    ) -> bool {
        let board = &boards[node];
        let is_unknown = group == API_SERVER && self.unannounced.contains(node);
        if is_there && !is_unknown && !board.answered(group) {
            // It is down already: the change can only mend it.
            return true;
        }
        if !is_there && self.fresh.contains(group) {
            return true;
        }
        let waits = !is_there || is_unknown;
        boards
            .iter()
            .filter(|(other, board)| *other != node && belongs(board, group))
            // Two that are unknown to each other cannot both be last.
            .filter(|(other, board)| {
                let is_later = (!has(board, group), *other) > (!is_there, node);
                !(is_unknown && is_later && self.unannounced.contains(*other))
            })
            .all(|(name, other)| {
                let is_waiting = group == API_SERVER && self.unannounced.contains(name);
                self.lets_go(other, group, waits, circumstances)
                    // It is down until this one has read its key.
                    || (!waits && is_waiting && other.is_up() && !other.answered(group))
            })
    }

    /// Says whether one machine lets another of its group go on.
    fn lets_go(
        &self,
        other: &Board,
        group: &str,
        for_newcomer: bool,
        circumstances: &Circumstances,
    ) -> bool {
        if !other.is_up() {
            return false;
        }
        if !has(other, group) {
            return true;
        }
        // Its kubelet waits in turn until the others serve.
        if !for_newcomer && is_dormant(other, group) {
            return other.answers(group);
        }
        // It serves until its turn has come to be started again.
        if other.misread(group) {
            return !for_newcomer;
        }
        let is_right = places(other, group).all(|place| looks_right(other, place, circumstances));
        let serves = || {
            let serving = other.place(&ItemId::Serving(group.to_owned()));
            serving.is_some_and(|place| looks_right(other, place, circumstances))
        };
        // One that is silent for want of the others comes back with what it read.
        let is_alive = self.alive.contains(group) || runs_old(other, group);
        match (for_newcomer, is_right) {
            (true, right) => right && (!is_alive || serves()),
            (false, true) => serves(),
            (false, false) => other.answers(group),
        }
    }
}

/// Names the rolling group of an item, if it has one.
pub(super) fn group_of(entry: &Entry) -> Option<&str> {
    rolling(&entry.item)
}

fn rolling(item: &Item) -> Option<&str> {
    match &item.what {
        What::File { rolling, .. } => rolling.as_deref(),
        _ => None,
    }
}

/// Says whether an item is a component that may have read what was wrong.
fn is_misread(board: &Board, entry: &Entry) -> bool {
    matches!(entry.id, ItemId::Serving(_)) && board.misread(component(entry))
}

fn component(entry: &Entry) -> &str {
    match &entry.id {
        ItemId::Serving(name) => name,
        _ => "",
    }
}

/// Says whether a component goes on without a unit that would bring what its files say to it.
fn is_dormant(board: &Board, group: &str) -> bool {
    board.answered(group) && board.units_of(group).any(|unit| !board.runs(unit))
}

/// Names the components that a stopped unit would bring what their files say.
fn woken_by(board: &Board, place: Place) -> impl Iterator<Item = &str> {
    let wakes = move |group: &&str| board.units_of(group).any(|unit| unit == place);
    let stopped = !board.runs(place);
    let groups: BTreeSet<&str> = board.items.iter().filter_map(group_of).collect();
    groups.into_iter().filter(move |group| stopped && board.answered(group) && wakes(group))
}

/// Says whether a process of a component is there that was started with something else.
fn runs_old(board: &Board, group: &str) -> bool {
    let id = ItemId::Serving(group.to_owned());
    let wanted = board.place(&id).map(|place| &board.items[place].item.what);
    matches!(
        (wanted, board.seen.items.get(&id)),
        (Some(What::Serving { inputs, .. }), Some(ItemSeen::Serving { inputs: Some(found), .. }))
            if found != inputs
    )
}

/// Says whether an item is right by what was last seen of it, whatever it still waits for.
fn looks_right(board: &Board, place: Place, circumstances: &Circumstances) -> bool {
    match board.items[place].standing {
        Standing::Right => true,
        Standing::Open => matches!(board.compare(place, circumstances), Ok(None)),
        _ => false,
    }
}

fn places<'a>(board: &'a Board, group: &'a str) -> impl Iterator<Item = Place> + 'a {
    (0..board.items.len()).filter(move |place| group_of(&board.items[*place]) == Some(group))
}

fn files<'a>(board: &'a Board, group: &'a str) -> impl Iterator<Item = &'a Entry> {
    board.items.iter().filter(move |entry| group_of(entry) == Some(group))
}

fn belongs(board: &Board, group: &str) -> bool {
    files(board, group).next().is_some()
}

fn has(board: &Board, group: &str) -> bool {
    matches!(board.link, Link::Lost(_)) || files(board, group).any(|entry| is_present(board, entry))
}

fn is_present(board: &Board, entry: &Entry) -> bool {
    entry.standing == Standing::Moving
        || !matches!(board.seen.items.get(&entry.id), Some(ItemSeen::Absent))
}
