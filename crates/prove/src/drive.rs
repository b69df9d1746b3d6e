//! Does what proofs ask for, and writes the transcript.
//!
//! Acts that a proof asks for at once are done side by side, but a `Wait` holds up those behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use ringfort_api::{ApiError, Cluster};
use ringfort_host::{Host, quote};
use ringfort_model::act::{Act, Ask, Next, Seen, Speaker};
use ringfort_model::judgement::{Gap, Judgement};
use ringfort_model::name::NodeName;
use ringfort_model::secret::Secret;

use crate::gate::{Proof, Scene};
use crate::halt::{Halt, INTERRUPTED};
use crate::listen;
use crate::rehearse;
use crate::secretbox::{self, Raw};

/// The ways into a cluster that proofs need.
pub struct Site {
    /// The way into each machine.
    pub hosts: BTreeMap<NodeName, Arc<Host>>,
    /// Each API server, by its control plane, as ringfort's own identity.
    pub servers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The API through each worker's balancer, as ringfort's own identity.
    pub balancers: BTreeMap<NodeName, Arc<Cluster>>,
    /// The keyring's encryption keys by name.
    pub keys: BTreeMap<String, Secret<[u8; 32]>>,
}

/// How often a proof may ask for more before it is given up.
const TURNS: usize = 2_000;
/// How long one act may take, apart from rehearsals.
const ACT_LIMIT: Duration = Duration::from_secs(40);
/// How long a rehearsal may take where nobody interrupts it: the control plane's way down and up again.
const REHEARSAL_LIMIT: Duration = Duration::from_secs(360);

/// A proof was ended early, and what it had under way is undone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted while a proof was made; what it had stopped is started again")]
pub struct Interrupted;

/// Makes one proof and gives its judgement with the transcript that it rests on.
///
/// # Errors
/// A word on the interrupt channel ends it early.
pub async fn prove(
    proof: &Proof,
    scene: &Scene,
    site: &Site,
    interrupts: &mut Receiver<()>,
) -> Result<(Judgement, Vec<(Act, Seen)>), Interrupted> {
    let (call, halt) = Halt::new();
    let made = make(proof, scene, site, &halt);
    tokio::pin!(made);
    tokio::select! {
        made = &mut made => return Ok(made),
        Some(()) = interrupts.recv() => {}
    }
    // What is under way hears it, and ends in good order.
    let _ = call.send(true);
    drop(made.await);
    Err(Interrupted)
}

async fn make(
    proof: &Proof,
    scene: &Scene,
    site: &Site,
    halt: &Halt,
) -> (Judgement, Vec<(Act, Seen)>) {
    let mut transcript = Vec::new();
    for _ in 0..TURNS {
        if halt.is_called() {
            hush(site, &transcript).await;
            return (unfinished("the proof was interrupted".to_owned()), transcript);
        }
        match (proof.next)(scene, &transcript) {
            Next::Done(judgement) => return (judgement, transcript),
            Next::Do(acts) => perform(site, acts, &mut transcript, halt).await,
        }
    }
    (unfinished(format!("the proof asked for more than {TURNS} times")), transcript)
}

fn unfinished(said: String) -> Judgement {
    Err(Gap { said, closes: "ringfort up".to_owned() })
}

/// Ends every count that was begun and not heard.
async fn hush(site: &Site, transcript: &[(Act, Seen)]) {
    let mut listening = BTreeSet::new();
    for (act, _) in transcript {
        match act {
            Act::Listen { node, .. } => drop(listening.insert(node)),
            Act::Hear { node } => drop(listening.remove(node)),
            _ => {}
        }
    }
    // Counting disturbs nobody, and the next proof begins by ending it.
    join_all(listening.into_iter().map(|node| async {
        tokio::time::timeout(ACT_LIMIT, run(site, node, &listen::end())).await
    }))
    .await;
}

