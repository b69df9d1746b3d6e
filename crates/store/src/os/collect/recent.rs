//! What was kept lately, so that nothing is kept twice.

use std::collections::HashSet;

use crate::format::entry::Hash;

/// What was kept lately. What was kept long ago is forgotten, and would be kept twice.
#[derive(Default)]
pub(super) struct Recent {
    young: HashSet<[u8; 16]>,
    old: HashSet<[u8; 16]>,
}

/// So many are remembered at least, and twice as many at most: 16 MB.
const RECENT: usize = 1 << 18;

impl Recent {
    /// Takes note of one, and says whether it was not there before.
    pub(super) fn is_new(&mut self, key: Hash) -> bool {
        let mut short = [0; 16];
        short.copy_from_slice(&key[..16]);
        if self.old.contains(&short) || !self.young.insert(short) {
            return false;
        }
        if self.young.len() >= RECENT {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }
}
