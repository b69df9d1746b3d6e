//! Baselines as `ringfort up` signs them.

use ringfort_forge::make::Baselines;
use ringfort_integrity::baseline::{Entries, Header, text, write};
use ringfort_integrity::protected::Protection;
use ringfort_model::blueprint::Machine;
use ringfort_model::digest::Digest;

/// Writes baselines.
pub const BASELINES: Baselines = Baselines {
    says: |machine| Digest::of(entries(machine).as_bytes()),
    write: |cluster, node, machine, number, key| {
        let (cluster, node) = (cluster.to_string(), node.to_string());
        let header = Header { cluster, node, counter: number, entries: 0 };
        let written = write(&header, &entries(machine), key);
        written.map(|bytes| text(&bytes)).map_err(|error| error.to_string())
    },
};

fn entries(machine: &Machine) -> Entries {
    Entries::of(&Protection::derive(Some(machine), &[], machine.role))
}
