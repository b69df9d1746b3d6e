//! The gate of `ringfort up`: proofs are made in a namespace of their own, shown as rows, and kept.
//!
//! What was proved is not proved again while it is fresh: after changes everything that disturbs
//! nobody is. What stops a control plane is when it was never shown of these machines and this bundle,
//! when that was 90 days ago, or when it is asked for. What is proved only when it is asked for is no row
//! otherwise, unless it passed before and still counts, or failed and was not made again.

mod row;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use ringfort_controls::audit::findings_are_told;
use ringfort_controls::audit::policy_is_set::blind_spots;
use ringfort_controls::proof::{AuthorityMark, PodTraffic, Signed};
use ringfort_controls::{Phase, Proof, Scene, admission, proved};
use ringfort_facts::certificate;
use ringfort_forge::bundle::{Bundle, Programs};
use ringfort_forge::drive::fleet::BINARY;
use ringfort_forge::keyring::Keyring;
use ringfort_forge::make::{Site, Ways, Work, encryption_keys};
use ringfort_model::act::FileSeen;
use ringfort_model::blueprint::{Blueprint, Machine, Role};
use ringfort_model::bundle::BundleLock;
use ringfort_model::certificate::{Authority, San};
use ringfort_model::content::Content;
use ringfort_model::digest::Digest;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::judgement::{Gap, Verdict};
use ringfort_model::name::NodeName;
use ringfort_model::trust::{BaselineFacts, TrustFacts};
use ringfort_prove::drive::{self, TURNS_EACH};
use ringfort_prove::silence::Silence;
use ringfort_spec::{Spec, nearest};

use super::Fault;
use super::canaries::{Nonce, clear, make_namespace};
use super::credentials::papers;
use super::decision::{Came, Gate, Part, decide};
use super::evidence::{ARCHIVE, About, Evidence, Fresh, Now, PUBLIC_KEY, Setting};
use super::machines;
use super::play::cut_by;
use super::session::{Session, now_s};
use super::up::fault;
pub use row::{Made, tell};
use row::{not_shown, show, unasked};

/// What the gate works on.
pub struct Scope<'a> {
    site: &'a Site,
    ways: &'a Ways,
    /// The operator's secrets.
    pub keyring: Keyring,
    blueprint: Blueprint,
    /// What is proved of the control planes is about these.
    setting: Setting,
    /// Where each machine is.
    machines: BTreeMap<NodeName, IpAddr>,
    /// By what each machine's agent is to go.
    signed: BTreeMap<NodeName, Signed>,
    /// The programs of the bundle, once they were looked up.
    programs: OnceCell<Programs>,
}

impl<'a> Scope<'a> {
    /// Takes what making a cluster came to.
    pub fn of(work: Work<'_>, site: &'a Site, ways: &'a Ways) -> Result<Self, Fault> {
        let blueprint = work.render().map_err(fault)?;
        let setting = Setting::of(work.spec, work.bundle.lock(), &work.memory.trust);
        let machines = addresses(work.spec);
        let signed = signed(&work.memory.trust);
        Ok(Self {
            site,
            ways,
            keyring: work.keyring,
            blueprint,
            setting,
            machines,
            signed,
            programs: OnceCell::new(),
        })
    }

    fn now(&self) -> Now<'_> {
        Now { setting: &self.setting, machines: &self.machines, s: now_s() }
    }

    fn programs(&self, bundle: &Bundle) -> Result<Programs, Fault> {
        if let Some(programs) = self.programs.get() {
            return Ok(programs.clone());
        }
        let programs = bundle.programs().map_err(Fault::unable)?;
        Ok(self.programs.get_or_init(|| programs).clone())
    }
}

/// Gives where each machine of a specification is.
pub fn addresses(spec: &Spec) -> BTreeMap<NodeName, IpAddr> {
    spec.nodes.iter().map(|(name, node)| (name.clone(), node.address)).collect()
}

