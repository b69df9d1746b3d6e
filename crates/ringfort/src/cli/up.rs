//! `ringfort up`: makes the cluster, proves it, and only then issues a kubeconfig.

use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc::Receiver;

use ringfort_engine::Goal;
use ringfort_forge::keyring::ClusterExists;
use ringfort_forge::make::{self, IDENTITY_LIFE, MakeError, Memory, Site, Ways};
use ringfort_forge::render::Broken;
use ringfort_model::certificate::Subject;
use ringfort_model::event::Event;
use ringfort_model::identity::KEEPER;
use ringfort_model::trust::TrustFacts;
use ringfort_spec::Spec;

use super::evidence::{Fresh, Unproved};
use super::gate::{self, Scope, Shown};
use super::hand_over::Record;
use super::keys::{operators, state_fault};
use super::netpol::closing;
use super::play::{Outcome, cut_by, play, unless_interrupted};
use super::sealing::Sealing;
use super::session::{How, Missing, Session, Where, api_identity, now_s, operator_name, outlast};
use super::{Fault, kubeconfig};

/// Make the cluster, prove it, and write a kubeconfig
///
/// Brings six or more machines to what cluster.yaml says: makes what is missing, mends what
/// differs, and changes nothing else. Pods that run and that it is about to close by network policies, with
/// none that opens them, are named before. Then every required control is shown by behaviour; if one is
/// not, no kubeconfig is issued, and the row says what to do. Running it again is always safe.
/// What proofs do is found in audit logs, and told to whom audit.tell names, marked as a canary.
///
/// Exit codes: 0 well, 1 a proof failed, 2 usage or bad input, 3 a proof could not be made,
/// 4 something could not be done (run it again), 130 interrupted.
#[derive(Args)]
pub struct UpArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Stop each control plane in turn again, although that was proved before
    ///
    /// Without this it is proved again after a control plane was replaced, after another bundle or
    /// version of Kubernetes came, and after 90 days. With it, each member of etcd and each machine's
    /// balancer is stopped as well, and a worker is lost and given back.
    #[arg(long)]
    rehearse: bool,
    /// Give up a machine that left cluster.yaml and will never be entered again
    #[arg(long, value_name = "NAME")]
    give_up: Option<String>,
    /// Go on with this operator state although another one acted later and is lost for good
    ///
    /// What the lost state knew, such as machines that joined with it, is then found on machines or
    /// not at all. The keyring still has to be the cluster's.
    #[arg(long)]
    take_over: bool,
    /// Seal values that lie in plain in etcd, so that API servers start which read sealed ones alone
    ///
    /// From then on they count as written by a server: look first whether they are what they should be
    /// (`ringfort explain data/encryption-at-rest` says how). Each is told with its key.
    #[arg(long)]
    seal_plain: bool,
}

/// Runs the command.
pub fn run(args: &UpArgs) -> Result<ExitCode, Fault> {
    play(
        "up",
        &args.how,
        |voice| Session::open(voice, "up", &args.place, &args.how, Missing::Make),
        async |session, interrupts| up(session, &args.wish(), interrupts).await,
    )
}

/// What is wanted of a run, beside what cluster.yaml says.
#[derive(Debug, Default)]
pub struct Wish<'a> {
    /// Prove again what stops something.
    pub rehearse: bool,
    /// The machine that is given up.
    pub give_up: Option<&'a str>,
    /// Go on although another state is lost.
    pub take_over: bool,
    /// Seal what lies in plain in etcd.
    pub seal_plain: bool,
    /// What is broken on purpose.
    pub broken: Option<Broken>,
}

impl UpArgs {
    fn wish(&self) -> Wish<'_> {
        let Self { rehearse, take_over, seal_plain, .. } = *self;
        let give_up = self.give_up.as_deref();
        Wish { rehearse, take_over, seal_plain, give_up, broken: None }
    }
}

