//! Decides when a file of a rolling group may change: what serves on several machines is never
//! taken down on two of them at once, and a newcomer waits until the others know it.
//!
//! A server that starts with a new signing key is refused by every server that has not read its
//! public half (both ways were seen on a real cluster), and two etcd members of three that restart
//! together are no quorum.

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

    /// Says whether a file may change now.
    pub(super) fn may_change(
        &self,
        boards: &BTreeMap<NodeName, Board>,
        node: &NodeName,
        place: Place,
        circumstances: &Circumstances,
    ) -> bool {
        let board = &boards[node];
        let Some(group) = group_of(&board.items[place]) else { return true };
        let is_there = is_present(board, &board.items[place]);
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
        let is_right = places(other, group).all(|place| looks_right(other, place, circumstances));
        let serves = || {
            let serving = other.place(&ItemId::Serving(group.to_owned()));
            serving.is_some_and(|place| looks_right(other, place, circumstances))
        };
        let is_alive = self.alive.contains(group);
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
