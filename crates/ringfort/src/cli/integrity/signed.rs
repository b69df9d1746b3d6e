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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use ringfort_integrity::path::FilePath;
    use ringfort_integrity::protected::{Class, Protected, Protection};
    use ringfort_model::blueprint::Role;

    /// The static pods of API servers as they are rendered, of each version and machine.
    fn servers() -> Vec<PathBuf> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../forge/tests/golden");
        let below = |path: &Path| {
            let entries = std::fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
        };
        let nodes = below(&golden).into_iter().flat_map(|version| below(&version.join("nodes")));
        let servers = nodes.map(|node| node.join("etc/kubernetes/manifests/kube-apiserver.yaml"));
        servers.filter(|server| server.exists()).collect()
    }

    #[test]
    fn the_log_that_an_api_server_writes_is_the_one_that_is_protected() {
        let protection = Protection::derive(None, &[], Role::ControlPlane);
        let servers = servers();
        assert!(!servers.is_empty());
        for server in servers {
            let text = std::fs::read_to_string(&server).unwrap();
            let log = text.lines().find_map(|line| line.split_once("--audit-log-path="));
            let log: FilePath = log.unwrap().1.trim().parse().unwrap();
            let is_it = |it: &&Protected| it.path == log;
            let class = protection.iter().find(is_it).map(|it| it.class);
            assert_eq!(class, Some(Class::Growing), "{log} of {}", server.display());
        }
    }
}
