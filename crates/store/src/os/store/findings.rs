//! What was found, beside the events that it was found in: lines of JSON, the oldest of which go. They can be had
//! from the events again, so nothing of them is chained or signed.

use std::io;

use super::{AppendError, Store};
use crate::os::disk::Disk;

/// The file of findings,
pub(in crate::os) const FINDINGS: &str = "findings";
/// and the one before it.
pub(in crate::os) const FINDINGS_BEFORE: &str = "findings.before";
/// A file that would be longer begins anew.
const MOST_BYTES: u64 = 16 << 20;

impl<D: Disk> Store<D> {
    /// Writes lines about what was found. When it returns well they are durable.
    ///
    /// # Errors
    /// They are not, and the same may be tried again.
    pub fn note(&mut self, lines: &[u8]) -> Result<(), AppendError> {
        let end = self.found + lines.len() as u64;
        if self.found > 0 && end > MOST_BYTES {
            self.disk.rename(FINDINGS, FINDINGS_BEFORE)?;
            self.disk.sync_names()?;
            self.found = 0;
        }
        let is_new = self.found == 0;
        self.disk.write_at(FINDINGS, self.found, lines)?;
        self.disk.sync(FINDINGS)?;
        if is_new {
            self.disk.sync_names()?;
        }
        self.found += lines.len() as u64;
        Ok(())
    }

    /// Goes on behind the last line that is whole.
    pub(super) fn resume_findings(&mut self, names: &[String]) -> io::Result<()> {
        if !names.iter().any(|name| name == FINDINGS) {
            return Ok(());
        }
        let lines = self.disk.read(FINDINGS)?;
        let end = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.found = end as u64;
        if end < lines.len() { self.disk.cut(FINDINGS, self.found) } else { Ok(()) }
    }
}
