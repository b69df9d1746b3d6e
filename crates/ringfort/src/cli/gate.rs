//! The gate of `ringfort up`: proofs are made in a namespace of their own, shown as rows, and kept.
//!
//! What was proved is not proved again while it is fresh: after changes everything that disturbs
//! nobody is. What stops a control plane is when it was never shown of these machines and this bundle,
//! when that was 90 days ago, or when it is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;

use ringfort_forge::keyring::Keyring;
use ringfort_forge::make::{Site, Ways, encryption_keys};
use ringfort_model::api_object::ObjectKey;
use ringfort_model::certificate::Authority;
use ringfort_model::digest::Digest;
use ringfort_model::event::Event;
use ringfort_model::judgement::{Decided, Verdict};
use ringfort_prove::drive;
use ringfort_prove::gate::{GATE, PodTraffic, Proof, Scene};

use super::Fault;
use super::evidence::{Evidence, Fresh, Setting, Shown};
use super::play::cut_by;
use super::session::{Session, now_s};

/// What the gate works on.
pub struct Scope<'a> {
    /// The machines.
    pub site: &'a Site,
    /// The ways to the API.
    pub ways: &'a Ways,
    /// The operator's secrets.
    pub keyring: &'a Keyring,
    /// The digests of the guards in the blueprint's files, by admission plugin.
    pub guards: BTreeMap<String, String>,
    /// What is proved of the control planes is about these.
    pub setting: Setting,
}

/// Marks namespaces of canaries, so that an interrupted run's are found.
const CANARY_LABEL: &str = "ringfort.dev/canary";
/// The time before a proof that could not be made is tried once more.
const PAUSE: Duration = Duration::from_secs(3);

/// Makes the proofs that are due and shows a row for each.
pub async fn prove(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    fresh: Fresh,
    interrupts: &mut Receiver<()>,
) -> Result<(), Fault> {
    session.voice.stage("proofs");
    let mut evidence = read(session, scope);
    let is_due = |proof: &&Proof| evidence.is_due(proof.control, fresh, &scope.setting, now_s());
    let due: Vec<&Proof> = GATE.iter().filter(is_due).collect();
    let result = prove_due(session, scope, &due, &mut evidence, interrupts).await;
    if !due.is_empty() {
        clear(scope, "").await;
    }
    result
}

async fn prove_due(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    due: &[&Proof],
    evidence: &mut Evidence,
    interrupts: &mut Receiver<()>,
) -> Result<(), Fault> {
    let site = drive::Site {
        hosts: scope.site.hosts(),
        servers: scope.ways.servers.clone(),
        balancers: scope.ways.balancers.clone(),
        keys: encryption_keys(scope.keyring),
    };
    let mut scene = scene(session, scope)?;
    if !due.is_empty() {
        between_proofs(interrupts, make_namespace(scope, &scene.namespace)).await?;
    }
    for proof in GATE {
        if due.iter().any(|due| due.control == proof.control) {
            let made = drive::prove(proof, &scene, &site, interrupts).await;
            let (mut judgement, mut transcript) = made.map_err(Fault::interrupted)?;
            if judgement.is_err() {
                // What could not be looked at once is looked at again, in a namespace of its own.
                scene = self::scene(session, scope)?;
                between_proofs(interrupts, async {
                    tokio::time::sleep(PAUSE).await;
                    make_namespace(scope, &scene.namespace).await
                })
                .await?;
                let again = drive::prove(proof, &scene, &site, interrupts).await;
                (judgement, transcript) = again.map_err(Fault::interrupted)?;
            }
            let shown = Shown { at_s: now_s(), of: scope.setting.clone(), judgement, transcript };
            evidence.controls.insert(proof.control.to_owned(), shown);
            keep(session, evidence)?;
        }
        show(session, proof, evidence);
    }
    Ok(())
}

/// Does what only prepares a proof, and may be cut.
async fn between_proofs<T>(
    interrupts: &mut Receiver<()>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    cut_by(interrupts, "interrupted between two proofs: run it again", work).await
}

