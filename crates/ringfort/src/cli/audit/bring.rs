//! What a witness does beside: it brings what other machines keep, to be judged with what this one keeps.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use ringfort_store::os::{Brought, Directory, Papers, Reading};

use super::now;
use super::witness::{Line, WitnessArgs, rest, say, shown};
use crate::cli::Fault;
use crate::cli::files::Unread;

/// How often is asked for more: what is judged together waits three seconds.
const PAUSE: Duration = Duration::from_secs(1);
/// And where there is more already: so much of a machine is left to what it is there for.
const SOON: Duration = Duration::from_millis(50);
/// And where the collector did not take yet what was brought: nobody is asked meanwhile.
const TAKEN: Duration = Duration::from_millis(250);
/// How long is waited after a failure at most: who is back is to be read before long.
const MOST_PAUSE: Duration = Duration::from_secs(10);

/// Begins to read, each machine by itself: one that is slow holds up nobody.
pub(super) fn begin<O: Fn() -> bool + Send + 'static>(
    args: &WitnessArgs,
    papers: &Papers,
    over: &impl Fn() -> O,
) -> Result<Vec<JoinHandle<()>>, Fault> {
    let Some(together) = &args.together else { return Ok(Vec::new()) };
    let one = |from: &(String, SocketAddr)| -> Result<JoinHandle<()>, Fault> {
        let inbox = Directory::new(together)
            .map_err(|error| Fault::unable(Unread::of(together, &error)))?;
        let (reading, is_over) = (Reading::new(shown(papers, from)?, inbox), over());
        Ok(std::thread::spawn(move || bring(reading, &is_over)))
    };
    args.reads.iter().map(one).collect()
}

/// Reads of a machine for as long as nobody says that it is over.
fn bring(mut reading: Reading<Directory>, is_over: &dyn Fn() -> bool) {
    let (mut pause, mut told): (Duration, Option<String>) = (PAUSE, None);
    while !is_over() {
        let trouble = match reading.read(now()) {
            Ok(Brought::Waits) => {
                pause = TAKEN;
                told.clone()
            }
            Ok(brought) => {
                pause = if brought == Brought::More { SOON } else { PAUSE };
                None
            }
            Err(error) => {
                pause = (pause.max(PAUSE) * 2).min(MOST_PAUSE);
                Some(error.to_string())
            }
        };
        let of = reading.machine();
        // Who does not listen does not keep anything from being read.
        let _ = match (&trouble, &told) {
            (Some(said), told) if told.as_ref() != Some(said) => say(&Line::Unheard { of, said }),
            (None, Some(_)) => say(&Line::Heard { of }),
            _ => Ok(()),
        };
        told = trouble;
        rest(pause, is_over);
    }
}
