//! `ringfort plan`: exactly what `up` would change, and which control wants it. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc::Receiver;

use ringfort_forge::carriage::{self, Abilities};
use ringfort_forge::keyring::{Keyring, StateError};
use ringfort_forge::make::{self, IDENTITY_LIFE, MakeError, Memory, Site, Ways};
use ringfort_forge::render::sample_tunnel_key;
use ringfort_model::digest::Digest;
use ringfort_model::event::Event;
use ringfort_model::trust::TrustFacts;
use ringfort_spec::Spec;

use super::Fault;
use super::keys::state_fault;
use super::netpol::closing;
use super::play::{Outcome, play, unless_interrupted};
use super::session::{How, Missing, Session, Where, api_identity, now_s};
use super::up::{fault, keeper};

/// Show exactly what up would change, and which control wants it
///
/// Looks at the machines and at the API, and changes nothing: of ringfort only its own binary is
/// left on the machines, under /var/lib/ringfort/bin. What could not be looked at is told as well,
/// since nobody knows whether it would change. Pods that run and would be closed by network policies, with
/// none that opens them, are named, with what closes them. With --offline nothing is entered and no secret is
/// needed: a pipeline can show what a specification and a bundle come to.
///
/// Exit codes: 0 everything was looked at, 2 usage or bad input, 3 something could not be looked at,
/// 4 `up` would refuse, 130 interrupted.
#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
    /// Show what up would do on machines that hold nothing yet, without entering any
    ///
    /// Pods' packets are taken to be encrypted, unless the specification says otherwise.
    #[arg(long)]
    offline: bool,
}

/// Runs the command.
pub fn run(args: &PlanArgs) -> Result<ExitCode, Fault> {
    let missing = if args.offline { Missing::Forget } else { Missing::Imagine };
    play(
        "plan",
        &args.how,
        |voice| Session::open(voice, "plan", &args.place, &args.how, missing),
        async |session, interrupts| match args.offline {
            true => offline(session),
            false => plan(session, interrupts).await,
        },
    )
}

async fn plan(session: &mut Session<'_>, interrupts: &mut Receiver<()>) -> Result<Outcome, Fault> {
    let mut site =
        unless_interrupted(interrupts, session.enter_most()).await.map_err(Fault::only_looking)?;
    let preflight = unless_interrupted(interrupts, session.preflight(&mut site)).await?;
    unless_interrupted(interrupts, session.check_bundle(&site)).await?;
    let (keyring, mut trust, known) = match session.state.open(&session.identity) {
        Ok(opened) => (opened.keyring, opened.trust, true),
        Err(StateError::None { .. }) if !preflight.exists => imagined(session)?,
        Err(error) => return Err(state_fault(error)),
    };
    trust.carriage = session.settle(&preflight, trust.carriage)?;
    stand_in(&session.spec, &mut trust);
    let identity = api_identity(&keyring, &keeper(), IDENTITY_LIFE)?;
    let ways = Ways::open(&site, &session.spec, &identity).await.map_err(Fault::blind)?;
    session.voice.stage("looking");
    let (mut work, voice) = session.work(&site, keyring, Memory { trust, held: None, known });
    work.servers = ways.servers.clone();
    let tell = &mut |event: Event| voice.tell(&event);
    let planned = make::plan(&mut work, tell, interrupts).await;
    if !matches!(planned, Err(MakeError::Interrupted)) {
        unless_interrupted(interrupts, closing::foretell(&work, &preflight, voice)).await?;
    }
    planned.map_err(unseen)?;
    Ok(Outcome::default())
}

/// Plans for machines that hold nothing, from files alone.
fn offline(session: &mut Session<'_>) -> Result<Outcome, Fault> {
    session.voice.note("offline: what up would do on machines that hold nothing yet");
    if let Some(unseen) = closing::offline(&session.spec) {
        session.voice.tell(&unseen);
    }
    let (keyring, mut trust, known) = imagined(session)?;
    trust.carriage = carriage::settle(&session.spec, None, &Abilities::default()).carriage;
    stand_in(&session.spec, &mut trust);
    let nowhere = Site { members: BTreeMap::new(), missing: BTreeMap::new() };
    let (mut work, voice) = session.work(&nowhere, keyring, Memory { trust, held: None, known });
    make::plan_afresh(&mut work, &mut |event: Event| voice.tell(&event)).map_err(fault)?;
    Ok(Outcome::default())
}

/// Puts something in the place of keys that are not made yet: in the plan they stand by their
/// machines' names.
fn stand_in(spec: &Spec, trust: &mut TrustFacts) {
    for node in spec.nodes.keys() {
        trust.tunnel_keys.entry(node.clone()).or_insert_with(|| sample_tunnel_key(node));
    }
    for node in spec.control_planes() {
        if !trust.service_account_keys.values().any(|key| key.node == node.name) {
            let id = Digest::of(node.name.as_str().as_bytes());
            trust.note_service_account_key(&node.name, &id, "made by ringfort up\n", 0);
        }
    }
}

/// A plan that could not be made is something that could not be looked at, unless `up` would refuse
/// too.
fn unseen(error: MakeError) -> Fault {
    match error {
        MakeError::Interrupted | MakeError::Render(_) | MakeError::Refused(_) => fault(error),
        _ => Fault::blind(error),
    }
}

/// Makes secrets that are forgotten with this run, to say what the first `up` would do.
fn imagined(session: &Session<'_>) -> Result<(Keyring, TrustFacts, bool), Fault> {
    let own = BTreeSet::from([session.identity.recipient()]);
    let keyring = Keyring::make(&session.spec.name, own, now_s()).map_err(Fault::unable)?;
    let trust = keyring.trust().map_err(Fault::unable)?;
    Ok((keyring, trust, false))
}
