//! The gate of `ringfort up`: proofs are made in a namespace of their own, shown as rows, and kept.
//!
//! What was proved is not proved again while it is fresh: after changes everything that disturbs
//! nobody is. What stops a control plane is when it was never shown of these machines and this bundle,
//! when that was 90 days ago, or when it is asked for. What is proved only when it is asked for is no row
//! otherwise, unless it was shown before and still counts.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use ringfort_controls::audit::findings_are_told;
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
use ringfort_model::event::Event;
use ringfort_model::integrity::KEY;
use ringfort_model::item::{Item, ItemId, What};
use ringfort_model::judgement::{Decided, Gap, Judgement, Verdict};
use ringfort_prove::drive::{self, TURNS_EACH};
use ringfort_prove::silence::Silence;
use ringfort_spec::nearest;

use super::Fault;
use super::canaries::{Nonce, clear, make_namespace};
use super::credentials::papers;
use super::evidence::{ARCHIVE, About, Evidence, Fresh, PUBLIC_KEY, Setting};
use super::integrity::signed::BASELINES;
use super::machines;
use super::play::cut_by;
use super::session::{Session, now_s};
use super::up::fault;
use crate::report::Voice;

/// What the gate works on.
pub struct Scope<'a> {
    site: &'a Site,
    ways: &'a Ways,
    /// The operator's secrets.
    pub keyring: Keyring,
    blueprint: Blueprint,
    /// What is proved of the control planes is about these.
    setting: Setting,
    /// The programs of the bundle, once they were looked up.
    programs: OnceCell<Programs>,
}

impl<'a> Scope<'a> {
    /// Takes what making a cluster came to.
    pub fn of(work: Work<'_>, site: &'a Site, ways: &'a Ways) -> Result<Self, Fault> {
        let blueprint = work.render().map_err(fault)?;
        let setting = Setting::of(work.spec, work.bundle.lock(), &work.memory.trust);
        Ok(Self {
            site,
            ways,
            keyring: work.keyring,
            blueprint,
            setting,
            programs: OnceCell::new(),
        })
    }

    fn programs(&self, bundle: &Bundle) -> Result<Programs, Fault> {
        if let Some(programs) = self.programs.get() {
            return Ok(programs.clone());
        }
        let programs = bundle.programs().map_err(Fault::unable)?;
        Ok(self.programs.get_or_init(|| programs).clone())
    }
}

/// The time before a proof that could not be made is tried once more.
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

/// Makes those of the proofs that are due and shows a row for each. What is waived for the whole cluster has
/// a row of its own already.
pub async fn prove(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    rows: Vec<Row>,
    fresh: Fresh,
    interrupts: &mut Receiver<()>,
) -> Result<Shown, Fault> {
    session.voice.stage("proofs");
    let mut evidence = read(session, scope);
    let rows: Vec<Row> =
        rows.into_iter().filter(|(control, _)| !session.spec.waives(control)).collect();
    let is_due =
        |row: &Row, fresh| evidence.is_due(row.0, row.1.phase, fresh, &scope.setting, now_s());
    let (due, rest): (Vec<Row>, Vec<Row>) = rows.iter().partition(|row| is_due(row, fresh));
    // What nobody asked for is no row; what was shown of it once is one for as long as it counts.
    let is_row =
        |row: &Row| row.1.phase != Phase::Asked || evidence.stands(row.0, &scope.setting, now_s());
    // What would be due, had it been asked for, counts no longer.
    let counts = |row| (row, !is_due(&row, Fresh::Stale));
    let (rest, unasked): (Vec<Row>, Vec<Row>) = rest.into_iter().partition(is_row);
    let counts: Vec<(Row, bool)> = rest.into_iter().map(counts).collect();
    if !due.is_empty() {
        let result = prove_due(session, scope, &due, &mut evidence, interrupts).await;
        clear(&scope.ways.servers).await;
        // What was shown before an interruption is kept.
        store(session, &evidence)?;
        result?;
        sign(session, scope, &evidence).await?;
    }
    for (row, counts) in counts {
        match counts {
            true => show(session, row.0, &evidence, Made::Before),
            false => tell(session.voice, row.0, &Err(not_shown()), Made::Before),
        }
    }
    if !unasked.is_empty() {
        let names: Vec<&str> = unasked.iter().map(|(control, _)| *control).collect();
        session.voice.note(&format!(
            "not asked for, and not required: {} (ringfort prove --rehearse)",
            names.join(", ")
        ));
    }
    shown(session, scope, &evidence).await
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
    Ok(Shown { controls: evidence.proved(), evidence: Digest::of(&archive) })
}