/// The time before a proof that could not be made is tried once more. It runs from when that was told: while others
/// were made for longer, it has passed.
const PAUSE: Duration = Duration::from_secs(3);

/// What the gate came to, if all of it passed.
pub struct Shown {
    /// The controls that are proved.
    pub controls: BTreeSet<String>,
    /// Digest of the signed evidence.
    pub evidence: Digest,
}

/// A control's id, with how it is proved.
pub type Row = (&'static str, Proof);

/// Gives the proofs of these controls, or of all if none is named.
///
/// # Errors
/// A control is none, or has no proof.
pub fn rows(named: &[String]) -> Result<Vec<Row>, Fault> {
    let all = proved().into_iter().map(|(control, proof)| (control.id, proof));
    if let Some(other) = named.iter().find(|name| !all.clone().any(|(id, _)| id == *name)) {
        let ids: Vec<&str> = all.map(|(id, _)| id).collect();
        let way_out = match nearest(other, &ids) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`ringfort explain` lists what there is".to_owned(),
        };
        return Err(Fault::usage(format!("no control `{other}` is proved: {way_out}")));
    }
    Ok(all.filter(|(id, _)| named.is_empty() || named.iter().any(|name| name == id)).collect())
}

/// Makes those of the proofs that are due and shows a row for each, and decides whether the cluster is handed
/// over. What is waived for the whole cluster has a row of its own already.
pub async fn prove(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    rows: Vec<Row>,
    fresh: Fresh,
    interrupts: &mut Receiver<()>,
) -> Result<Option<Shown>, Fault> {
    session.voice.stage("proofs");
    let mut evidence = read(session, scope);
    let (waived, rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|(control, _)| session.spec.waives(control));
    let now = scope.now();
    let part = |row: &Row| evidence.part(row.0, row.1.phase, fresh, &now);
    let parts: Vec<(Row, Part)> = rows.into_iter().map(|row| (row, part(&row))).collect();
    let of = |wanted| parts.iter().filter(move |(_, part)| *part == wanted).map(|(row, _)| *row);
    let due: Vec<Row> = of(Part::Due).collect();
    if !due.is_empty() {
        let result = prove_due(session, scope, &due, &mut evidence, interrupts).await;
        clear(&scope.ways.servers).await;
        // What was shown before an interruption is kept.
        store(session, &evidence)?;
        result?;
        sign(session, scope, &evidence).await?;
    }
    of(Part::Before).for_each(|row| show(session, row.0, &evidence, Made::Before));
    for (control, _) in of(Part::NotShown) {
        tell(session.voice, control, &Err(not_shown()), Made::Before);
    }
    if let Some(note) = unasked(&parts) {
        session.voice.note(&note);
    }
    let proofs = proved().into_iter().map(|(control, proof)| (control.id, proof.phase));
    match decide(proofs, &came(&waived, &parts, &evidence)) {
        Gate::Open => shown(session, scope, &evidence).await.map(Some),
        Gate::Shut => Ok(None),
    }
}

/// Gives what each proof came to.
fn came(
    waived: &[Row],
    parts: &[(Row, Part)],
    evidence: &Evidence,
) -> BTreeMap<&'static str, Came> {
    let verdict = |control: &str| {
        let shown = evidence.controls.get(control);
        shown.map_or(Verdict::Unknown, |shown| Verdict::from(&shown.judgement))
    };
    let of = |(row, part): &(Row, Part)| match part {
        Part::Due | Part::Before => (row.0, Came::To(verdict(row.0))),
        Part::NotShown => (row.0, Came::To(Verdict::Unknown)),
        Part::Unasked(_) => (row.0, Came::Unasked),
    };
    let waived = waived.iter().map(|row| (row.0, Came::Waived));
    waived.chain(parts.iter().map(of)).collect()
}

