//! Goes through what was kept lately once more: who judges has forgotten it.

use std::io;

use super::{Store, name};
use crate::format::entry::{Entry, entries};
use crate::format::open::{START_BYTES, groups};
use crate::format::sealed::{Table, unpacked};
use crate::os::disk::Disk;

impl<D: Disk> Store<D> {
    /// Visits the newest entries in their order: those of segments that were sealed since then, in seconds of the
    /// Unix epoch, as far as these are no longer together than so many bytes, and all that are not sealed. What
    /// cannot be read is passed over: to say so is for who verifies.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn replay(
        &self,
        since: i64,
        most_bytes: u64,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> io::Result<()> {
        let mut room = most_bytes.saturating_sub(self.length);
        let is_wanted = |kept: &&super::Kept| {
            let is_wanted = kept.sealed >= since && kept.bytes <= room;
            room = room.saturating_sub(kept.bytes);
            is_wanted
        };
        let count = self.kept.iter().rev().take_while(is_wanted).count();
        let mut each = |block: Option<Vec<u8>>| {
            let entries = block.as_deref().and_then(entries);
            entries.iter().flatten().for_each(&mut *visit);
        };
        for kept in self.kept.iter().skip(self.kept.len() - count) {
            let file = self.disk.read(&name(kept.segment, "seg"))?;
            for block in Table::of(&file).iter().flat_map(|table| &table.blocks) {
                each(unpacked(&file, block));
            }
        }
        if !self.is_closed {
            let file = self.disk.read(&name(self.start.segment, "open"))?;
            groups(&file, START_BYTES, &mut |group| each(group.block()));
        }
        Ok(())
    }
}
