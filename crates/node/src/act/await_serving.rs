//! Waits until a component answers with what it should have read.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ringfort_model::causes::with_causes;
use ringfort_model::digest::Digest;
use ringfort_model::item::Probe;
use ringfort_model::seen::ItemSeen;
use ringfort_model::step::Outcome;

use super::{ActError, Actor};
use crate::look::PROBE_LIMIT;
use crate::misread;
use crate::probe;
use crate::processes;
use crate::root::Root;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// Lines of a component's log that are told when it does not come, and the most of each.
const LOG_LINES: usize = 5;
const LINE_LIMIT: usize = 300;

/// What an API server says of a value that was not sealed by a key of its own, and what ends that.
const UNREADABLE: &str = "no matching prefix found";
const WAY_OUT: &str = "; a value lies open in etcd, which no server reads: `ringfort explain data/encryption-at-rest` \
                       says what ends that";

impl Actor<'_> {
    /// Waits until a component answers and its process carries these inputs.
    pub(super) fn await_serving(
        &self,
        probe: &Probe,
        process: &str,
        wanted: &Digest,
        seconds: u32,
    ) -> Result<Outcome, ActError> {
        self.end_misread(process).map_err(ActError::at(&self.root.state("misread")))?;
        let until = Instant::now() + Duration::from_secs(seconds.into());
        loop {
            let why = match probe::ask(probe, self.root, PROBE_LIMIT) {
                Err(error) => with_causes(&error),
                Ok(()) => match processes::inputs(self.root, process) {
                    Some(inputs) if inputs == *wanted => {
                        let seen = ItemSeen::Serving { healthy: true, inputs: Some(inputs) };
                        return Ok(Outcome::Done(seen));
                    }
                    Some(_) => "it answers, but still runs with what it read before".to_owned(),
                    None => {
                        "it answers, but no process of its name carries RINGFORT_INPUTS".to_owned()
                    }
                },
            };
            if self.is_closing() {
                return Err(ActError::Refused("the operator has gone: run again".to_owned()));
            }
            if Instant::now() >= until {
                let log = last_lines(self.root, process);
                let way = if log.contains(UNREADABLE) { WAY_OUT } else { "" };
                return Err(ActError::Refused(format!(
                    "{process} did not come within {seconds} s: {why}{log}{way}"
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Ends a process that may have read what was wrong: the kubelet starts another.
    fn end_misread(&self, name: &str) -> std::io::Result<()> {
        let Some((_, started)) = processes::youngest(self.root, name) else { return Ok(()) };
        if misread::covers(self.root, name, started) {
            misread::settle(self.root, name)?;
            processes::end(self.root, name, started);
        }
        Ok(())
    }

    /// Says whether the operator has gone.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// Finds the last lines that a static pod's container wrote.
fn last_lines(root: &Root, process: &str) -> String {
    let Some(log) = youngest_log(root, process) else {
        return "; it has no log: see journalctl -u kubelet".to_owned();
    };
    let text = std::fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().rev().take(LOG_LINES).map(said).collect();
    let lines: Vec<_> = lines.into_iter().rev().collect();
    format!("; its last lines: {}", lines.join(" | "))
}

/// Takes time, stream and tag off a line of a container's log.
fn said(line: &str) -> String {
    line.splitn(4, ' ').nth(3).unwrap_or(line).chars().take(LINE_LIMIT).collect()
}

fn youngest_log(root: &Root, process: &str) -> Option<PathBuf> {
    let pods = std::fs::read_dir(root.own("var/log/pods")).ok()?.flatten();
    let prefix = format!("kube-system_{process}-");
    let of_component = pods.filter(|pod| pod.file_name().to_string_lossy().starts_with(&prefix));
    let logs = of_component.flat_map(|pod| {
        let logs = std::fs::read_dir(pod.path().join(process)).ok();
        logs.into_iter().flatten().flatten().map(|log| log.path())
    });
    let age = |path: &PathBuf| modified(path);
    logs.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max_by_key(age)
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|is| is.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::last_lines;
    use crate::root::Root;

    #[test]
    fn the_last_lines_of_the_component_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        assert!(last_lines(&root, "etcd").contains("journalctl"));
        let at = directory.path().join("var/log/pods/kube-system_etcd-cp1_8f/etcd");
        std::fs::create_dir_all(&at).unwrap();
        let line = |n: u32| format!("2026-11-23T20:00:00.0Z stderr F line {n} with words\n");
        std::fs::write(at.join("0.log"), (0..9).map(line).collect::<String>()).unwrap();
        let told = last_lines(&root, "etcd");
        assert!(told.ends_with("line 7 with words | line 8 with words"), "{told}");
        assert!(!told.contains("line 3"), "{told}");
    }
}