async fn perform(site: &Site, acts: Vec<Act>, transcript: &mut Vec<(Act, Seen)>, halt: &Halt) {
    let mut acts = acts.into_iter().peekable();
    while acts.peek().is_some() {
        let mut together = Vec::new();
        while let Some(act) = acts.next_if(|act| !matches!(act, Act::Wait { .. })) {
            together.push(act);
        }
        let seen = join_all(together.iter().map(|act| one(site, act, halt))).await;
        transcript.extend(together.into_iter().zip(seen));
        if let Some(wait) = acts.next() {
            let seen = one(site, &wait, halt).await;
            transcript.push((wait, seen));
        }
    }
}

async fn one(site: &Site, act: &Act, halt: &Halt) -> Seen {
    let limit = match act {
        Act::Rehearse { .. } => REHEARSAL_LIMIT,
        _ => ACT_LIMIT,
    };
    let done = async {
        match tokio::time::timeout(limit, try_one(site, act, halt)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(why)) => Seen::Failed { why },
            Err(_) => Seen::Failed { why: format!("no answer within {} s", limit.as_secs()) },
        }
    };
    match act {
        // It hears the word itself, since it has something to undo.
        Act::Rehearse { .. } => done.await,
        _ => tokio::select! {
            seen = done => seen,
            () = halt.called() => Seen::Failed { why: INTERRUPTED.to_owned() },
        },
    }
}

async fn try_one(site: &Site, act: &Act, halt: &Halt) -> Result<Seen, String> {
    match act {
        Act::Wait { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Ok(Seen::Done)
        }
        Act::Ask { server, speaker: Speaker::Keeper, ask: question } => {
            Ok(ask(way(&site.servers, server)?, question).await)
        }
        Act::Ask { server, speaker: Speaker::Admin, ask: Ask::Create(object) } => {
            let user = Speaker::Admin.user();
            let created = way(&site.servers, server)?.create_as(user, object).await;
            Ok(created.map_or_else(refusal, Seen::Object))
        }
        Act::Ask { .. } => Err("no identity of this kind is at hand".to_owned()),
        Act::ReadSealed { member, key } => sealed(site, member, key).await,
        Act::ReadAudit { server, holding } => audit(site, server, holding).await,
        Act::Listen { node, pods } => {
            run(site, node, &listen::begin(*pods)).await.map(|_| Seen::Done)
        }
        Act::Hear { node } => {
            listen::read(&run(site, node, &listen::end()).await?).map(Seen::Heard)
        }
        Act::Rehearse { stop, through, namespace, down_ms } => {
            let stopped = rehearse::Stopped {
                host: way(&site.hosts, stop)?,
                server: way(&site.servers, stop)?,
                down: Duration::from_millis(*down_ms),
            };
            let writer = way(&site.balancers, through)?;
            rehearse::rehearse(&stopped, writer, namespace, stop, halt).await.map(Seen::Load)
        }
    }
}

fn way<'a, T>(ways: &'a BTreeMap<NodeName, T>, node: &NodeName) -> Result<&'a T, String> {
    ways.get(node).ok_or_else(|| format!("there is no way to {node}"))
}

async fn ask(cluster: &Cluster, ask: &Ask) -> Seen {
    let answer = match ask {
        Ask::Create(object) => cluster.create(object).await.map(Seen::Object),
        Ask::Get(key) => cluster.get(key).await.map(|o| o.map_or(Seen::Absent, Seen::Object)),
        Ask::List { api_version, kind, namespace } => {
            cluster.list(api_version, kind, namespace.as_deref(), None).await.map(Seen::Objects)
        }
        Ask::Delete(key) => cluster.delete(key).await.map(|()| Seen::Done),
        Ask::Logs { namespace, pod } => cluster.logs(namespace, pod).await.map(Seen::Text),
        Ask::Read { path } => cluster.text(path).await.map(Seen::Text),
        Ask::Metrics { beginning } => cluster.text("/metrics").await.map(|text| {
            let wanted = text.lines().filter(|line| line.starts_with(beginning.as_str()));
            Seen::Lines(wanted.map(str::to_owned).collect())
        }),
    };
    answer.unwrap_or_else(refusal)
}

