//! How a command that works on machines runs: Ctrl-C is heard from the first moment, and the last
//! line says what was done, however the run ends.

use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use ringfort_model::event::{EVENT_VERSION, Event};

use super::Fault;
use super::session::{How, Session};
use crate::report::Voice;

/// What a run came to, beside what it told.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Where the kubeconfig is, if one was issued.
    pub kubeconfig: Option<String>,
    /// What is left to do about machines that left the spec.
    pub left: Vec<String>,
}

/// How long what is under way may hold up the end: it is safe to cut.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Opens a session and does its work.
pub fn play(
    command: &str,
    how: &How,
    open: impl for<'v> FnOnce(&'v mut Voice) -> Result<Session<'v>, Fault>,
    work: impl AsyncFnOnce(&mut Session<'_>, &mut Receiver<()>) -> Result<Outcome, Fault>,
) -> Result<ExitCode, Fault> {
    let mut voice = Voice::new(how.json, how.verbose);
    let outcome = work_through(&mut voice, open, work);
    if !voice.told().begun {
        let command = command.to_owned();
        voice.tell(&Event::Started { version: EVENT_VERSION, cluster: None, command });
    }
    conclude(&mut voice, outcome)
}

fn work_through(
    voice: &mut Voice,
    open: impl for<'v> FnOnce(&'v mut Voice) -> Result<Session<'v>, Fault>,
    work: impl AsyncFnOnce(&mut Session<'_>, &mut Receiver<()>) -> Result<Outcome, Fault>,
) -> Result<Outcome, Fault> {
    let ears = Ears::open()?;
    let mut session = open(voice)?;
    let outcome = ears.until_cut(async |interrupts| work(&mut session, interrupts).await);
    session.tell_waivers();
    outcome
}

/// Runs a command that needs no specification.
pub fn play_alone(
    command: &str,
    how: &How,
    work: impl AsyncFnOnce(&mut Voice, &mut Receiver<()>) -> Result<Outcome, Fault>,
) -> Result<ExitCode, Fault> {
    let mut voice = Voice::new(how.json, how.verbose);
    let ears = Ears::open()?;
    let command = command.to_owned();
    voice.tell(&Event::Started { version: EVENT_VERSION, cluster: None, command });
    let outcome = ears.until_cut(async |interrupts| work(&mut voice, interrupts).await);
    conclude(&mut voice, outcome)
}

/// Ctrl-C, or an order to terminate, is heard as long as this lives. It is there before the first
/// event is told: who waits for that event may press at once.
struct Ears {
    runtime: Runtime,
    pressed: Signal,
    ordered: Signal,
}

impl Ears {
    fn open() -> Result<Self, Fault> {
        let runtime = Runtime::new().map_err(Fault::unable)?;
        let inside = runtime.enter();
        let pressed = signal(SignalKind::interrupt()).map_err(Fault::unable)?;
        let ordered = signal(SignalKind::terminate()).map_err(Fault::unable)?;
        drop(inside);
        Ok(Self { runtime, pressed, ordered })
    }

    /// Works until it is done, or Ctrl-C was pressed twice.
    fn until_cut(
        self,
        work: impl AsyncFnOnce(&mut Receiver<()>) -> Result<Outcome, Fault>,
    ) -> Result<Outcome, Fault> {
        let Self { runtime, pressed, ordered } = self;
        let outcome = runtime.block_on(async {
            let (mut interrupts, mut cuts) = interrupts(pressed, ordered);
            tokio::select! {
                outcome = work(&mut interrupts) => outcome,
                Some(()) = cuts.recv() => Err(Fault::interrupted(
                    "stopped at once: machines end by themselves what they had begun; run it again",
                )),
            }
        });
        runtime.shutdown_timeout(LAST_WORDS);
        outcome
    }
}

/// Tells the end of a run and chooses its exit code.
fn conclude(voice: &mut Voice, outcome: Result<Outcome, Fault>) -> Result<ExitCode, Fault> {
    let said = match &outcome {
        Ok(Outcome { left, .. }) if left.is_empty() => None,
        Ok(Outcome { left, .. }) => Some(left.join("\n")),
        Err(fault) => Some(fault.to_string()),
    };
    let kubeconfig = outcome.as_ref().ok().and_then(|outcome| outcome.kubeconfig.clone());
    voice.end(kubeconfig, said.clone());
    outcome?;
    match (voice.told().exit_code(), said) {
        (0, Some(left)) => Err(Fault::unable(left)),
        (code, said) => {
            // What is left to do is told, but a proof that failed weighs more.
            said.iter().for_each(|said| voice.note(said));
            Ok(ExitCode::from(code))
        }
    }
}

/// Does what changes nothing of a cluster and may be cut at the first Ctrl-C.
pub async fn unless_interrupted<T>(
    interrupts: &mut Receiver<()>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    cut_by(interrupts, "interrupted before anything of the cluster was changed", work).await
}

/// Does what may be cut at the first Ctrl-C, and says in these words that it was.
pub async fn cut_by<T>(
    interrupts: &mut Receiver<()>,
    words: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::select! {
        done = work => done,
        Some(()) = interrupts.recv() => Err(Fault::interrupted(words)),
    }
}

/// Tells what is heard: the first ends the run in good order, the second cuts it, and a third does
/// not even wait for the last line.
fn interrupts(mut pressed: Signal, mut ordered: Signal) -> (Receiver<()>, Receiver<()>) {
    let (tell, hear) = channel(1);
    let (cut, cuts) = channel(1);
    tokio::spawn(async move {
        let mut heard = 0;
        loop {
            tokio::select! {
                _ = pressed.recv() => (),
                _ = ordered.recv() => (),
            }
            heard += 1;
            match heard {
                1 => {
                    eprintln!(
                        "interrupted: finishing what is under way; press Ctrl-C again to stop at once"
                    );
                    // The run may be over already.
                    let _ = tell.send(()).await;
                }
                2 => drop(cut.send(()).await),
                _ => std::process::exit(130),
            }
        }
    });
    (hear, cuts)
}