/// Makes the cluster, proves it, and only then issues a kubeconfig.
pub async fn up(
    session: &mut Session<'_>,
    wish: &Wish<'_>,
    interrupts: &mut Receiver<()>,
) -> Result<Outcome, Fault> {
    let mut site = unless_interrupted(interrupts, session.enter_most()).await?;
    unless_interrupted(interrupts, outlast(&mut site)).await?;
    let preflight = unless_interrupted(interrupts, session.preflight(&mut site)).await?;
    unless_interrupted(interrupts, session.check_bundle(&site)).await?;
    let held = session.state.hold().map_err(Fault::unable)?;
    let exists = if preflight.exists { ClusterExists::Yes } else { ClusterExists::No };
    let recipients = operators(&session.spec)?;
    let opened = held
        .open_or_create(&session.identity, &recipients, exists, now_s())
        .map_err(state_fault)?;
    let carriage = session.settle(&preflight, opened.trust.carriage)?;
    // An authority whose life is over ends the run before a machine is told anything.
    let identity = api_identity(&opened.keyring, &keeper(), IDENTITY_LIFE)?;
    let known = !opened.done.made_keyring && !opened.done.renewed_trust;
    let remembered = (known && !wish.take_over).then_some(opened.trust.epoch);
    let epoch = site.next_epoch(remembered).map_err(fault)?;
    let memory = Memory { trust: TrustFacts { carriage, ..opened.trust }, held: None, known };
    let judged = session.judge(&site, opened.keyring, memory, Goal::Converge);
    let (keyring, facts) = unless_interrupted(interrupts, judged).await?;
    let mut trust = TrustFacts { epoch, ..facts };
    if let Some(name) = wish.give_up {
        give_up(name, &mut trust, &session.spec)?;
    }
    if wish.broken.is_some() {
        trust.doubt(now_s());
    }
    held.save_trust(&trust).map_err(Fault::unable)?;
    site.act(epoch, &operator_name()).await.map_err(Fault::unable)?;
    let unproved = Unproved::within(held.directory().path());
    let sealing = Sealing { is_wanted: wish.seal_plain, site: &site, unproved: &unproved };
    sealing.begin(session, &keyring).await?;
    let ways = Ways::open(&site, &session.spec, &identity).await.map_err(Fault::unable)?;
    let memory = Memory { trust, held: Some(&held), known };
    let (mut work, voice) = session.work(&site, keyring, memory);
    work.servers = ways.servers.clone();
    cut_by(interrupts, UNTOUCHED, closing::forewarn(&work, &preflight, voice)).await?;
    work.epoch = epoch;
    let tell = &mut |event: Event| {
        if matches!(event, Event::Step { failed: None, .. }) {
            unproved.mark();
        }
        voice.tell(&event);
    };
    work.broken = wish.broken;
    if wish.broken.is_some() {
        unproved.mark();
    }
    let left = make::make(&mut work, tell, interrupts).await.map_err(fault)?;
    // Proofs are about what should be, whatever is broken.
    work.broken = None;
    let mut record = Record::of(&held, work.memory.trust.clone());
    let scope = Scope::of(work, &site, &ways)?;
    sealing.end(session, &scope.keyring).await?;
    let fresh = if wish.rehearse { Fresh::Everything } else { unproved.fresh() };
    record.doubt()?;
    let shown = match wish.broken {
        None => {
            let shown = gate::prove(session, &scope, gate::rows(&[])?, fresh, interrupts).await?;
            unproved.clear();
            shown
        }
        // What was broken is proved again by whichever run comes next. Had no proof seen it, the cluster would be
        // handed over: that is what is tried.
        Some(broken) => prove_broken(broken, session, &scope, (&site, fresh), interrupts).await?,
    };
    let kubeconfig = match shown {
        Some(shown) => {
            let handed_over = record.hand_over(shown)?;
            Some(kubeconfig::issue(&session.spec, &held, &scope.keyring, handed_over)?)
        }
        None => None,
    };
    Ok(Outcome { kubeconfig, left })
}

/// What is said of a run that was interrupted before it made anything: with `--seal-plain` values may be sealed.
const UNTOUCHED: &str = "interrupted: of the cluster nothing was changed but what is told above";

/// Breaks on running machines what no blueprint has, makes the proofs, and mends it whatever they came to.
async fn prove_broken(
    broken: Broken,
    session: &mut Session<'_>,
    scope: &Scope<'_>,
    (site, fresh): (&Site, Fresh),
    interrupts: &mut Receiver<()>,
) -> Result<Option<Shown>, Fault> {
    // What a broken cluster showed is no evidence of the one that is put right.
    let kept = gate::Kept::of(session);
    let proved = match make::break_live(broken, site, &session.spec).await {
        Ok(()) => gate::prove(session, scope, gate::rows(&[])?, fresh, interrupts).await,
        Err(error) => Err(fault(error)),
    };
    let mended = make::mend_live(broken, site, &session.spec).await.map_err(fault);
    kept.put_back()?;
    mended.and(proved)
}

/// Gives up a machine that left the spec: its certificates live on, and nobody enters it again.
fn give_up(name: &str, trust: &mut TrustFacts, spec: &Spec) -> Result<(), Fault> {
    let current = spec.nodes.iter().map(|(name, node)| (name.clone(), node.address)).collect();
    match trust.give_up(name, &current, now_s()) {
        true => Ok(()),
        false => Err(Fault::usage(format!(
            "no machine called {name:?} left cluster.yaml: nothing was changed"
        ))),
    }
}

/// ringfort's own identity while it works: it makes roles and bindings, which only the group that
/// no binding can take from may do. It lives in memory, for an hour at most.
pub fn keeper() -> Subject {
    Subject::member(KEEPER, "system:masters")
}

/// Says whose turn it is after a fault of making.
pub fn fault(error: MakeError) -> Fault {
    match error {
        MakeError::Interrupted => Fault::interrupted(error),
        MakeError::Render(_) => Fault::usage(error),
        _ => Fault::unable(error),
    }
}
