//! Any bytes are containerd's two databases or are refused: reading ends, gives no more than fits into them, and
//! a root is stacked of directories that are each another. The first four bytes say where the second one begins.

use std::collections::BTreeSet;

use ringfort_integrity::containerd::{Containers, read};

/// An entry of a database takes so many bytes, and is read a few times at most.
const ENTRY_BYTES: usize = 16;
const TIMES: usize = 4;

/// Reads bytes.
pub fn holds(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return };
    let at = (u32::from_le_bytes(*head) as usize).min(rest.len());
    let (containers, snapshots) = rest.split_at(at);
    for snapshots in [Some(snapshots), None] {
        if let Ok(all) = read(containers, snapshots) {
            stands(&all, containers.len());
            assert_eq!(
                read(containers, snapshots).as_ref(),
                Ok(&all),
                "the same bytes say the same"
            );
        }
    }
}

fn stands(all: &Containers, length: usize) {
    let count = all.stacks.len() + all.unknown.len();
    assert!(count <= TIMES * (length / ENTRY_BYTES + 1), "{count} containers in {length} bytes");
    for stack in &all.stacks {
        let numbers: BTreeSet<u64> = stack.image.iter().map(|layer| layer.number).collect();
        assert!(numbers.len() == stack.image.len(), "a directory is in a stack once: {stack:?}");
        assert!(!numbers.contains(&stack.own), "its own is none of its image: {stack:?}");
        assert!(!stack.container.text().contains('\n'), "a name forges no line");
    }
    assert!(all.unknown.iter().all(|(_, why)| !why.is_empty()), "it is told why");
}
