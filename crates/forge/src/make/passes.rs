//! Goes through the passes: each is an engine with a blueprint and a goal.

use std::collections::BTreeMap;

use tokio::sync::mpsc::Receiver;

use ringfort_engine::{
    AuthoritySeen, Circumstances, Encryption, Goal, Mission, Operator, Remember, Report, Rounds,
    Signing,
};
use ringfort_model::blueprint::Blueprint;
use ringfort_model::certificate::{Authority, CertRequest};
use ringfort_model::content::SecretName;
use ringfort_model::event::Event;
use ringfort_model::secret::Secret;
use ringfort_pki::{LEAF_LIFE, Signer};

use super::{MakeError, Site, Work, marked, stage};
use crate::drive::run::{Crew, End, run};
use crate::render;

impl Work<'_> {
    /// Goes through all passes, and again as long as control planes are still to join.
    pub(super) async fn rounds(
        &mut self,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<(), MakeError> {
        let keys = marked(render::keys(self.spec, &self.memory.trust), self.spec);
        let mut rounds = Rounds::new(self.spec.control_planes().count());
        loop {
            let passes = self.round(&keys, tell, interrupts).await?;
            if rounds.go_on(&passes.iter().collect::<Vec<_>>()) {
                continue;
            }
            return finished(together(passes));
        }
    }

    /// Goes through all passes once. What one leaves open keeps the next from nothing that does not
    /// need it: a machine without power is no reason to leave the others as they are.
    async fn round(
        &mut self,
        keys: &Blueprint,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<[Report; 3], MakeError> {
        stage(self, "membership", tell);
        let membership = self.pass(Goal::Membership, keys, tell, interrupts).await?;
        stage(self, "keys", tell);
        let prepared = self.pass(Goal::Prepare, keys, tell, interrupts).await?;
        self.note_keys(keys, &prepared).await?;
        let blueprint = self.render()?;
        stage(self, "files of the bundle", tell);
        tokio::select! {
            // What was brought stays in the machines' stores, and is not brought again.
            brought = self.supply(&blueprint) => drop(brought?),
            Some(()) = interrupts.recv() => return Err(MakeError::Interrupted),
        }
        stage(self, "machines and API", tell);
        self.note_objects(&blueprint)?;
        self.note_baselines(&blueprint)?;
        let converged = self.pass(Goal::Converge, &blueprint, tell, interrupts).await?;
        self.note_made(&converged)?;
        if converged.is_complete() {
            self.memory.announce()?;
        }
        Ok([membership, prepared, converged])
    }

    pub(super) async fn pass(
        &mut self,
        goal: Goal,
        blueprint: &Blueprint,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<Report, MakeError> {
        self.pass_over(self.site, goal, blueprint, tell, interrupts).await
    }

    /// Runs one engine to its end with these machines.
    pub(super) async fn pass_over(
        &mut self,
        site: &Site,
        goal: Goal,
        blueprint: &Blueprint,
        tell: &mut dyn FnMut(Event),
        interrupts: &mut Receiver<()>,
    ) -> Result<Report, MakeError> {
        let circumstances = self.circumstances(goal);
        let mission = Mission { goal, blueprint: blueprint.clone(), circumstances };
        // Machines are emptied without a signature, also when the authorities' life is over.
        let signers = if goal == Goal::Reset { BTreeMap::new() } else { self.signers()? };
        let sign = |request: &CertRequest, csr: &str| {
            let signer = signers.get(&request.authority).ok_or("there is no such authority")?;
            signer.sign(request, csr, LEAF_LIFE).map_err(|error| error.to_string())
        };
        let secrets = self.secrets();
        let memory = &mut self.memory;
        let mut remember = |what: &Remember| memory.remember(what).map_err(|e| e.to_string());
        let links = site.links();
        let crew = Crew {
            links: &links,
            missing: &site.missing,
            servers: &self.servers,
            objects: &blueprint.objects,
            sign: &sign,
            secrets: &secrets,
            remember: &mut remember,
            tell,
            start: self.start,
        };
        match run(Operator::new(mission), crew, interrupts).await {
            End::Finished(report) if report.interrupted => Err(MakeError::Interrupted),
            End::Finished(report) => Ok(report),
            End::Refused(refusals) => Err(MakeError::Refused(refusals)),
            End::NotKept(why) => Err(MakeError::Other(why)),
        }
    }

    /// Gives what travels to machines.
    fn secrets(&self) -> BTreeMap<SecretName, Secret<Vec<u8>>> {
        let configuration = self.keyring.encryption().configuration().file;
        let token =
            self.findings_token.map(|token| Secret::new(token.expose().clone().into_bytes()));
        let token = token.map(|token| (SecretName::FindingsToken, token));
        let first = (SecretName::EncryptionConfiguration, configuration);
        [first].into_iter().chain(token).collect()
    }

    pub(super) fn circumstances(&self, goal: Goal) -> Circumstances {
        let trust = &self.memory.trust;
        let authorities = trust.authorities.iter().map(|(authority, facts)| {
            let seen = AuthoritySeen { key_id: facts.key_id.clone(), not_after: facts.not_after };
            (*authority, seen)
        });
        let active = trust.service_account_keys.iter().filter(|(_, key)| key.retired.is_none());
        Circumstances {
            now_s: self.now_s,
            epoch: self.epoch,
            authorities: authorities.collect(),
            encryption: Encryption {
                held: self.keyring.encryption().names().into_iter().collect(),
                named: trust.encryption.keys.iter().cloned().collect(),
                loaded: self.keyring.encryption().loaded().clone(),
                retired: self.keyring.encryption().retired().map(str::to_owned).collect(),
            },
            // The pass that makes keys is the one that may make other keys than are known.
            signing: (goal != Goal::Prepare).then(|| Signing {
                path: render::SIGNING_KEY.to_owned(),
                known: active.map(|(id, key)| (key.node.clone(), id.clone())).collect(),
            }),
            unannounced: trust
                .service_account_keys
                .values()
                .filter(|key| key.retired.is_none() && !key.announced)
                .map(|key| key.node.clone())
                .collect(),
            known: self.memory.known,
            started: trust.started.clone(),
            foundings: trust.foundings.clone(),
        }
    }

    fn signers(&self) -> Result<BTreeMap<Authority, Signer>, MakeError> {
        Authority::ALL
            .into_iter()
            .map(|authority| Ok((authority, self.keyring.signer(authority, self.now_s)?)))
            .collect::<Result<_, ringfort_pki::SignError>>()
            .map_err(|error| MakeError::Other(error.to_string()))
    }
}

/// Puts together what several passes left open. The last one knows most of what waits.
fn together(passes: [Report; 3]) -> Report {
    let mut all = Report::default();
    for pass in passes {
        all.again |= pass.again;
        all.failures.extend(pass.failures);
        all.unreachable.extend(pass.unreachable);
        all.waiting = pass.waiting;
    }
    all
}

/// Makes an error of a report that leaves something open.
pub(super) fn finished(report: Report) -> Result<(), MakeError> {
    match report.is_complete() && !report.again {
        true => Ok(()),
        false => Err(MakeError::Unfinished(Box::new(report))),
    }
}
