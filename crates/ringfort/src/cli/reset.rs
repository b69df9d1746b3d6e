//! `ringfort reset`: takes everything of ringfort from machines and puts back what was there.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use ringfort_forge::make::{self, Memory, Places, Work};
use ringfort_model::event::Event;
use ringfort_model::trust::TrustFacts;

use super::Fault;
use super::gate::Verdicts;
use super::keys::state_fault;
use super::session::{How, Missing, Session, Where, beside, home, now_s, operator_name};
use super::up::{Outcome, conclude, fault, interrupts};

/// Take the cluster from its machines and put back what was there before
///
/// Every file that ringfort changed gets its old content back, every file that it made is removed,
/// units stop. All data of the cluster is lost. The operator's keyring stays: it opens backups.
#[derive(Args)]
pub struct ResetArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Say the cluster's name, to show that its data may be lost
    #[arg(long, value_name = "CLUSTER")]
    yes: String,
}

/// Runs the command.
pub fn run(args: &ResetArgs) -> Result<ExitCode, Fault> {
    let mut session = Session::open("reset", &args.place, &args.how, Missing::Refuse)?;
    if args.yes != session.spec.name.as_str() {
        return Err(Fault::usage(format!(
            "--yes names {:?}, but the cluster is {}: nothing was changed",
            args.yes, session.spec.name
        )));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Fault::unable)?;
    let outcome = runtime.block_on(reset(&mut session));
    runtime.shutdown_timeout(Duration::from_millis(500));
    conclude(&mut session, outcome)
}

async fn reset(session: &mut Session) -> Result<Outcome, Fault> {
    let mut interrupts = interrupts();
    let mut site = session.enter().await?;
    let held = session.state.hold().map_err(Fault::unable)?;
    let opened = session.state.open(&session.identity).map_err(state_fault)?;
    let epoch = site.act(opened.trust.epoch, &operator_name()).await.map_err(Fault::unable)?;
    let trust = TrustFacts { epoch, ..opened.trust };
    held.save_trust(&trust).map_err(Fault::unable)?;
    let (home, operator) = (home()?, operator_name());
    let Session { file, spec, bundle, own, voice, start, .. } = &mut *session;
    let mut work = Work {
        spec,
        site: &site,
        servers: Vec::new(),
        bundle,
        own,
        keyring: &opened.keyring,
        memory: Memory { trust, held: Some(&held), known: true },
        epoch,
        now_s: now_s(),
        start: *start,
        places: Places { home: &home, beside: beside(file) },
        operator: &operator,
    };
    let tell = &mut |event: Event| voice.tell(&event);
    let changes = make::reset(&mut work, tell, &mut interrupts).await.map_err(fault)?;
    Ok(Outcome { changes, verdicts: Verdicts::default(), kubeconfig: None, left: Vec::new() })
}
