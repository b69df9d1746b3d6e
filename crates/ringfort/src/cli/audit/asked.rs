//! What is asked of logs: the detections of the catalogue, what some are told beside events, from a directory with a
//! file for each, and detections of people's own.

use std::path::{Path, PathBuf};

use clap::Args;
use ringfort_audit::detection::Detection;
use ringfort_audit::detections::{DETECTIONS, FED};
use ringfort_audit::feeds::{Feed, Feeds, read_changes};
use ringfort_audit::own;
use ringfort_audit::waiver::Waivers;
use ringfort_model::severity::Severity;
use serde::Serialize;

use super::{waivers, written};
use crate::cli::Fault;
use crate::cli::files::{self, Unread};

/// What is asked, and of what nothing is told.
#[derive(Args)]
pub(super) struct Asking {
    /// Look for what is at least as grave: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    pub(super) severity: Severity,
    /// What some detections have to be told: a directory of files
    ///
    /// `tor-exits.txt`, `listed-addresses.txt`, `cluster-networks.txt`, `machines.txt`, `registries.txt`, `namespaces.txt`,
    /// `controlled-namespaces.txt`, `impersonators.txt`, `decoys.txt` (an entry a line), `access.json` and `changes.yaml`. A detection whose file is not there is not asked.
    #[arg(long, value_name = "DIR")]
    pub(super) feeds: Option<PathBuf>,
    /// Detections of your own, in a file; each is tried with its examples before it is asked
    #[arg(long, value_name = "FILE")]
    pub(super) own: Option<PathBuf>,
    /// Who answers for which findings, why and until when
    ///
    /// A list `waivers` of `detection`, `user` or `object` or both (a `*` at the end stands for any rest),
    /// `impersonated`, `source` (a range of addresses), `reason`, `owner` and `expires`.
    #[arg(long, value_name = "FILE")]
    pub(super) waivers: Option<PathBuf>,
}

/// What is asked, what it is told, and what is waived of it.
pub(super) struct Asked {
    pub(super) detections: Vec<&'static Detection>,
    pub(super) feeds: Feeds,
    /// What is not asked, since it was told nothing.
    pub(super) untold: Vec<Untold>,
    pub(super) waivers: Waivers,
}

/// A detection that is not asked.
#[derive(Serialize)]
pub(super) struct Untold {
    pub(super) detection: &'static str,
    /// The file that it would be told by.
    pub(super) file: &'static str,
}

impl Asking {
    /// Asks for all there is, with what these files say.
    pub(super) fn of(
        feeds: Option<PathBuf>,
        own: Option<PathBuf>,
        waivers: Option<PathBuf>,
    ) -> Self {
        Self { severity: Severity::Low, feeds, own, waivers }
    }

    /// Asks for all that the catalogue has, and for nothing else.
    pub(super) fn plain() -> Asked {
        let (feeds, untold, waivers) = Default::default();
        Asked { detections: DETECTIONS.to_vec(), feeds, untold, waivers }
    }

    /// Reads what there is, and gives the detections that can be asked and are wanted: all of the catalogue where
    /// none is named, and all of people's own.
    pub(super) fn read(&self, named: &[&'static Detection]) -> Result<Asked, Fault> {
        let feeds = self.feeds.as_deref().map(read).transpose()?.unwrap_or_default();
        let is_grave = |detection: &Detection| detection.severity >= self.severity;
        let is_named = |detection: &Detection| named.iter().any(|it| it.id == detection.id);
        let is_wanted = |detection: &Detection| {
            is_grave(detection) && (named.is_empty() || is_named(detection))
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
        // What was asked for by name and cannot be asked must not look as if nothing had been found.
        if let Some(Untold { detection, file }) = untold.first().filter(|_| !named.is_empty()) {
            return Err(Fault::usage(format!(
                "{detection} has to be told: give --feeds DIR, with a file {file} in it"
            )));
        }
        if let Some(file) = &self.own {
            let own = written::read(file, "detection", own::read)?;
            detections.extend(own.into_iter().filter(|detection| is_grave(detection)));
        }
        let waivers = waivers::read(self.waivers.as_deref(), &detections)?;
        Ok(Asked { detections, feeds, untold, waivers })
    }
}

/// Reads a directory of feeds.
fn read(directory: &Path) -> Result<Feeds, Fault> {
    let mut feeds = Feeds::default();
    for (feed, file) in feed_files(directory)? {
        let told = match feed {
            Feed::Changes => feeds.allow(written::read(&file, "changes", read_changes)?),
            feed => feeds.read(feed, &files::text(&file).map_err(Fault::usage)?),
        };
        told.map_err(|error| Fault::usage(Unread::of(&file, &error)))?;
    }
    Ok(feeds)
}

/// Finds the feeds of a directory. A file of another name would be read by nobody, and is a mistake.
pub(super) fn feed_files(directory: &Path) -> Result<Vec<(Feed, PathBuf)>, Fault> {
    let unread = |error: &dyn std::fmt::Display| Fault::usage(Unread::of(directory, error));
    let mut found = Vec::new();
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
        found.push((feed, directory.join(name)));
    }
    Ok(found)
}
