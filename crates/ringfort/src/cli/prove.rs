//! `ringfort prove`: shows again, on a running cluster, that every control holds.

use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc::Receiver;

use ringfort_forge::make::{IDENTITY_LIFE, Memory, Ways};
use ringfort_model::tunnel::PodTraffic;

use super::Fault;
use super::evidence::Fresh;
use super::foreign::{self, ForeignArgs};
use super::gate::{self, Scope};
use super::hand_over::Record;
use super::keys::state_fault;
use super::play::{Outcome, play, unless_interrupted};
use super::session::{How, Missing, Session, Where, api_identity};
use super::up::keeper;

/// Show again that every control of a cluster holds, without disturbing what runs there
///
/// Proves by behaviour what `ringfort up` proved before it issued a kubeconfig, each control in a row
/// with what was tried and seen. Nothing that is there is changed. Canaries are made and taken away again,
/// those of an interrupted run too: in two namespaces of their own, a kind of object, requests for
/// certificates, and a bootstrap token of a few minutes in kube-system, all labelled ringfort.dev/canary. The signed evidence is written to
/// .ringfort/NAME/evidence.tar. What is suspicious in it is found in audit logs, and told to whom audit.tell names, marked as
/// a canary.
///
/// Where a proof fails, `ringfort kubeconfig` renews nothing until `ringfort up` has proved the cluster again.
///
/// What stops control planes is not repeated unless --rehearse asks for it: its last evidence counts
/// for 90 days.
///
/// With --control it proves one control again, such as one that was mended. The evidence of all others stays.
///
/// With --kubeconfig it looks at a cluster that ringfort did not make, through its API alone: it proves what
/// shows there, and says of every other control that it is unknown, and why. No evidence is written then.
///
/// Exit codes: 0 all proved, 1 a proof failed, 2 usage or bad input, 3 a proof could not be made,
/// 4 the cluster could not be reached, 130 interrupted.
#[derive(Args)]
pub struct ProveArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Stop each control plane, each member of etcd and each machine's balancer as well, while writes go on,
    /// and lose a worker and give it back
    #[arg(long)]
    rehearse: bool,
    /// Prove this control and no other, as often as this is given, whatever it stops
    #[arg(long = "control", value_name = "CONTROL", conflicts_with_all = ["rehearse", "kubeconfig"])]
    controls: Vec<String>,
    #[command(flatten)]
    foreign: ForeignArgs,
}

/// Runs the command.
pub fn run(args: &ProveArgs) -> Result<ExitCode, Fault> {
    if let Some(kubeconfig) = &args.foreign.kubeconfig {
        return foreign::run(kubeconfig, &args.foreign, &args.how);
    }
    let rows = gate::rows(&args.controls)?;
    play(
        "prove",
        &args.how,
        |voice| Session::open(voice, "prove", &args.place, &args.how, Missing::Refuse),
        async |session, interrupts| prove(session, args, rows.clone(), interrupts).await,
    )
}

async fn prove(
    session: &mut Session<'_>,
    args: &ProveArgs,
    rows: Vec<gate::Row>,
    interrupts: &mut Receiver<()>,
) -> Result<Outcome, Fault> {
    let held = session.state.hold().map_err(Fault::unable)?;
    let opened = session.state.open(&session.identity).map_err(state_fault)?;
    let site = unless_interrupted(interrupts, session.enter_most()).await?;
    let traffic = opened.trust.carriage.map(|carriage| carriage.traffic);
    session.encrypted = traffic == Some(PodTraffic::Encrypted);
    session.pod_traffic = "packets of pods are not encrypted between machines".to_owned();
    let identity = api_identity(&opened.keyring, &keeper(), IDENTITY_LIFE)?;
    let ways = Ways::open(&site, &session.spec, &identity).await.map_err(Fault::unable)?;
    let mut record = Record::of(&held, opened.trust.clone());
    let memory = Memory { trust: opened.trust, held: Some(&held), known: true };
    let (work, _) = session.work(&site, opened.keyring, memory);
    let scope = Scope::of(work, &site, &ways)?;
    let is_everything = args.rehearse || !args.controls.is_empty();
    let fresh = if is_everything { Fresh::Everything } else { Fresh::Undisturbing };
    let made = gate::prove(session, &scope, rows, fresh, interrupts).await;
    if session.voice.told().verdicts.failed > 0 {
        record.doubt()?;
    }
    made.map(|_| Outcome::default())
}
