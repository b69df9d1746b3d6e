//! How an agent begins: what was kept, what is believed, and why it does not begin.

use super::layers::Layers;
use super::repair::Repair;
use super::{Hooks, Settings, WatchFault, fault, now};
use crate::baseline::{Baseline, Trusted, read_text};
use crate::journal::{Line, Told};
use crate::os::keep::{Keep, Kept, Status};
use crate::os::repair::Contents;
use crate::watch::Watch;

/// Opens the agent's directory, and believes the baseline that lies there, or tells why not. That its journal is
/// damaged is told in any case: the next agent finds the new one, which is whole.
pub(super) fn opened(
    settings: &Settings,
    hooks: Hooks<'_>,
) -> Result<(Keep, Kept, String, Baseline), WatchFault> {
    let at = |error| fault(&settings.state)(error);
    let (mut keep, mut kept) = Keep::open(&settings.state).map_err(at)?;
    if let Some(why) = kept.broken.take() {
        let told = Told::Refused { why: format!("the agent's own journal is damaged: {why}") };
        let (line, text) = keep.append(now(), told);
        (hooks.line)(text.trim_end());
        // What cannot be written now is with what is told next.
        let _ = keep.sync();
        kept.lines.push(line);
    }
    let least = keep.counter().map_err(at)?;
    let believed = key(settings).and_then(|key| Ok((believed(settings, &key, least)?, key)));
    match believed {
        Ok((baseline, key)) => Ok((keep, kept, key, baseline)),
        Err(why) => {
            refuse(&mut keep, &mut kept, hooks, &why);
            Err(why)
        }
    }
}

/// Begins with what was known, and with what was told after that was written down.
pub(super) fn recalled(baseline: Baseline, kept: &mut Kept) -> Watch {
    let (known, open) = (std::mem::take(&mut kept.known), std::mem::take(&mut kept.open));
    let mut watch = Watch::begin(baseline.header.counter, baseline.entries, known);
    watch.reopen(open);
    for line in &kept.lines {
        watch.recall(line.at, &line.told, line.seq <= kept.seq);
    }
    if kept.is_older {
        watch.learn_capabilities();
    }
    watch
}

/// Knows again what was told of containers' layers and of files to be put back.
pub(super) fn remembered(settings: &Settings, lines: &[Line]) -> (Layers, Repair) {
    let mut layers = Layers::default();
    let mut repair = Repair::new(Contents::at(&settings.state, &settings.store));
    for line in lines {
        if let Told::Change(change) = &line.told {
            layers.recall(change);
            repair.recall(change);
        }
    }
    (layers, repair)
}

/// Tells that an agent does not begin, once for each reason: it is begun again and again. On a full disk it is told
/// where it can be.
fn refuse(keep: &mut Keep, kept: &mut Kept, hooks: Hooks<'_>, why: &WatchFault) {
    let why = why.to_string();
    let is_said = kept.status.as_ref().is_some_and(|it| it.refused.as_ref() == Some(&why));
    if let Some(status) = &mut kept.status {
        status.refused = Some(why.clone());
        let _ = keep.tell(status);
    }
    let told = Told::Refused { why };
    if kept.lines.last().is_some_and(|line| line.told == told) {
        return;
    }
    let (_, text) = keep.append(now(), told);
    if !is_said {
        (hooks.line)(text.trim_end());
    }
    let _ = keep.sync();
}

fn key(settings: &Settings) -> Result<String, WatchFault> {
    std::fs::read_to_string(&settings.key).map_err(fault(&settings.key))
}

pub(super) fn believed(settings: &Settings, key: &str, least: u64) -> Result<Baseline, WatchFault> {
    let bytes = std::fs::read(&settings.baseline).map_err(fault(&settings.baseline))?;
    let trusted = Trusted { key, node: Some(&settings.node), least };
    let path = settings.baseline.clone();
    read_text(&bytes, &trusted).map_err(|source| WatchFault::Baseline { path, source })
}

/// Since when changes may have been missed: since an agent was last heard of, by its status, or else by its journal, or
/// since before that, where it said so; never, where there was none.
pub(super) fn last_said(status: Option<&Status>, lines: &[Line]) -> Option<u64> {
    let said = status.map(|status| status.blind_since.map_or(status.at, |it| it.min(status.at)));
    said.or_else(|| lines.last().map(|line| line.at))
}

/// Up to which step of ringfort's none explains anything any more. Where that is lost no older one does.
pub(super) fn steps(status: Option<&Status>, lines: &[Line]) -> u64 {
    let lost = if lines.is_empty() { 0 } else { u64::MAX };
    status.map_or(lost, |status| status.steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Tip;

    #[test]
    fn an_agent_whose_status_is_lost_was_last_heard_of_by_its_journal() {
        let line = Tip::default().append(7, Told::Baseline { number: 1 }).0;
        assert_eq!(last_said(None, &[]), None);
        assert_eq!(last_said(None, std::slice::from_ref(&line)), Some(7));
        assert_eq!((steps(None, &[]), steps(None, std::slice::from_ref(&line))), (0, u64::MAX));
        let status = Status { at: 9, steps: 3, ..Status::default() };
        let lines = [line];
        assert_eq!(last_said(Some(&status), &lines), Some(9));
        assert_eq!(steps(Some(&status), &lines), 3);
        // What it heard from then on was never written down.
        let full = Status { blind_since: Some(4), ..status };
        assert_eq!(last_said(Some(&full), &lines), Some(4));
    }
}
