//! The newest part of the audit log of the API server that runs here: who asked, summed up.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ringfort_audit::summary::Summary;
use ringfort_facts::component::Component;
use ringfort_facts::component::command_line::CommandLine;
use ringfort_model::audit_summary::AuditSummary;
use ringfort_model::machine::{ComponentFacts, Observed, Unseen};

use super::MOST_BELOW;
use super::door::Door;
use crate::root::Root;

/// No more of a log is read.
const MOST_BYTES: u64 = 32 << 20;
/// The flag that names the log.
const PATH: &str = "audit-log-path";
/// Standard output, which is no file.
const STDOUT: &str = "-";

/// Sums up the log; it is absent where no API server runs here, or one that writes none.
pub(super) fn newest(
    root: &Root,
    components: &BTreeMap<String, ComponentFacts>,
) -> Observed<AuditSummary> {
    let server = Component::ApiServer.program();
    let processes = match components.get(server).map(|facts| &facts.processes) {
        Some(Observed::Known(processes)) => processes,
        Some(Observed::Gap(unseen)) => return Observed::Gap(unseen.clone()),
        Some(Observed::Absent) | None => return Observed::Absent,
    };
    let mut paths: Vec<String> = processes
        .iter()
        .filter_map(|process| match &process.arguments {
            Observed::Known(words) => named(words),
            Observed::Absent | Observed::Gap(_) => None,
        })
        .collect();
    paths.sort();
    paths.dedup();
    match paths.as_slice() {
        [] => Observed::Absent,
        [path] if path != STDOUT => match door(root) {
            Some(view) => read(&view, path),
            None => gap(path, "the API server ended meanwhile", "facts while it runs"),
        },
        _ => gap(&paths.join(", "), "it is no single file", "one --audit-log-path that is a file"),
    }
}

fn named(words: &[String]) -> Option<String> {
    let line = CommandLine::of_process(Component::ApiServer, words);
    let given = line.known().ok()?.value.given(PATH).ok().flatten()?;
    given.last().filter(|path| !path.is_empty()).cloned()
}

/// Opens the files as the API server sees them.
fn door(root: &Root) -> Option<Door> {
    let name = Component::ApiServer.program();
    let is_it = |directory: &PathBuf| {
        let line = fs::read(directory.join("cmdline")).unwrap_or_default();
        let program = line.split(|byte| *byte == 0).next().unwrap_or_default();
        program.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes())
    };
    let entries = fs::read_dir(root.own("proc")).ok()?;
    let mut directories = entries.filter_map(|entry| Some(entry.ok()?.path()));
    directories.find(is_it).map(|directory| Door::process(&directory))
}

fn read(view: &Door, path: &str) -> Observed<AuditSummary> {
    let (bytes, is_whole) = match view.end(path, MOST_BYTES) {
        Observed::Known(end) => end,
        Observed::Absent => {
            return gap(path, "it is not there", "the log that --audit-log-path names");
        }
        Observed::Gap(unseen) => return Observed::Gap(unseen),
    };
    let mut summary = Summary::default();
    let left = MOST_BYTES.saturating_sub(bytes.len() as u64);
    if is_whole && let Some((older, is_whole)) = rotated(view, path, left) {
        whole_lines(&older, is_whole).for_each(|line| summary.add(line));
    }
    whole_lines(&bytes, is_whole).for_each(|line| summary.add(line));
    match summary.told(path) {
        Ok(told) => Observed::Known(told),
        Err(why) => gap(path, &why.to_string(), "a log that holds events of who uses the API"),
    }
}

/// Gives the lines of the end of a log. What was begun before, or is still being written, is none.
fn whole_lines(bytes: &[u8], is_whole: bool) -> impl Iterator<Item = &[u8]> {
    let begin = match is_whole {
        true => 0,
        false => bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1),
    };
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(begin, |at| at + 1);
    bytes[begin..end.max(begin)].split(|byte| *byte == b'\n')
}

/// Reads the end of what the log was until it was rotated last: just after that it is nearly empty itself. The server
/// puts the time into its name, before the ending.
fn rotated(view: &Door, path: &str, most: u64) -> Option<(Vec<u8>, bool)> {
    let (directory, name) = path.rsplit_once('/')?;
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) => (format!("{stem}-"), format!(".{ending}")),
        None => (format!("{name}-"), String::new()),
    };
    let Observed::Known(names) = view.names(directory, MOST_BELOW) else { return None };
    let is_one = |name: &&String| {
        name.strip_prefix(&stem)
            .is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()))
    };
    // One that is packed is not read, and what is older than that would leave a hole.
    let newest = names.iter().filter(is_one).max().filter(|name| name.ends_with(&ending))?;
    match view.end(&format!("{directory}/{newest}"), most) {
        Observed::Known(end) => Some(end),
        Observed::Absent | Observed::Gap(_) => None,
    }
}

fn gap<T>(at: &str, why: &str, closes: &str) -> Observed<T> {
    Observed::Gap(Unseen { at: at.to_owned(), why: why.to_owned(), closes: closes.to_owned() })
}