/// Gives what is proved, with the digest of the archive that says so.
async fn shown(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    evidence: &Evidence,
) -> Result<Shown, Fault> {
    let path = session.state.path().join(ARCHIVE);
    if !path.exists() {
        sign(session, scope, evidence).await?;
    }
    let archive = fs::read(&path)
        .map_err(|error| Fault::unable(format!("{} cannot be read: {error}", path.display())))?;
    let told = telling(session, scope, evidence);
    Ok(Shown { controls: told.proved(), evidence: Digest::of(&archive) })
}

/// Gives of all evidence what others are told.
fn telling(session: &Session<'_>, scope: &Scope<'_>, evidence: &Evidence) -> Evidence {
    let is_waived = |control: &str| session.spec.waives(control);
    evidence.clone().telling(is_waived, &scope.now())
}

/// Writes all evidence as one signed archive with the facts of machines, and the public key beside it.
async fn sign(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    evidence: &Evidence,
) -> Result<(), Fault> {
    let key = scope.keyring.evidence_key().map_err(Fault::unable)?;
    let lock = session.bundle.lock();
    let machines = machines::facts(scope.site).await;
    let about = About {
        cluster: session.spec.name.as_str(),
        kubernetes: lock.kubernetes.to_string(),
        spec: session.text.as_bytes(),
        lock: lock.render(),
        minor: session.spec.kubernetes.minor,
        machines: &machines,
    };
    let told = telling(session, scope, evidence);
    let archive = told.archive(&about, &key).map_err(Fault::unable)?;
    for (name, bytes) in [(PUBLIC_KEY, key.public().pem.into_bytes()), (ARCHIVE, archive)] {
        let path = session.state.path().join(name);
        let aside = path.with_extension("new");
        fs::write(&aside, bytes).and_then(|()| fs::rename(&aside, &path)).map_err(|error| {
            Fault::unable(format!("{} cannot be written: {error}", path.display()))
        })?;
    }
    session.voice.evidence(&session.state.path().join(ARCHIVE));
    Ok(())
}

async fn prove_due(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    due: &[Row],
    evidence: &mut Evidence,
    interrupts: &mut Receiver<()>,
) -> Result<(), Fault> {
    let site = site(scope)?;
    for phase in [Phase::Ground, Phase::Gentle, Phase::Disruptive, Phase::Asked] {
        let rows: Vec<Row> = due.iter().filter(|row| row.1.phase == phase).copied().collect();
        // What stops something is done one by one.
        let width = if phase.stops() { 1 } else { rows.len().max(1) };
        for rows in rows.chunks(width) {
            let none = Unshown::new();
            let once = (rows, &mut *evidence, &none);
            let (first, told) = attempt(session, scope, &site, once, interrupts).await?;
            if first.is_empty() {
                continue;
            }
            // What could not be looked at once is looked at again.
            between_proofs(interrupts, async {
                tokio::time::sleep(PAUSE.saturating_sub(told.elapsed())).await;
                Ok(())
            })
            .await?;
            let rows: Vec<Row> =
                rows.iter().filter(|row| first.contains_key(row.0)).copied().collect();
            let again = (rows.as_slice(), &mut *evidence, &first);
            let (unknown, _) = attempt(session, scope, &site, again, interrupts).await?;
            for control in unknown.keys() {
                show(session, control, evidence, Made::after(control, &first));
            }
        }
    }
    Ok(())
}

/// What could not be shown, by control.
type Unshown = BTreeMap<&'static str, Gap>;

/// Makes proofs side by side in a namespace of their own, shows each as it is made, and gives those that
/// could not be, with when the last of them was told. What could not be shown before says which are made for the
/// second time.
async fn attempt(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    site: &drive::Site,
    (rows, evidence, before): (&[Row], &mut Evidence, &Unshown),
    interrupts: &mut Receiver<()>,
) -> Result<(Unshown, Instant), Fault> {
    let scene = scene(session, scope)?;
    between_proofs(interrupts, make_namespace(&scope.ways.servers, &scene.namespace)).await?;
    let (mut unknown, mut told) = (Unshown::new(), Instant::now());
    let made = drive::prove(rows, &scene, site, interrupts, |made| {
        let (control, gap) = (made.control, made.judgement.as_ref().err().cloned());
        evidence.take(made, &scene, &scope.setting);
        match gap {
            Some(gap) => {
                told = Instant::now();
                unknown.insert(control, gap);
            }
            None => show(session, control, evidence, Made::after(control, before)),
        }
    });
    made.await.map_err(Fault::interrupted)?;
    Ok((unknown, told))
}

