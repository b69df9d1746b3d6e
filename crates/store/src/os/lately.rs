//! Finds where somebody begins who wants what was logged lately, and nothing older: backwards from the newest.

use std::collections::BTreeSet;
use std::path::Path;

use ringfort_audit::across::written;

use super::follow::Place;
use super::look::{LookError, names, read};
use super::share::is_own;
use super::store::{name, numbers};
use crate::format::entry::{Entry, entries};
use crate::format::open::{Group, START_BYTES, groups};
use crate::format::sealed::{Table, unpacked};

/// How many bytes whoever begins is given at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Of what the store's own server logged,
    pub(super) own: u64,
    /// and of what others delivered there: they take away nothing of the server's.
    pub(super) others: u64,
}

/// Where somebody begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) place: Place,
    /// Whether more is wanted than there is room for.
    pub(super) is_cut: bool,
}

/// Gives the place of the first of the newest entries of a store that its server wrote at a time or later, in microseconds
/// of the Unix epoch, as far as there is room for them and what was kept among them. Behind the last where there is none.
///
/// # Errors
/// A file cannot be read.
pub(super) fn lately(store: &Path, since: i64, room: Room) -> Result<Begin, LookError> {
    let names = names(store)?;
    let segments: BTreeSet<u64> =
        ["open", "seg"].into_iter().flat_map(|kind| numbers(&names, kind)).collect();
    let newest = segments.last().copied().unwrap_or(1);
    let mut back = Back { since, room, begin: None, is_cut: false };
    for segment in segments.into_iter().rev() {
        if !back.through(store, segment)? {
            break;
        }
    }
    let place = back.begin.unwrap_or(Place { segment: newest, next: 0 });
    Ok(Begin { place, is_cut: back.is_cut })
}

/// Who goes backwards.
struct Back {
    since: i64,
    room: Room,
    begin: Option<Place>,
    is_cut: bool,
}

impl Back {
    /// Goes back through a segment. Says whether what stands before it may be wanted as well.
    fn through(&mut self, store: &Path, segment: u64) -> Result<bool, LookError> {
        if let Some(file) = read(&store.join(name(segment, "open")))? {
            let mut found: Vec<Group> = Vec::new();
            groups(&file, START_BYTES, &mut |group| found.push(group));
            let mut found = found.iter().rev();
            return Ok(found.all(|it| self.over((segment, it.first), it.block().as_deref())));
        }
        // It was sealed meanwhile, or is gone, as all before it are.
        let Some(file) = read(&store.join(name(segment, "seg")))? else { return Ok(false) };
        let Some(table) = Table::of(&file) else {
            self.begin = Some(Place { segment, next: 0 });
            return Ok(true);
        };
        let mut blocks = table.blocks.iter().rev();
        Ok(blocks.all(|it| self.over((segment, it.first), unpacked(&file, it).as_deref())))
    }

    /// Goes back over a block whose first entry has a number. Who begins visits what cannot be read, and counts it: what is
    /// wanted may stand there. What others delivered says nothing of when its neighbours were written.
    fn over(&mut self, (segment, first): (u64, u64), block: Option<&[u8]>) -> bool {
        let place = |index: usize| Place { segment, next: first + index as u64 };
        let Some(entries) = block.and_then(entries) else {
            self.begin = Some(place(0));
            return true;
        };
        self.begin.get_or_insert(place(entries.len()));
        let mut own = entries.iter().enumerate().filter(|(_, entry)| is_own(entry)).peekable();
        let oldest = own.peek().map(|(index, _)| *index);
        let wanted = own.find(|(_, entry)| self.is_wanted(entry)).map(|(index, _)| index);
        if oldest.is_some() && wanted.is_none() {
            return false;
        }
        if !self.takes(&entries) {
            self.is_cut = true;
            return false;
        }
        let Some(wanted) = wanted else { return true };
        let is_whole = oldest == Some(wanted);
        self.begin = Some(place(if is_whole { 0 } else { wanted }));
        is_whole
    }

    /// Takes the room that entries need, if there is so much.
    fn takes(&mut self, entries: &[Entry<'_>]) -> bool {
        let bytes = |is_it: fn(&Entry<'_>) -> bool| {
            entries.iter().filter(|it| is_it(it)).map(|it| it.text.len() as u64).sum::<u64>()
        };
        let own = self.room.own.checked_sub(bytes(is_own));
        let others = self.room.others.checked_sub(bytes(|entry| !is_own(entry)));
        let Some((own, others)) = own.zip(others) else { return false };
        self.room = Room { own, others };
        true
    }

    /// An entry has the time at which a request came; a watch that ends is written long after that.
    fn is_wanted(&self, entry: &Entry<'_>) -> bool {
        written(entry.text).unwrap_or(entry.time) >= self.since
    }
}