/// What is said of a proof that stops something, where nobody asked for it and no evidence counts.
fn not_shown() -> Gap {
    Gap {
        said: "never shown of these machines, this version and this bundle, or too long ago"
            .to_owned(),
        closes: "ringfort prove --rehearse".to_owned(),
    }
}

/// Writes all evidence as one signed archive with the facts of machines, and the public key beside it.
async fn sign(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    evidence: &Evidence,
) -> Result<(), Fault> {
    let key = scope.keyring.evidence_key().map_err(Fault::unable)?;
    let spec = fs::read(&session.file).map_err(Fault::unable)?;
    let lock = session.bundle.lock();
    let machines = machines::facts(scope.site).await;
    let about = About {
        cluster: session.spec.name.as_str(),
        kubernetes: lock.kubernetes.to_string(),
        spec: &spec,
        lock: lock.render(),
        minor: session.spec.kubernetes.minor,
        machines: &machines,
    };
    let archive = evidence.archive(&about, &key).map_err(Fault::unable)?;
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
            let first = attempt(session, scope, &site, once, interrupts).await?;
            if first.is_empty() {
                continue;
            }
            // What could not be looked at once is looked at again.
            between_proofs(interrupts, async {
                tokio::time::sleep(PAUSE).await;
                Ok(())
            })
            .await?;
            let rows: Vec<Row> =
                rows.iter().filter(|row| first.contains_key(row.0)).copied().collect();
            let again = (rows.as_slice(), &mut *evidence, &first);
            let unknown = attempt(session, scope, &site, again, interrupts).await?;
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
/// could not be. What could not be shown before says which are made for the second time.
async fn attempt(
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    site: &drive::Site,
    (rows, evidence, before): (&[Row], &mut Evidence, &Unshown),
    interrupts: &mut Receiver<()>,
) -> Result<Unshown, Fault> {
    let scene = scene(session, scope)?;
    between_proofs(interrupts, make_namespace(&scope.ways.servers, &scene.namespace)).await?;
    let mut unknown = Unshown::new();
    let made = drive::prove(rows, &scene, site, interrupts, |made| {
        let (control, gap) = (made.control, made.judgement.as_ref().err().cloned());
        evidence.take(made, &scene, &scope.setting);
        match gap {
            Some(gap) => drop(unknown.insert(control, gap)),
            None => show(session, control, evidence, Made::after(control, before)),
        }
    });
    made.await.map_err(Fault::interrupted)?;
    Ok(unknown)
}

/// Does what only prepares a proof, and may be cut.
async fn between_proofs<T>(
    interrupts: &mut Receiver<()>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    cut_by(interrupts, "interrupted between two proofs: run it again", work).await
}

/// How often a proof was made in a run.
#[derive(Clone, Copy, Debug)]
pub enum Made<'a> {
    /// Not at all: what was shown before counts, or nothing is.
    Before,
    /// Once.
    Once,
    /// Twice, since this could not be shown at first.
    Twice(&'a Gap),
}

impl<'a> Made<'a> {
    /// Takes what could not be shown before.
    fn after(control: &str, before: &'a Unshown) -> Self {
        before.get(control).map_or(Self::Once, Self::Twice)
    }
}

/// Shows what evidence says of a control.
fn show(session: &mut Session<'_>, control: &str, evidence: &Evidence, made: Made<'_>) {
    if let Some(shown) = evidence.controls.get(control) {
        tell(session.voice, control, &shown.judgement, made);
    }
}

/// Shows a judgement as a row.
pub fn tell(voice: &mut Voice, control: &str, judgement: &Judgement, made: Made<'_>) {
    let seconds = voice.seconds();
    voice.tell(&row(control, judgement, made, seconds));
}

fn row(control: &str, judgement: &Judgement, made: Made<'_>, seconds: f64) -> Event {
    let mut detail = match judgement {
        Ok(Decided::Pass(evidence)) => evidence.to_string(),
        Ok(Decided::NotApplicable { reason }) => reason.clone(),
        Ok(Decided::Fail(finding)) => format!("{}\n      fix: {}", finding.said, finding.fix),
        Err(gap) => format!("{}\n      to close the gap: {}", gap.said, gap.closes),
    };
    let attempts = match made {
        Made::Before => 0,
        Made::Once => 1,
        // What is shown at the second attempt only is worth a look.
        Made::Twice(at_first) => {
            detail.push_str(&format!("\n      made twice; at first: {}", at_first.said));
            2
        }
    };
    let verdict = Verdict::from(judgement);
    Event::Proof { control: control.to_owned(), verdict, detail, attempts, seconds }
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
        pod_traffic: match session.encrypted {
            true => PodTraffic::Encrypted { pods: spec.network.pods },
            false => PodTraffic::Open { why: session.pod_traffic.clone() },
        },
        addresses: spec.nodes.iter().map(|(name, node)| (name.clone(), node.address)).collect(),
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
        signed: machines
            .iter()
            .filter_map(|(name, it)| Some((name.clone(), signed(it)?)))
            .collect(),
        now_s: now_s(),
    })
}

