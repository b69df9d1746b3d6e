//! What is asked of logs: the detections of the catalogue, what some are told beside events, from a directory with a
//! file for each, and detections of people's own.

use std::path::Path;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections::{DETECTIONS, FED};
use ringfort_audit::feeds::{Feed, Feeds, Unclear};
use ringfort_audit::own;
use ringfort_facts::manifest::{self, Document};
use ringfort_model::severity::Severity;
use ringfort_spec::{Paint, Problem, Report};
use serde::Serialize;

use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// What is asked, and what it is told.
pub(super) struct Asked {
    pub(super) detections: Vec<&'static Detection>,
    pub(super) feeds: Feeds,
    /// What is not asked, since it was told nothing.
    pub(super) untold: Vec<Untold>,
}

/// A detection that is not asked.
#[derive(Serialize)]
pub(super) struct Untold {
    pub(super) detection: &'static str,
    /// The file that it would be told by.
    pub(super) file: &'static str,
}

/// Reads what there is, and gives the detections that can be asked and are wanted.
pub(super) fn asked(
    directory: Option<&Path>,
    own: Option<&Path>,
    severity: Severity,
    named: &[&'static Detection],
) -> Result<Asked, Fault> {
    let feeds = directory.map(read).transpose()?.unwrap_or_default();
    let is_wanted = |detection: &Detection| {
        let is_named = || named.iter().any(|it| it.id == detection.id);
        detection.severity >= severity && (named.is_empty() || is_named())
    };
    let mut detections: Vec<&'static Detection> =
        DETECTIONS.iter().copied().filter(|detection| is_wanted(detection)).collect();
    let mut untold = Vec::new();
    for fed in FED.iter().filter(|fed| is_wanted(&fed.detection)) {
        match feeds.has(fed.feed) {
            true => detections.push(&fed.detection),
            false => untold.push(Untold { detection: fed.detection.id, file: fed.feed.file() }),
        }
    }
    let own = own.map(read_own).transpose()?.unwrap_or_default();
    detections.extend(own.into_iter().filter(|detection| detection.severity >= severity));
    // What was asked for by name and cannot be asked must not look as if nothing had been found.
    match untold.first() {
        Some(Untold { detection, file }) if !named.is_empty() => Err(Fault::usage(format!(
            "{detection} has to be told: give --feeds DIR, with a file {file} in it"
        ))),
        _ => Ok(Asked { detections, feeds, untold }),
    }
}

/// Reads a directory of feeds. A file of another name would be read by nobody, and is a mistake.
fn read(directory: &Path) -> Result<Feeds, Fault> {
    let unread = |error: &dyn std::fmt::Display| Fault::usage(Unread::of(directory, error));
    let mut feeds = Feeds::default();
    let entries = std::fs::read_dir(directory).map_err(|error| unread(&error))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(|error| unread(&error))?.file_name());
    }
    names.sort();
    for name in names.iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
        let Some(feed) = Feed::ALL.into_iter().find(|feed| name.to_str() == Some(feed.file()))
        else {
            let known: Vec<&str> = Feed::ALL.iter().map(|feed| feed.file()).collect();
            let why = format!("{} is no feed: there are {}", name.display(), known.join(", "));
            return Err(unread(&why));
        };
        let file = directory.join(name);
        let text = files::text(&file).map_err(Fault::usage)?;
        match feed {
            Feed::Changes => changes(&mut feeds, &file, &text)?,
            feed => {
                feeds.read(feed, &text).map_err(|error| Fault::usage(Unread::of(&file, &error)))?;
            }
        }
    }
    Ok(feeds)
}

fn changes(feeds: &mut Feeds, file: &Path, text: &str) -> Result<(), Fault> {
    let wrong = |error: &dyn std::fmt::Display| Fault::usage(Unread::of(file, error));
    let documents = manifest::read(text).map_err(|error| wrong(&error))?;
    let [document] = documents.as_slice() else {
        return Err(wrong(&"it is not one document with a list of changes"));
    };
    feeds
        .read_changes(document.value())
        .map_err(|unclear| wrong_places("changes", file, text, document, unclear))
}

/// Reads detections of people's own, which are tried with their examples.
fn read_own(file: &Path) -> Result<Vec<&'static Detection>, Fault> {
    let text = files::text(file).map_err(Fault::usage)?;
    let documents =
        manifest::read(&text).map_err(|error| Fault::usage(Unread::of(file, &error)))?;
    let mut all = Vec::new();
    for document in &documents {
        let read = own::read(document.value())
            .map_err(|unclear| wrong_places("detection", file, &text, document, unclear))?;
        all.extend(read);
    }
    Ok(all)
}

/// Shows what is wrong where it stands.
fn wrong_places(
    what: &'static str,
    file: &Path,
    text: &str,
    document: &Document,
    unclear: Vec<Unclear>,
) -> Fault {
    let problem =
        |it: Unclear| Problem::new(what, document.place(&it.pointer).value, it.why).help(it.help);
    let problems = unclear.into_iter().map(problem).collect();
    let report = Report::new(&file.display().to_string(), text, problems);
    Fault::usage(report.render(Paint::Plain))
}
