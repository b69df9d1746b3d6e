//! `ringfort plan`: exactly what `up` would change, and which control wants it. Changes nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc::Receiver;

use ringfort_engine::Planned;
use ringfort_forge::keyring::{Keyring, StateError};
use ringfort_forge::make::{self, IDENTITY_LIFE, Memory, Ways};
use ringfort_forge::render::sample_tunnel_key;
use ringfort_model::digest::Digest;
use ringfort_model::etcd::{Founding, FoundingState};
use ringfort_model::event::Event;
use ringfort_model::trust::TrustFacts;

use super::Fault;
use super::keys::state_fault;
use super::play::{Outcome, play, unless_interrupted};
use super::session::{How, Missing, Session, Where, api_identity, now_s};
use super::up::{fault, keeper};

/// Show exactly what up would change, and which control wants it
///
/// Looks at the machines and at the API, and changes nothing: of ringfort only its own binary is
/// left on the machines, under /var/lib/ringfort/bin.
#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    how: How,
}

/// Runs the command.
pub fn run(args: &PlanArgs) -> Result<ExitCode, Fault> {
    play(
        "plan",
        &args.how,
        |voice| Session::open(voice, "plan", &args.place, &args.how, Missing::Make),
        plan,
    )
}

async fn plan(session: &mut Session<'_>, interrupts: &mut Receiver<()>) -> Result<Outcome, Fault> {
    let site = unless_interrupted(interrupts, session.enter()).await?;
    let preflight = unless_interrupted(interrupts, session.preflight(&site)).await?;
    unless_interrupted(interrupts, session.check_bundle(&site)).await?;
    let (keyring, mut trust, known) = match session.state.open(&session.identity) {
        Ok(opened) => (opened.keyring, opened.trust, true),
        Err(StateError::None { .. }) if !preflight.exists => imagined(session)?,
        Err(error) => return Err(state_fault(error)),
    };
    trust.carriage = session.settle(&preflight, trust.carriage)?;
    for node in session.spec.nodes.keys() {
        trust.tunnel_keys.entry(node.clone()).or_insert_with(|| sample_tunnel_key(node));
    }
    // A key that is not made yet stands in the plan by its machine's name.
    for node in session.spec.control_planes() {
        if !trust.service_account_keys.values().any(|key| key.node == node.name) {
            let id = Digest::of(node.name.as_str().as_bytes());
            trust.note_service_account_key(&node.name, &id, "made by ringfort up\n", 0);
        }
    }
    let identity = api_identity(&keyring, &keeper(), IDENTITY_LIFE)?;
    let ways = Ways::open(&site, &session.spec, &identity).await.map_err(Fault::unable)?;
    session.voice.stage("looking");
    let (mut work, voice) = session.work(&site, &keyring, Memory { trust, held: None, known });
    work.servers = ways.servers.values().cloned().collect();
    let tell = &mut |event: Event| voice.tell(&event);
    let plan = make::plan(&mut work, tell, interrupts).await.map_err(fault)?;
    drop(work);
    let report = plan.report;
    for planned in &report.changes {
        let event = event(planned, session.voice.seconds());
        session.voice.tell(&event);
    }
    for parting in &plan.partings {
        let event = parting.event(session.voice.seconds(), 0.0, None);
        session.voice.tell(&event);
    }
    for unseen in &report.unseen {
        session.voice.note(&format!("not looked at: {}", make::remark(unseen)));
    }
    Ok(Outcome::default())
}

/// Makes secrets that are forgotten with this run, to say what the first `up` would do.
fn imagined(session: &Session<'_>) -> Result<(Keyring, TrustFacts, bool), Fault> {
    let own = BTreeSet::from([session.identity.recipient()]);
    let keyring = Keyring::make(&session.spec.name, own, now_s()).map_err(Fault::unable)?;
    let mut trust = keyring.trust().map_err(Fault::unable)?;
    let members: Vec<_> = session
        .spec
        .control_planes()
        .map(|node| (node.name.clone(), peer_url(node.address)))
        .collect();
    for (node, _) in &members {
        let founding = Founding { state: FoundingState::New, members: members.clone() };
        trust.foundings.insert(node.clone(), founding);
    }
    Ok((keyring, trust, false))
}

fn peer_url(address: IpAddr) -> String {
    format!("https://{}", SocketAddr::new(address, 2380))
}

fn event(planned: &Planned, seconds: f64) -> Event {
    let (node, item, by, because) = match planned {
        Planned::Machine { node, step } => {
            (Some(node.clone()), step.item.to_string(), &step.by, step.because)
        }
        Planned::Object { key, by, because, .. } => (None, key.to_string(), by, *because),
    };
    Event::Step {
        node,
        item,
        by: by.clone(),
        because: because.to_string(),
        seconds,
        took: 0.0,
        change: true,
        failed: None,
    }
}
