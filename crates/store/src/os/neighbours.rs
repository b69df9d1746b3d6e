//! Other control planes beside a collector: what their servers logged, as it is brought here, is judged together with what
//! this one did, and not kept. Whose nothing comes of, it says.

use std::collections::BTreeMap;
use std::io;

use ringfort_audit::across::{Across, Numbers, Whose, written};
use ringfort_audit::finding::Finding;
use serde::Serialize;

use super::disk::Disk;
use super::share::{Asked, Spot, Wanted, handed_on, taken, waiting, want};
use crate::format::reported::of_log;

/// How much of everything there was since this run began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Together {
    /// Events of others that were judged with one's own.
    pub events: u64,
    /// Of these, what came too late although everything came steadily: what was written after it was judged without it.
    pub late: u64,
    /// The same where the other had been away, or had more than it could give at once.
    pub caught_up: u64,
    /// One's own events that were judged early, for want of room: others may have come too late for it.
    pub early: u64,
    /// One's own that were judged although not all that was logged before them had come.
    pub alone: u64,
    /// One's own that came behind what was written after them.
    pub behind: u64,
    /// Pieces of which something was left out where they come from, or that are nothing that is brought here.
    pub unread: u64,
    /// How often another did not go on where it was: its store was made anew, or it was away for long.
    pub anew: u64,
    /// How often something was forgotten for want of room.
    pub forgotten: u64,
    /// What was found at one's own events and could not be by these alone.
    pub findings: u64,
    /// What was found at others' events: it is theirs to tell.
    pub elsewhere: u64,
    /// How many others nothing comes of now.
    pub away: u64,
}

/// Others, and what is judged with what they logged.
pub struct Neighbours<D> {
    across: Across,
    disk: D,
    others: BTreeMap<String, Other>,
    counts: Together,
    /// What was forgotten while what was kept before was recalled.
    recalled: u64,
    /// Of whom something was taken last,
    last: Option<String>,
    /// and whether not all of it was judged that is due.
    is_more: bool,
}

/// What is known of one of them. Times are in microseconds of the Unix epoch.
struct Other {
    /// What this run wants of it; nothing before it begins.
    wanted: Option<Wanted>,
    /// When all that it kept by then was here, or when this began.
    heard: i64,
    /// Whether that was since this began.
    is_here: bool,
    /// When somebody was told that this is long ago.
    told: Option<i64>,
}

/// What was logged here longer ago is not recalled to be judged with others', and nothing is asked of them for it.
pub(super) const TOGETHER_SECONDS: i64 = 7_200;
/// Who was not heard for so long, in microseconds, is away: a machine that is started anew is back before.
const AWAY: i64 = 120_000_000;
/// And it is told again after so long.
const AGAIN: u64 = 3_600_000_000;
/// Who was heard within this before is heard steadily.
const STEADY: i64 = 10_000_000;

impl Other {
    /// Takes what was brought of it. Says whether there was any.
    fn take<D: Disk>(
        &mut self,
        machine: &str,
        disk: &mut D,
        (across, counts): (&mut Across, &mut Together),
        now: i64,
    ) -> io::Result<bool> {
        let Some(bytes) = waiting(disk, machine)? else { return Ok(false) };
        let Some((Asked { wanted: asked, at }, head, lines)) = handed_on(&bytes) else {
            counts.unread += 1;
            return taken(disk, machine).map(|()| true);
        };
        drop(bytes);
        // An earlier run of this program asked for it, or it was judged already.
        if self.wanted.as_ref() != Some(&asked) {
            return taken(disk, machine).map(|()| true);
        }
        // Before it is judged: whatever becomes of this run, it is judged once, and before it is gone: then more is
        // brought.
        let wanted = Wanted { since: across.matters(now), behind: Some(head.behind.clone()) };
        want(disk, machine, &wanted)?;
        let gone = taken(disk, machine);
        let is_other = |place: &Spot| head.is_anew || place.store != head.behind.store;
        counts.anew += u64::from(asked.behind.as_ref().is_some_and(is_other));
        // Of what was wanted something is not there: nobody says what it was, but that it was written before the rest.
        if (asked.behind.is_none() || head.is_anew) && head.unread > 0 {
            let first = lines.iter().find_map(|line| written(line.as_bytes()));
            across.lacks_before(first.unwrap_or(at).min(now));
        }
        self.wanted = Some(wanted);
        let is_steady = now.saturating_sub(self.heard) <= STEADY;
        for line in lines {
            counts.events += 1;
            let is_late = across.hear(line.as_bytes(), Whose::Another, &[], now);
            counts.late += u64::from(is_late && is_steady);
            counts.caught_up += u64::from(is_late && !is_steady);
        }
        // However many it says: it is another machine that says so.
        counts.unread += u64::from(head.unread > 0);
        if head.is_more {
            across.goes_on(now);
        } else {
            (self.heard, self.is_here, self.told) = (at.min(now), true, None);
        }
        gone.map(|()| true)
    }
}

