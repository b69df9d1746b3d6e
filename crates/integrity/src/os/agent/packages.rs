//! Files of packages, compared once in a while: in a thread of its own, no faster than everything is looked
//! at, so that changes are heard of meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use super::{Agent, NAMED, now};
use crate::change::Change;
use crate::journal::{Compared, Told};
use crate::os::keep::ComparedFiles;
use crate::os::look::Pace;
use crate::os::packages::{PackageFinding, PackageScan, scan_packages};
use crate::path::FilePath;
use crate::process::Who;
use crate::why::Why;

/// So many findings of a comparison become changes that somebody has to answer for; all are counted.
const MOST_TOLD: usize = 100;
/// After a start, one that did not end is begun again no sooner than this.
const AGAIN_SECONDS: u64 = 600;

/// A comparison under way, and when the next one is due.
#[derive(Debug)]
pub(super) struct Comparison {
    under_way: Option<Receiver<Result<PackageScan, String>>>,
    due: u64,
    /// What of it was told, by its path: in what it differs.
    told: BTreeMap<FilePath, String>,
}

impl Comparison {
    /// Begins where the last one left off; nobody has compared anything yet where there was none.
    pub(super) fn begin(kept: Option<ComparedFiles>, every: u64) -> Self {
        let (at, told) = kept.map_or_else(|| (now(), BTreeMap::new()), |kept| (kept.at, kept.told));
        Self { under_way: None, due: at.saturating_add(every), told }
    }

    /// Takes one that begins now for one that does not end: an agent that ends by what it reads there does not begin
    /// with it again at once, but watches.
    fn put_off(&mut self, every: u64) {
        self.due = now() + AGAIN_SECONDS.min(every);
    }

    /// What is written down of it.
    fn kept(&self, every: u64) -> ComparedFiles {
        ComparedFiles { at: self.due.saturating_sub(every), told: self.told.clone() }
    }
}

impl Agent<'_> {
    /// Begins to compare when it is due, and tells what came of it when it is over. Says whether anything
    /// was told.
    pub(super) fn compare_packages(&mut self) -> bool {
        let Some(under_way) = &self.comparison.under_way else {
            if now() >= self.comparison.due {
                self.comparison.put_off(self.settings.every.as_secs());
                self.keep_compared();
                self.comparison.under_way = Some(self.begin_comparing());
            }
            return false;
        };
        let scan = match under_way.try_recv() {
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => Err("it ended before it was over".to_owned()),
            Ok(scan) => scan,
        };
        self.comparison.under_way = None;
        self.comparison.due = now().saturating_add(self.settings.every.as_secs());
        let scan = scan.unwrap_or_else(|why| PackageScan::unseen(&why));
        self.take(&scan);
        true
    }

    /// Writes down what was told, and when the next one is due, after that is in the journal for certain: else it would
    /// be told by nobody. Until it is, this is tried again.
    pub(super) fn keep_compared(&mut self) {
        self.sync();
        let kept = self.comparison.kept(self.settings.every.as_secs());
        self.unwritten.after_journal("compared", || self.keep.compared(&kept));
    }

    fn begin_comparing(&self) -> Receiver<Result<PackageScan, String>> {
        let (sender, receiver) = sync_channel(1);
        let (root, entries) = (self.settings.root.clone(), self.watch.entries().clone());
        let pace = Pace::bounded(self.settings.bytes_per_second);
        let compare = move || {
            let scan = scan_packages(&root, &entries, pace).map_err(|error| error.to_string());
            // Nobody waits for it any more only where the agent has ended.
            let _ = sender.send(scan);
        };
        // Where there is no thread, nobody sends, and that is told.
        let _ = thread::Builder::new().name("packages".to_owned()).spawn(compare);
        receiver
    }

    fn take(&mut self, scan: &PackageScan) {
        let found: BTreeMap<&FilePath, &PackageFinding> =
            scan.findings.iter().map(|it| (&it.finding.path, it)).collect();
        let unknown: BTreeSet<&FilePath> = scan.unknown.iter().map(|it| &it.path).collect();
        let is_whole = scan.packages > 0
            && scan.findings_count == scan.findings.len() as u64
            && scan.unknown_count == scan.unknown.len() as u64;
        if is_whole {
            let is_right = |path: &FilePath| !found.contains_key(path) && !unknown.contains(path);
            for told in self.watch.settle_packaged(is_right) {
                self.tell(told);
            }
            self.comparison.told.retain(|path, _| !is_right(path));
        }
        let open: BTreeSet<FilePath> =
            self.watch.open().map(|change| change.finding.path.clone()).collect();
        let mut left = MOST_TOLD;
        for (path, it) in found {
            let differs = it.found();
            if self.comparison.told.get(path) == Some(&differs) || left == 0 {
                continue;
            }
            // Where somebody was seen to change it, that is told already.
            if !open.contains(path) {
                left -= 1;
                self.tell_change(Box::new(changed(it)));
            }
            self.comparison.told.insert(path.clone(), differs);
        }
        let compared = Compared {
            packages: scan.packages,
            files: scan.files,
            database: scan.database.clone(),
            settings: scan.settings.len() as u64,
            findings_count: scan.findings_count,
            told_count: self.comparison.told.len() as u64,
            unknown: scan.unknown.iter().take(NAMED).cloned().collect(),
            unknown_count: scan.unknown_count,
        };
        self.status.compared = Some(now());
        self.status.packages = Some(compared.clone());
        self.tell(Told::Compared(compared));
        self.keep_compared();
    }
}

fn changed(it: &PackageFinding) -> Change {
    let why = match &it.package {
        Some(package) => {
            format!("it is not as {package} brought it: when it was changed is not known")
        }
        None => "no package brought it: when it came is not known".to_owned(),
    };
    Change {
        id: String::new(),
        finding: it.finding.clone(),
        is_right: false,
        before: None,
        after: None,
        drift: None,
        who: Who::Unknown(why),
        why: Why::Unexplained,
    }
}

#[cfg(test)]
mod tests {
    use super::{AGAIN_SECONDS, Comparison, now};

    #[test]
    fn what_did_not_end_is_not_begun_again_at_once() {
        for (every, pause) in [(86_400, AGAIN_SECONDS), (60, 60)] {
            let mut comparison = Comparison::begin(None, every);
            comparison.put_off(every);
            let due = Comparison::begin(Some(comparison.kept(every)), every).due;
            assert!((now() + pause).abs_diff(due) <= 2, "every {every} seconds");
        }
    }
}