/// Does what only prepares a proof, and may be cut.
async fn between_proofs<T>(
    interrupts: &mut Receiver<()>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    cut_by(interrupts, "interrupted between two proofs: run it again", work).await
}

/// The ways into the cluster.
fn site(scope: &Scope<'_>) -> Result<drive::Site, Fault> {
    let hosts = scope.site.hosts();
    let turns = hosts.keys().map(|node| (node.clone(), Semaphore::new(TURNS_EACH))).collect();
    Ok(drive::Site {
        hosts,
        servers: scope.ways.servers.clone(),
        strangers: scope.ways.strangers.clone(),
        balancers: scope.ways.balancers.clone(),
        keys: encryption_keys(&scope.keyring),
        papers: papers(&scope.keyring)?,
        turns,
        silence: Silence::default(),
        program: BINARY,
    })
}

fn scene(session: &Session<'_>, scope: &Scope<'_>) -> Result<Scene, Fault> {
    let lock = session.bundle.lock();
    let probe = lock.image("probe");
    let probe =
        probe.ok_or_else(|| Fault::usage("the bundle has no probe image: build it again"))?;
    let Nonce { word, namespace } = Nonce::draw()?;
    let (spec, machines) = (&session.spec, &scope.blueprint.machines);
    let mut versions: BTreeMap<String, String> =
        lock.entries.iter().map(|entry| (entry.name.clone(), entry.version.clone())).collect();
    versions.insert("kubernetes".to_owned(), lock.kubernetes.to_string());
    let plane = machines.values().find(|machine| machine.role == Role::ControlPlane);
    Ok(Scene {
        control_planes: spec.control_planes().map(|node| node.name.clone()).collect(),
        workers: spec.workers().map(|node| node.name.clone()).collect(),
        namespace,
        nonce: word,
        domain: spec.network.domain.clone(),
        api_address: spec.network.api_address(),
        probe_image: probe.reference.to_owned(),
        waived: ringfort_controls::access::waived_namespaces::waived(spec),
        guards: plane.map(admission::digests).unwrap_or_default(),
        api_guards: admission::in_api(&scope.blueprint),
        addons: ringfort_controls::workload::addons::of(&scope.blueprint),
        told: findings_are_told::told(&spec.audit.tell),
        blind: blind_spots(&session.logs.files.own),
        pod_traffic: match session.encrypted {
            true => PodTraffic::Encrypted { pods: spec.network.pods },
            false => PodTraffic::Open { why: session.pod_traffic.clone() },
        },
        addresses: scope.machines.clone(),
        names: machines.iter().map(|(name, machine)| (name.clone(), names(machine))).collect(),
        authorities: authorities(&scope.keyring)?,
        app_armor: spec
            .nodes
            .iter()
            .filter(|(_, node)| node.runtime.app_armor)
            .map(|(name, _)| name.clone())
            .collect(),
        minor: spec.kubernetes.minor,
        versions,
        programs: scope.programs(&session.bundle)?,
        program_files: machines
            .iter()
            .map(|(name, machine)| (name.clone(), program_files(machine, lock)))
            .collect(),
        files: machines.iter().map(|(name, machine)| (name.clone(), files(machine))).collect(),
        signed: scope.signed.clone(),
        now_s: now_s(),
    })
}