impl<D: Disk> Neighbours<D> {
    /// Judges with what is brought into a directory of these machines, and of nobody else.
    pub fn new(across: Across, disk: D, others: &[String], now: i64) -> Self {
        let other = || Other { wanted: None, heard: now, is_here: false, told: None };
        let others = others.iter().map(|machine| (machine.clone(), other())).collect();
        let counts = Together::default();
        Self { across, disk, others, counts, recalled: 0, last: None, is_more: false }
    }

    /// Begins with what matters to what is not judged here: what was logged since the run before left off. What of it was
    /// brought before is brought again: this run knows nothing of it. One's own that is older is judged alone.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub(super) fn begin(&mut self, left_off: i64, now: i64) -> io::Result<()> {
        let from = left_off.clamp(now - TOGETHER_SECONDS * 1_000_000, now);
        let since = self.across.matters(from);
        self.across.lacks_before(since);
        for (machine, other) in &mut self.others {
            // First: what an earlier run asked for is not what this one wants.
            let wanted = Wanted { since, behind: None };
            want(&mut self.disk, machine, &wanted)?;
            other.wanted = Some(wanted);
            taken(&mut self.disk, machine)?;
        }
        Ok(())
    }

    /// How much of everything there was.
    pub(super) fn counts(&self) -> Together {
        let Numbers { early, alone, behind, found, elsewhere } = self.across.numbers();
        let forgotten = self.across.forgotten().saturating_sub(self.recalled);
        Together { early, alone, behind, findings: found, elsewhere, forgotten, ..self.counts }
    }

    /// What judges.
    pub(super) fn across(&mut self) -> &mut Across {
        &mut self.across
    }

    /// What callers usually do, whichever server they ask.
    pub(super) fn usual(&self) -> String {
        self.across.usual()
    }

    /// Takes note that all was recalled that an earlier run judged.
    pub(super) fn recalled(&mut self) {
        self.recalled = self.across.forgotten();
    }

    /// Takes what was brought, a piece of each, while it is not over, as is asked after each. Says whether there was any.
    /// Who was taken last comes last, and nothing is taken while what is due was not judged: it waits where it is, and no
    /// more is brought meanwhile.
    ///
    /// # Errors
    /// Some of it cannot be read; what can be was taken.
    pub(super) fn take(&mut self, now: i64, is_over: &mut dyn FnMut() -> bool) -> io::Result<bool> {
        let Self { across, disk, others, counts, last, is_more, .. } = self;
        let mut machines: Vec<String> = others.keys().cloned().collect();
        let first = machines.partition_point(|it| last.as_ref().is_some_and(|last| it <= last));
        machines.rotate_left(first);
        let mut taken = Vec::new();
        for machine in machines {
            if *is_more || across.is_full() {
                break;
            }
            let Some(other) = others.get_mut(&machine) else { continue };
            taken.push(other.take(&machine, disk, (&mut *across, &mut *counts), now));
            *last = Some(machine);
            if is_over() {
                break;
            }
        }
        taken.into_iter().try_fold(false, |is_any, one| Ok(is_any | one?))
    }

    /// Judges what has waited long enough, and adds what is found, until it is over, as is asked after each. One's own log
    /// was read up to a time. Says whether there may be more.
    pub(super) fn judge(
        &mut self,
        (now, read): (i64, i64),
        is_over: &mut dyn FnMut() -> bool,
        found: &mut Vec<Finding>,
    ) -> bool {
        let heard = |other: &Other| if other.is_here { other.heard } else { i64::MIN };
        let here = self.others.values().map(heard).fold(read, i64::min);
        self.is_more = self.across.judge((now, here), is_over, found);
        self.is_more
    }

    /// Finds that something is judged without what another logged: once, and again in an hour if it goes on.
    pub(super) fn away(&mut self, own: &str, now: i64) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.counts.away = 0;
        for (machine, other) in &mut self.others {
            // A clock that was set back makes nobody be away.
            other.heard = other.heard.min(now);
            if now - other.heard < AWAY {
                continue;
            }
            self.counts.away += 1;
            if other.told.is_some_and(|told| now.abs_diff(told) < AGAIN) {
                continue;
            }
            other.told = Some(now);
            let since = jiff::Timestamp::from_microsecond(other.heard / 1_000_000 * 1_000_000);
            let since = since.map_or_else(|_| String::new(), |since| format!(" since {since}"));
            let said = format!(
                "not all that {machine} keeps has come{since}: what takes many events, or one after another, is judged \
                 without what its API server logs"
            );
            findings.push(of_log(own, "judged-alone", now, said));
        }
        findings
    }
}