/// By what a machine's agent is to go; nothing, where no key signs baselines yet.
fn signed(machine: &Machine) -> Option<Signed> {
    match &machine.items.get(&ItemId::file(KEY))?.what {
        What::File { content: Content::Text(key), .. } => {
            Some(Signed { key: Digest::of(key.trim().as_bytes()), says: (BASELINES.says)(machine) })
        }
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use ringfort_model::judgement::{Decided, Evidence, Finding, Gap, Judgement};

    use super::{Event, Made, Unshown, row};

    fn gap(said: &str) -> Gap {
        Gap { said: said.to_owned(), closes: "ringfort up".to_owned() }
    }

    #[test]
    fn a_row_says_whether_its_proof_was_made_twice() {
        let before: Unshown = [("a/second", gap("no answer"))].into();
        let check = |made, judgement: &Judgement, (words, count): (&str, u32)| {
            let Event::Proof { detail, attempts, .. } = row("a/b", judgement, made, 1.0) else {
                panic!("it is no proof")
            };
            assert_eq!((detail.as_str(), attempts), (words, count), "{made:?}");
        };
        let passed = Ok(Decided::Pass(Evidence::from_seen("seen", vec![0]).unwrap()));
        check(Made::Before, &passed, ("seen", 0));
        check(Made::after("a/first", &before), &passed, ("seen", 1));
        let twice = "\n      made twice; at first: no answer";
        let again = Made::after("a/second", &before);
        check(again, &passed, (&format!("seen{twice}"), 2));
        let failed = Finding { said: "open".to_owned(), fix: "shut".to_owned() };
        let failed = Ok(Decided::Fail(failed));
        check(again, &failed, (&format!("open\n      fix: shut{twice}"), 2));
        let silent = Err(gap("silent"));
        let closes = "silent\n      to close the gap: ringfort up";
        check(again, &silent, (&format!("{closes}{twice}"), 2));
    }
}
