//! Small files beside the segments that a collector keeps for its next run. Nothing of them is chained or signed.

use super::{AppendError, Store, StoreError};
use crate::os::disk::Disk;

/// What callers usually do, as far as it was learned.
pub(in crate::os) const USUAL: &str = "usual";
/// The same, as far as it was learned from all servers' events together.
pub(in crate::os) const USUAL_TOGETHER: &str = "usual-together";
/// Since when what was kept is not judged together yet.
pub(in crate::os) const WAITING: &str = "waiting-together";
/// How much could not be judged, ever.
pub(in crate::os) const UNJUDGED: &str = "unjudged";

impl<D: Disk> Store<D> {
    /// Reads one; nothing where it is not there yet.
    pub(in crate::os) fn beside(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let of = |source| StoreError::File { name: name.to_owned(), source };
        if !self.disk.names().map_err(of)?.iter().any(|known| known == name) {
            return Ok(None);
        }
        self.disk.read(name).map(Some).map_err(of)
    }

    /// Writes one whole.
    pub(in crate::os) fn put_beside(&mut self, name: &str, text: &[u8]) -> Result<(), AppendError> {
        Ok(self.disk.put(name, text)?)
    }
}
