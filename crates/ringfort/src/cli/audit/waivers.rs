//! Waivers of findings, as a file gives them, and what is told of them.

use std::path::Path;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections;
use ringfort_audit::waiver::{self, Waiver, Waivers};
use serde::Serialize;

use super::written;
use crate::cli::Fault;
use crate::cli::check::given::today;

/// Reads waivers of what is asked; those that have ended are told on standard error, and cover nothing.
pub(super) fn read(file: Option<&Path>, asked: &[&'static Detection]) -> Result<Waivers, Fault> {
    let Some(file) = file else { return Ok(Waivers::default()) };
    let known = detections::all().chain(asked.iter().copied());
    let known: Vec<&str> = known.map(|detection| detection.id).collect();
    let mut all = written::read(file, "waiver", |document| waiver::read(document, &known))?;
    all.retain(|waiver| asked.iter().any(|detection| detection.id == waiver.detection));
    let (waivers, ended) = Waivers::new(all, today());
    tell(&ended);
    Ok(waivers)
}

/// Takes out what has ended since it was read, and tells it.
pub(super) fn end(waivers: &mut Waivers) {
    tell(&waivers.end(today()));
}

fn tell(ended: &[Waiver]) {
    for Waiver { detection, owner, expires, .. } in ended {
        anstream::eprintln!(
            "the waiver of {detection} by {owner} ended on {expires}: it covers nothing"
        );
    }
}

/// A waiver with how often it covered something, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Used<'w> {
    detection: &'w str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impersonated: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    reason: &'w str,
    owner: &'w str,
    expires: String,
    times: u64,
}

/// Gives the waivers that hold.
pub(super) fn used(waivers: &Waivers) -> Vec<Used<'_>> {
    waivers.all().iter().map(|(waiver, times)| Used::of(waiver, *times)).collect()
}

impl<'w> Used<'w> {
    /// Takes a waiver, and how often it covered something.
    pub(super) fn of(waiver: &'w Waiver, times: u64) -> Self {
        let Waiver { detection, user, impersonated, object, source, reason, owner, expires } =
            waiver;
        Self {
            detection,
            user: user.as_deref(),
            impersonated: impersonated.as_deref(),
            object: object.as_deref(),
            source: source.map(|range| range.to_string()),
            reason,
            owner,
            expires: expires.to_string(),
            times,
        }
    }
}

impl std::fmt::Display for Used<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { detection, owner, expires, reason, times, .. } = self;
        let often = match times {
            0 => return write!(f, "the waiver of {detection} by {owner} covered nothing"),
            1 => "once".to_owned(),
            times => format!("{times} times"),
        };
        write!(f, "waived by {owner} until {expires}: {detection}, {often}: {reason}")
    }
}