fn show(session: &mut Session<'_>, proof: &Proof, evidence: &Evidence) {
    let Some(shown) = evidence.controls.get(proof.control) else { return };
    let detail = match &shown.judgement {
        Ok(Decided::Pass(evidence)) => evidence.to_string(),
        Ok(Decided::NotApplicable { reason }) => reason.clone(),
        Ok(Decided::Fail(finding)) => format!("{}\n      fix: {}", finding.said, finding.fix),
        Err(gap) => format!("{}\n      to close the gap: {}", gap.said, gap.closes),
    };
    let event = Event::Proof {
        control: proof.control.to_owned(),
        verdict: Verdict::from(&shown.judgement),
        detail,
        seconds: session.voice.seconds(),
    };
    session.voice.tell(&event);
}

fn scene(session: &Session<'_>, scope: &Scope<'_>) -> Result<Scene, Fault> {
    let probe = session.bundle.lock().image("probe");
    let probe =
        probe.ok_or_else(|| Fault::usage("the bundle has no probe image: build it again"))?;
    let mut word = [0; 8];
    aws_lc_rs::rand::fill(&mut word)
        .map_err(|_| Fault::unable("the machine gives no randomness"))?;
    let nonce = Digest::of(&word).as_str()[..24].to_owned();
    Ok(Scene {
        control_planes: session.spec.control_planes().map(|node| node.name.clone()).collect(),
        workers: session.spec.workers().map(|node| node.name.clone()).collect(),
        namespace: format!("ringfort-canary-{}", &nonce[..8]),
        nonce,
        domain: session.spec.network.domain.clone(),
        api_address: session.spec.network.api_address(),
        probe_image: probe.reference.to_owned(),
        waived: ringfort_controls::access::waived_namespaces::waived(&session.spec),
        guards: scope.guards.clone(),
        pod_traffic: match session.encrypted {
            true => PodTraffic::Encrypted { pods: session.spec.network.pods },
            false => PodTraffic::Open { why: session.pod_traffic.clone() },
        },
    })
}

async fn make_namespace(scope: &Scope<'_>, name: &str) -> Result<(), Fault> {
    clear(scope, "").await;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {CANARY_LABEL: "true"}},
    });
    let account = ObjectKey {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        namespace: Some(name.to_owned()),
        name: "default".to_owned(),
    };
    let mut last = String::new();
    for _ in 0..150 {
        for server in scope.ways.servers.values() {
            match server.apply(&namespace).await {
                Ok(_) if server.get(&account).await.is_ok_and(|found| found.is_some()) => {
                    return Ok(());
                }
                Ok(_) => last = "its service account is not there yet".to_owned(),
                Err(error) => last = error.to_string(),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Fault::unable(format!("the canaries' namespace {name} could not be made: {last}")))
}

/// Deletes the canaries' namespaces, an interrupted run's included.
async fn clear(scope: &Scope<'_>, known: &str) {
    for server in scope.ways.servers.values() {
        let label = format!("{CANARY_LABEL}=true");
        let Ok(found) = server.list("v1", "Namespace", None, Some(&label)).await else { continue };
        let name = |object: &Value| object.pointer("/metadata/name")?.as_str().map(str::to_owned);
        for name in found.iter().filter_map(name).chain([known.to_owned()]) {
            let key = ObjectKey {
                api_version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                namespace: None,
                name,
            };
            // What stays is found by its label the next time.
            if !key.name.is_empty() {
                let _ = server.delete(&key).await;
            }
        }
        return;
    }
}

/// Where evidence is kept, beside the operator's state.
fn path(session: &Session<'_>) -> PathBuf {
    session.state.path().join("evidence.json")
}

fn read(session: &Session<'_>, scope: &Scope<'_>) -> Evidence {
    let authorities = scope.keyring.authorities().ok();
    let cluster = authorities.as_ref().and_then(|all| all.get(&Authority::Cluster));
    Evidence::read(&path(session), cluster.map_or("", |authority| &authority.key_id))
}

fn keep(session: &Session<'_>, evidence: &Evidence) -> Result<(), Fault> {
    let path = path(session);
    let unable = |error| Fault::unable(format!("{} cannot be written: {error}", path.display()));
    evidence.write(&path).map_err(unable)
}
