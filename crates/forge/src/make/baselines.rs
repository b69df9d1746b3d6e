//! What each machine's files should be, signed and numbered, as one of its files.
//!
//! It is put in place after every other file of the machine: until then those are compared with the one
//! before, and whoever watches is told by ringfort's own journal why they change.

use std::collections::BTreeSet;

use ringfort_model::blueprint::{Blueprint, Machine};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::integrity::BASELINE;
use ringfort_model::item::{ItemId, What};
use ringfort_model::name::{ClusterName, NodeName};
use ringfort_model::trust::BaselineFacts;
use ringfort_pki::Ed25519Key;

use super::{MakeError, Work};

/// Writes baselines. What they hold is the business of a room that this one does not know.
#[derive(Clone, Copy, Debug)]
pub struct Baselines {
    /// Digests what a machine's baseline says.
    pub says: fn(&Machine) -> Digest,
    /// Writes the baseline of a machine with a number, signed.
    pub write: fn(&ClusterName, &NodeName, &Machine, u64, &Ed25519Key) -> Result<String, String>,
}

impl Work<'_> {
    /// Fills in the baselines of all machines that are to have one.
    pub(super) fn with_baselines(&self, mut blueprint: Blueprint) -> Result<Blueprint, MakeError> {
        let id = ItemId::file(BASELINE);
        let cluster = blueprint.cluster.clone();
        for (node, machine) in &mut blueprint.machines {
            if !machine.items.contains_key(&id) {
                continue;
            }
            let other = MakeError::Other;
            let key = self.keyring.baseline_key().map_err(|error| other(error.to_string()))?;
            let number = self.facts(node, machine).number;
            let text =
                (self.baselines.write)(&cluster, node, machine, number, &key).map_err(other)?;
            let files =
                machine.items.keys().filter(|it| matches!(it, ItemId::File(_)) && **it != id);
            let files: BTreeSet<ItemId> = files.cloned().collect();
            let Some(item) = machine.items.get_mut(&id) else { continue };
            item.needs.extend(files);
            if let What::File { content, .. } = &mut item.what {
                *content = Content::Text(text);
            }
        }
        Ok(blueprint)
    }

    /// Says what the baseline of a machine is: the one before where it says the same, else the next.
    fn facts(&self, node: &NodeName, machine: &Machine) -> BaselineFacts {
        numbered(self.memory.trust.baselines.get(node), (self.baselines.says)(machine))
    }

    /// Writes down numbers and baselines before a machine gets them: no number is ever given twice.
    pub(super) fn note_baselines(&mut self, blueprint: &Blueprint) -> Result<(), MakeError> {
        let mut changed = false;
        for (node, machine) in &blueprint.machines {
            let item = machine.items.get(&ItemId::file(BASELINE));
            let Some(What::File { content: Content::Text(text), .. }) = item.map(|item| &item.what)
            else {
                continue;
            };
            let facts = self.facts(node, machine);
            if let Some(held) = self.memory.held {
                held.save_baseline(node, text)?;
            }
            changed |=
                self.memory.trust.baselines.insert(node.clone(), facts.clone()) != Some(facts);
        }
        if changed { Ok(self.memory.save()?) } else { Ok(()) }
    }
}

fn numbered(known: Option<&BaselineFacts>, digest: Digest) -> BaselineFacts {
    match known {
        Some(known) if known.digest == digest => known.clone(),
        Some(known) => BaselineFacts { number: known.number + 1, digest },
        None => BaselineFacts { number: 1, digest },
    }
}

#[cfg(test)]
mod tests {
    use ringfort_model::digest::Digest;

    use super::numbered;

    #[test]
    fn a_number_rises_whenever_something_else_is_said_and_never_falls() {
        let says = |text: &str| Digest::of(text.as_bytes());
        let first = numbered(None, says("a"));
        assert_eq!((first.number, &first.digest), (1, &says("a")));
        assert_eq!(numbered(Some(&first), says("a")), first);
        let second = numbered(Some(&first), says("b"));
        assert_eq!(second.number, 2);
        assert_eq!(numbered(Some(&second), says("a")).number, 3, "an older one does not come back");
    }
}
