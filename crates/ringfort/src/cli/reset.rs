//! `ringfort reset`: takes everything of ringfort from machines and puts back what was there.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc::Receiver;

use ringfort_engine::Goal;
use ringfort_forge::make::{self, Memory};
use ringfort_model::event::Event;
use ringfort_model::name::NodeName;
use ringfort_model::trust::TrustFacts;

use super::Fault;
use super::hand_over::Record;
use super::keys::state_fault;
use super::play::{Outcome, play, unless_interrupted};
use super::session::{How, Session, Where, operator_name, outlast};
use super::up::fault;
use crate::report::Voice;

/// Take the cluster from its machines and put back what was there before
///
/// Every file that ringfort changed gets its old content back, every file that it made is removed,
/// units stop. All data of the cluster is lost. The operator's keyring stays: it opens backups.
/// Its authorities are replaced, so that nothing they signed is good for the next cluster. Kubeconfigs
/// beside it are removed, and none is issued until a cluster was made and proved again. What
/// else is left as it is, entries in system journals for example, is told at the end.
///
/// Machines know what was put on them, so no bundle is needed: --bundle is taken as elsewhere, and not read.
///
/// Exit codes: 0 well, 2 usage or bad input, 4 something could not be done (run it again), 130 interrupted.
#[derive(Args)]
pub struct ResetArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Say the cluster's name, to show that its data may be lost
    #[arg(long, value_name = "CLUSTER")]
    yes: String,
    /// Go on without a machine that will never be entered again; may be given several times
    ///
    /// It must not answer. Everything that was made on it stays there. Nothing that it holds is good for the
    /// next cluster: that has other authorities.
    #[arg(long, value_name = "NAME", value_parser = super::lab::machine_name)]
    give_up: Vec<NodeName>,
}

/// Runs the command.
pub fn run(args: &ResetArgs) -> Result<ExitCode, Fault> {
    let given_up: BTreeSet<NodeName> = args.give_up.iter().cloned().collect();
    play(
        "reset",
        &args.how,
        |voice| open(voice, args),
        async |session, interrupts| reset(session, &given_up, interrupts).await,
    )
}

fn open<'v>(voice: &'v mut Voice, args: &ResetArgs) -> Result<Session<'v>, Fault> {
    let session = Session::open_to_empty(voice, "reset", &args.place, &args.how)?;
    if args.yes != session.spec.name.as_str() {
        return Err(Fault::usage(format!(
            "--yes names {:?}, but the cluster is {}: nothing was changed",
            args.yes, session.spec.name
        )));
    }
    match args.give_up.iter().find(|name| !session.spec.nodes.contains_key(*name)) {
        None => Ok(session),
        Some(stranger) => Err(Fault::usage(format!(
            "--give-up names {stranger}, but no machine of cluster.yaml is called so: nothing was changed"
        ))),
    }
}

async fn reset(
    session: &mut Session<'_>,
    given_up: &BTreeSet<NodeName>,
    interrupts: &mut Receiver<()>,
) -> Result<Outcome, Fault> {
    let mut site = unless_interrupted(interrupts, session.enter_without(given_up)).await?;
    unless_interrupted(interrupts, outlast(&mut site)).await?;
    let held = session.state.hold().map_err(Fault::unable)?;
    let opened = session.state.open(&session.identity).map_err(state_fault)?;
    // An old copy of the state knows enough to take everything away.
    let epoch = site.next_epoch(None).map_err(fault)?;
    let memory = Memory { trust: opened.trust, held: None, known: true };
    let judged = session.judge(&site, opened.keyring, memory, Goal::Reset);
    let (keyring, facts) = unless_interrupted(interrupts, judged).await?;
    let trust = Record::of(&held, TrustFacts { epoch, ..facts }).take_back()?;
    site.act(epoch, &operator_name()).await.map_err(Fault::unable)?;
    let memory = Memory { trust, held: Some(&held), known: true };
    let (mut work, voice) = session.work(&site, keyring, memory);
    work.epoch = epoch;
    let tell = &mut |event: Event| voice.tell(&event);
    make::reset(&mut work, given_up, tell, interrupts).await.map_err(fault)?;
    Ok(Outcome::default())
}
