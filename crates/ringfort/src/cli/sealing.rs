//! `ringfort up --seal-plain`: what lies in plain in etcd is sealed there.

use ringfort_controls::data::encryption_at_rest::OPEN;
use ringfort_forge::keyring::Keyring;
use ringfort_forge::make::Site;
use ringfort_model::event::Event;
use ringfort_model::name::NodeName;
use ringfort_prove::{SealError, seal_plain};

use super::Fault;
use super::evidence::Unproved;
use super::session::Session;

/// The control that wants it.
const CONTROL: &str = "data/encryption-at-rest";

/// What sealing needs.
pub struct Sealing<'a> {
    /// Whether somebody asked for it.
    pub is_wanted: bool,
    /// The machines that were entered.
    pub site: &'a Site,
    /// Says that something was changed.
    pub unproved: &'a Unproved,
}

impl Sealing<'_> {
    /// Seals what lies in plain before servers are brought to their configuration. That one still writes in plain,
    /// or that etcd is still to be started, is no fault yet.
    pub async fn begin(&self, session: &mut Session<'_>, keyring: &Keyring) -> Result<(), Fault> {
        if !self.is_wanted {
            return Ok(());
        }
        session.voice.stage("values in plain");
        match self.seal(session, keyring).await {
            Err(why @ (SealError::Restless { .. } | SealError::Etcd(_))) => {
                session.voice.note(&format!(
                    "{why}; it is looked at again when all servers have their configuration"
                ));
                Ok(())
            }
            sealed => sealed.map_err(Fault::unable),
        }
    }

    /// Seals what was written until every server had its configuration.
    pub async fn end(&self, session: &mut Session<'_>, keyring: &Keyring) -> Result<(), Fault> {
        if !self.is_wanted {
            return Ok(());
        }
        self.seal(session, keyring).await.map_err(Fault::unable)
    }

    /// Goes by the first control plane whose member answers: what one takes, all have.
    async fn seal(&self, session: &mut Session<'_>, keyring: &Keyring) -> Result<(), SealError> {
        let keys = keyring.encryption();
        let writes = keys.names().into_iter().next();
        let Some((name, key)) = writes.and_then(|name| keys.secret(&name).map(|key| (name, key)))
        else {
            return Err(SealError::Etcd("the keyring has no encryption key".to_owned()));
        };
        let open = OPEN.map(str::to_owned);
        let mut failed = SealError::Etcd("no control plane could be entered".to_owned());
        let hosts = self.site.hosts();
        let nodes: Vec<NodeName> =
            session.spec.control_planes().map(|node| node.name.clone()).collect();
        for node in &nodes {
            let Some(host) = hosts.get(node) else { continue };
            let begin = session.voice.seconds();
            let mut sealed = Vec::new();
            let result =
                seal_plain(host, (&name, &key), &open, &mut |key| sealed.push(key.to_owned()))
                    .await;
            for key in sealed {
                self.unproved.mark();
                let seconds = session.voice.seconds();
                session.voice.tell(&Event::Step {
                    node: Some(node.clone()),
                    item: format!("etcd:{key}"),
                    by: CONTROL.to_owned(),
                    because: "lies in plain".to_owned(),
                    seconds,
                    took: seconds - begin,
                    change: true,
                    failed: None,
                });
            }
            match result {
                Err(SealError::Etcd(why)) => failed = SealError::Etcd(format!("{node}: {why}")),
                settled => return settled,
            }
        }
        Err(failed)
    }
}
