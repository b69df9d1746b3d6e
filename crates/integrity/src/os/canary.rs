//! Shows that an agent sees what happens: a file that nothing reads is changed by a shell and put back, and
//! what the agent says of both is told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::keep::{Status, read_journals, status};
use crate::change::Change;
use crate::journal::Told;
use crate::path::FilePath;
use crate::process::Who;
use crate::why::Why;

/// An agent that has not written how it goes for so long does not go on.
const STALE: Duration = Duration::from_secs(10);
/// How long its first look at everything may take.
const FIRST_ROUND: Duration = Duration::from_secs(180);
/// How long it may take to tell a change.
const LONGEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Changes a file and puts back what it should hold; `state` is the agent's directory.
///
/// # Errors
/// The file cannot be changed, or the agent's journal not be read.
pub fn canary(state: &Path, file: &Path, text: &str) -> io::Result<BTreeMap<String, String>> {
    let mut told = BTreeMap::new();
    let mut say = |name: &str, value: String| drop(told.insert(name.to_owned(), value));
    let Some(before) = begun(state) else {
        say("running", "false".to_owned());
        if let Some(why) = status(state).and_then(|status| status.refused) {
            say("refused", why);
        }
        return Ok(told);
    };
    say("running", "true".to_owned());
    if let Some(why) = &before.refused {
        say("refused", why.clone());
        return Ok(told);
    }
    let signed = [("key", &before.key_digest), ("says", &before.baseline_digest)];
    for (name, digest) in signed {
        digest.iter().for_each(|digest| say(name, digest.to_string()));
    }
    say("baseline", before.baseline.to_string());
    if before.verified.is_none() {
        say("limits", "it has not looked at everything yet".to_owned());
    } else if !before.limits.is_empty() {
        say("limits", before.limits.join("; "));
    }
    let path = FilePath::new(file.as_os_str().as_encoded_bytes()).map_err(io::Error::other)?;
    let began = Instant::now();
    let mut shell = Command::new("/bin/sh");
    let script = "printf 'changed by a proof\\n' > \"$1\"";
    let mut shell = shell.args(["-c", script, "sh"]).arg(file).spawn()?;
    let pid = i32::try_from(shell.id()).unwrap_or_default();
    if !shell.wait()?.success() {
        return Err(io::Error::other("a shell could not write to the file"));
    }
    let is_it = |change: &Change| change.finding.path == path && !change.is_right;
    let changed = wait(state, before.seq, is_it);
    let took = began.elapsed();
    std::fs::write(file, text)?;
    let changed = changed?;
    let after = changed.as_ref().map_or(before.seq, |(seq, _)| *seq);
    let is_back = |change: &Change| change.finding.path == path && change.is_right;
    let back = wait(state, after, is_back)?;
    let word = |found: Option<&(u64, Change)>| match found {
        None => "no",
        Some((_, change)) if change.why == Why::Unexplained => "unexplained",
        Some(_) => "explained",
    };
    say("seen", word(changed.as_ref()).to_owned());
    say("back", word(back.as_ref()).to_owned());
    if let Some((_, change)) = &changed {
        say("who", names(change, pid).to_owned());
        say("ms", took.as_millis().to_string());
        say("change", change.id.clone());
    }
    let now = status(state).unwrap_or(before);
    say("unexplained", now.unexplained_count.to_string());
    Ok(told)
}

fn names(change: &Change, pid: i32) -> &'static str {
    match &change.who {
        Who::Process(process) if process.pid == pid && !process.exe.is_empty() => "right",
        Who::Process(_) => "wrong",
        Who::Unknown(_) => "unknown",
    }
}

/// Waits for an agent that goes on and has looked at everything; what it says then, or at last.
fn begun(state: &Path) -> Option<Status> {
    let end = Instant::now() + FIRST_ROUND;
    loop {
        let status = status(state).filter(|status| age(status) <= STALE)?;
        if status.verified.is_some() || status.refused.is_some() || Instant::now() > end {
            // What was exchanged a moment ago is read within the next.
            std::thread::sleep(Duration::from_secs(2));
            return super::keep::status(state).filter(|status| age(status) <= STALE);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn age(status: &Status) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_secs(status.at))
}

fn wait(
    state: &Path,
    after: u64,
    is_it: impl Fn(&Change) -> bool,
) -> io::Result<Option<(u64, Change)>> {
    let end = Instant::now() + LONGEST;
    while Instant::now() < end {
        for line in read_journals(state)?.lines.into_iter().filter(|line| line.seq > after) {
            match line.told {
                Told::Change(change) if is_it(&change) => return Ok(Some((line.seq, *change))),
                _ => {}
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}