fn refusal(error: ApiError) -> Seen {
    match error {
        ApiError::Refused { status, message, .. } => Seen::Refused { status, message },
        other => Seen::Failed { why: other.to_string() },
    }
}

async fn sealed(site: &Site, member: &NodeName, key: &str) -> Result<Seen, String> {
    let pki = "/etc/kubernetes/pki";
    // A serializable read is answered by this member alone.
    let command = format!(
        "etcdctl --endpoints=https://127.0.0.1:2379 --cacert={pki}/etcd-client-ca.crt \
         --cert={pki}/apiserver-etcd-client.crt --key={pki}/apiserver-etcd-client.key \
         --consistency=s --write-out=json get {}",
        quote(key)
    );
    let stdout = run(site, member, &command).await?;
    let answer: Value = serde_json::from_slice(&stdout).map_err(|e| format!("etcdctl: {e}"))?;
    let Some(encoded) = answer.pointer("/kvs/0/value").and_then(Value::as_str) else {
        return Ok(Seen::Absent);
    };
    let value = STANDARD.decode(encoded).map_err(|e| format!("etcdctl: {e}"))?;
    Ok(match secretbox::read(&value) {
        Raw::Plain => Seen::NotSealed { how: "open".to_owned() },
        Raw::Otherwise { prefix } => {
            Seen::NotSealed { how: format!("as {}", String::from_utf8_lossy(prefix)) }
        }
        Raw::Sealed { key, body } => match site.keys.get(key) {
            None => Seen::NotOpened { why: format!("the keyring has no key {key:?}") },
            Some(secret) => match secretbox::open(secret.expose(), body) {
                Ok(plain) => Seen::Opened {
                    key: key.to_owned(),
                    plain: String::from_utf8_lossy(&plain).into_owned(),
                },
                Err(why) => Seen::NotOpened { why: why.to_string() },
            },
        },
    })
}

async fn audit(site: &Site, server: &NodeName, holding: &str) -> Result<Seen, String> {
    // grep's 1 says that no line holds the text, which is an answer.
    let command =
        format!("grep -F -- {} /var/log/kubernetes/audit.log || [ $? = 1 ]", quote(holding));
    let stdout = run(site, server, &command).await?;
    Ok(Seen::Lines(String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect()))
}

async fn run(site: &Site, node: &NodeName, command: &str) -> Result<Vec<u8>, String> {
    let output = way(&site.hosts, node)?.run(command, &[]).await.map_err(|e| e.to_string())?;
    if output.ok() { Ok(output.stdout) } else { Err(output.complaint()) }
}

#[cfg(test)]
mod tests {
    use ringfort_model::act::Transcript;
    use tokio::sync::mpsc::channel;

    use super::{Act, BTreeMap, Next, Proof, Scene, Site, prove};
    use crate::gate::PodTraffic;

    fn waits(_: &Scene, _: &Transcript) -> Next {
        Next::Do(vec![Act::Wait { ms: 86_400_000 }])
    }

    #[test]
    fn a_proof_ends_as_soon_as_it_is_interrupted() {
        let (servers, balancers) = (BTreeMap::new(), BTreeMap::new());
        let site = Site { hosts: BTreeMap::new(), servers, balancers, keys: BTreeMap::new() };
        let scene = Scene {
            control_planes: Vec::new(),
            workers: Vec::new(),
            namespace: "canary".to_owned(),
            nonce: "nonce".to_owned(),
            domain: "cluster.local".to_owned(),
            api_address: [10, 96, 0, 1].into(),
            probe_image: "probe".to_owned(),
            waived: BTreeMap::new(),
            guards: BTreeMap::new(),
            pod_traffic: PodTraffic::Open { why: "a test".to_owned() },
        };
        let proof = Proof { control: "test/waits", next: waits };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(async {
            let (press, mut interrupts) = channel(1);
            press.send(()).await.unwrap();
            prove(&proof, &scene, &site, &mut interrupts).await
        });
        assert!(ended.is_err());
    }
}