/// By what agents are to go: what was signed last for their machines, whatever has been written into the specification
/// since.
fn signed(trust: &TrustFacts) -> BTreeMap<NodeName, Signed> {
    let Some(key) = trust.baseline_key_digest() else { return BTreeMap::new() };
    let signed = |facts: &BaselineFacts| {
        let (number, says) = (facts.number, facts.digest.clone());
        Signed { key: key.clone(), number, says }
    };
    trust.baselines.iter().map(|(name, facts)| (name.clone(), signed(facts))).collect()
}

fn authorities(keyring: &Keyring) -> Result<BTreeMap<Authority, AuthorityMark>, Fault> {
    let facts = keyring.authorities().map_err(Fault::unable)?;
    let mark = |(authority, facts): (Authority, ringfort_model::trust::AuthorityFacts)| {
        let seen = certificate::read(facts.certificate_pem.as_bytes()).map_err(Fault::unable)?;
        Ok((authority, AuthorityMark { key_id: facts.key_id, public_key: seen.public_key }))
    };
    facts.into_iter().map(mark).collect()
}

/// The files of a machine, as they should be.
fn files(machine: &Machine) -> BTreeMap<String, FileSeen> {
    let file = |(id, item): (&ItemId, &Item)| {
        let ((ItemId::File(path), What::File { mode, owner, .. })
        | (ItemId::Directory(path), What::Directory { mode, owner })) = (id, &item.what)
        else {
            return None;
        };
        let mode = mode.to_string().trim_start_matches('0').to_owned();
        Some((path.clone(), FileSeen { mode, user: owner.uid, group: owner.gid }))
    };
    machine.items.iter().filter_map(file).collect()
}

/// The names of all certificates of a machine.
fn names(machine: &Machine) -> BTreeSet<San> {
    let of = |item: &Item| match &item.what {
        What::File { content: Content::Issued(request), .. } => request.names.clone(),
        _ => BTreeSet::new(),
    };
    machine.items.values().flat_map(of).collect()
}

/// Where programs of the bundle lie on a machine. This program comes from its operator, not from there.
fn program_files(machine: &Machine, lock: &BundleLock) -> BTreeSet<String> {
    let is_of_bundle = |content: &Content| match content {
        Content::Bundled { digest, .. } => lock.entries.iter().any(|entry| entry.sha256 == *digest),
        _ => false,
    };
    let path = |(id, item): (&ItemId, &Item)| match (id, &item.what) {
        (ItemId::File(path), What::File { content, .. }) if is_of_bundle(content) => {
            Some(path.clone())
        }
        _ => None,
    };
    machine.items.iter().filter_map(path).collect()
}

/// Evidence as it was before something that shall not count.
pub struct Kept {
    path: PathBuf,
    content: Option<Vec<u8>>,
}

impl Kept {
    /// Takes the evidence as it is.
    pub fn of(session: &Session<'_>) -> Self {
        let path = path(session);
        Self { content: fs::read(&path).ok(), path }
    }

    /// Puts it back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn put_back(self) -> Result<(), Fault> {
        let done = match self.content {
            Some(content) => fs::write(&self.path, content),
            None => fs::remove_file(&self.path),
        };
        match done {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::unable(format!("{} cannot be written: {error}", self.path.display())))
            }
            _ => Ok(()),
        }
    }
}

/// Where evidence is kept, beside the operator's state.
fn path(session: &Session<'_>) -> PathBuf {
    session.state.path().join("evidence.json")
}

fn read(session: &Session<'_>, scope: &Scope<'_>) -> Evidence {
    let authorities = scope.keyring.authorities().ok();
    let cluster = authorities.as_ref().and_then(|all| all.get(&Authority::Cluster));
    Evidence::read(&path(session), cluster.map_or("", |authority| &authority.key_id)).standing()
}

fn store(session: &Session<'_>, evidence: &Evidence) -> Result<(), Fault> {
    let path = path(session);
    let unable = |error| Fault::unable(format!("{} cannot be written: {error}", path.display()));
    evidence.write(&path).map_err(unable)
}
