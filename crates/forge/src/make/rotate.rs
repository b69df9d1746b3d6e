//! Replaces the key that seals what API servers store, turn by turn, as the engine decides. What a
//! turn comes to is in the keyring before the next pass rests on it, so that a run that is killed is
//! taken up by the next one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::mpsc::Receiver;

use ringfort_api::{ApiError, Cluster};
use ringfort_engine::rotation::{self, Standing, Turn};
use ringfort_model::blueprint::Role;
use ringfort_model::digest::Digest;
use ringfort_model::event::Event;
use ringfort_model::name::NodeName;

use super::{MakeError, Work, stage};
use crate::drive::run::first;
use crate::keyring::{EncryptionConfiguration, EncryptionKeyError};

/// How long servers may take to load a file that was written: they look once a minute.
const RELOAD_LIMIT: Duration = Duration::from_secs(150);
/// The pause between two looks at what servers have loaded.
const RELOAD_PAUSE: Duration = Duration::from_secs(3);
/// Where a server says which configuration it has loaded.
const METRIC: &str = "apiserver_encryption_config_controller_last_config_info{";
/// Kinds that are stored as they are, by the rules of the encryption configuration.
const NOT_SEALED: &str = "Event";

impl Work<'_> {
    /// Makes the key that a person asked for, before anything is rendered.
    pub(super) fn begin_rotation(&mut self) -> Result<(), MakeError> {
        let keys = self.keyring.encryption();
        if keys.is_wanted() && keys.names().len() == 1 {
            self.take(Turn::Add)?;
        }
        Ok(())
    }

    /// Goes on with the keys once everything is as the blueprint says, until one key does
    /// everything.
    pub(super) async fn turn_keys(
        &mut self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        loop {
            let turn = self.settled_turn(tell, interrupts).await?;
            if let Turn::Rest = turn {
                return Ok(());
            }
            if let Turn::Rewrite { .. } = turn {
                self.write_all_again(tell, interrupts).await?;
            }
            self.take(turn)?;
            self.rounds(tell, interrupts).await?;
        }
    }

    /// Writes down what a turn comes to.
    fn take(&mut self, turn: Turn) -> Result<(), MakeError> {
        let unkept = |error: EncryptionKeyError| MakeError::Other(error.to_string());
        let keys = self.keyring.encryption_mut();
        match turn {
            Turn::Rest | Turn::Wait { .. } => return Ok(()),
            Turn::Add => drop(keys.add(self.now_s).map_err(unkept)?),
            Turn::Promote { key } => keys.promote(&key).map_err(unkept)?,
            Turn::Rewrite { retiring } => {
                retiring.iter().try_for_each(|key| keys.retire(key)).map_err(unkept)?;
            }
        }
        let Some(held) = self.memory.held else { return Ok(()) };
        // A keyring that knows more than the trust facts is taken for good, and not the other way.
        held.save_keyring(&self.keyring, self.identity)?;
        self.memory.trust.encryption = self.keyring.encryption_facts();
        Ok(self.memory.save()?)
    }

    /// Asks the servers until there is something to do, or nothing any more.
    async fn settled_turn(
        &self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<Turn, MakeError> {
        if self.keyring.encryption().names().len() == 1 && !self.keyring.encryption().is_wanted() {
            return Ok(Turn::Rest);
        }
        stage(self, "encryption keys", tell);
        let until = Instant::now() + RELOAD_LIMIT;
        loop {
            let servers = match self.turn(&self.loaded().await) {
                Turn::Wait { servers } => servers,
                turn => return Ok(turn),
            };
            if Instant::now() >= until {
                return Err(MakeError::NotLoaded { servers });
            }
            tokio::select! {
                () = tokio::time::sleep(RELOAD_PAUSE) => {}
                Some(()) = interrupts.recv() => return Err(MakeError::Interrupted),
            }
        }
    }

    fn turn(&self, loaded: &BTreeMap<NodeName, Option<Digest>>) -> Turn {
        let keys = self.keyring.encryption();
        let EncryptionConfiguration { digest, keys: names, .. } = keys.configuration();
        rotation::next(&Standing {
            keys: &names,
            newest: keys.newest(),
            is_wanted: keys.is_wanted(),
            configuration: &digest,
            loaded,
        })
    }

    /// Asks every API server which configuration it has loaded.
    async fn loaded(&self) -> BTreeMap<NodeName, Option<Digest>> {
        let planes = self.spec.nodes.iter().filter(|(_, node)| node.role == Role::ControlPlane);
        let asked = planes.map(|(name, _)| async move {
            let Some(server) = self.servers.get(name) else { return (name.clone(), None) };
            let metrics = server.text("/metrics").await;
            (name.clone(), metrics.ok().as_deref().and_then(loaded_digest))
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Has every object of every kind that is sealed written again, unchanged.
    async fn write_all_again(
        &self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        stage(self, "writing everything again", tell);
        let servers = || self.servers.values();
        let kinds =
            first(servers(), Cluster::stored_kinds).await.map_err(|error| not_written(&error))?;
        for kind in kinds.iter().filter(|kind| kind.name() != NOT_SEALED) {
            tokio::select! {
                written = first(servers(), |server| server.write_again(kind)) => {
                    let count = written.map_err(|error| not_written(&error))?;
                    tracing::info!(kind = kind.name(), count, "written again");
                }
                Some(()) = interrupts.recv() => return Err(MakeError::Interrupted),
            }
        }
        Ok(())
    }
}

fn not_written(error: &ApiError) -> MakeError {
    MakeError::Other(format!(
        "not everything could be written again with the new encryption key, so the old one stays; running again goes on from here: {error}"
    ))
}

/// Reads from a server's metrics the digest of the encryption configuration that it has loaded.
fn loaded_digest(metrics: &str) -> Option<Digest> {
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(METRIC));
    let (labels, value) = lines.find_map(|rest| rest.split_once('}'))?;
    let hash = labels.split(',').find_map(|label| label.trim().strip_prefix("hash=\"sha256:"))?;
    (value.trim() == "1").then(|| hash.trim_end_matches('"').parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Digest, loaded_digest};

    #[test]
    fn the_loaded_configuration_is_read_from_the_metrics() {
        let digest = Digest::of(b"configuration");
        let check = |line: String, expected: Option<&Digest>| {
            let text = format!("# TYPE x gauge\nx{{a=\"b\"}} 1\n{line}\ny 2\n");
            assert_eq!(loaded_digest(&text).as_ref(), expected, "{line}");
        };
        let name = "apiserver_encryption_config_controller_last_config_info";
        let other = Digest::of(b"server");
        let labels = |hash: &str| format!("apiserver_id_hash=\"sha256:{other}\",hash=\"{hash}\"");
        let good = labels(&format!("sha256:{digest}"));
        check(format!("{name}{{{good}}} 1"), Some(&digest));
        check(format!("{name}{{{good}}} 0"), None);
        check(format!("{name}{{{}}} 1", labels("")), None);
        check(format!("{name}{{{}}} 1", labels("sha256:12")), None);
        check(String::new(), None);
    }
}
