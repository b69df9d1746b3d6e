//! Waivers of findings, as a file gives them, and what is told of them.

use std::path::Path;

use ringfort_audit::detection::Detection;
use ringfort_audit::detections;
use ringfort_audit::waiver::{self, Waiver, Waivers};
use ringfort_store::format::reported::REPORTED;
use serde::Serialize;

use super::written;
use crate::cli::Fault;
use crate::cli::check::given::today;

/// Reads waivers of what is asked; those that have ended are told on standard error, and cover nothing.
pub(super) fn read(file: Option<&Path>, asked: &[&'static Detection]) -> Result<Waivers, Fault> {
    let Some(file) = file else { return Ok(Waivers::default()) };
    let known = detections::all().chain(asked.iter().copied());
    // What machines tell of themselves is told with the rest, whatever detections are asked.
    let known: Vec<&str> = known.map(|detection| detection.id).chain(REPORTED).collect();
    let mut all = written::read(file, "waiver", |document| waiver::read(document, &known))?;
    let is_reported = |waiver: &Waiver| REPORTED.contains(&waiver.detection.as_str());
    let is_asked = |waiver: &Waiver| asked.iter().any(|it| it.id == waiver.detection);
    all.retain(|waiver| is_reported(waiver) || is_asked(waiver));
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

#[cfg(test)]
mod tests {
    use ringfort_audit::finding::Finding;
    use ringfort_model::severity::Severity;
    use ringfort_store::format::reported::of_log;

    use super::read;

    #[test]
    fn what_machines_tell_of_themselves_is_waived_as_the_rest_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("waivers.yaml");
        let waiver = |id: &str, object: &str| {
            let text = format!(
                "waivers: [{{ detection: {id}, object: \"{object}\", reason: r, owner: o, expires: 2999-01-01 }}]\n"
            );
            std::fs::write(&file, text).unwrap();
            read(Some(&file), &[])
        };
        let log = of_log("cp1", "not-judged", 0, "said".to_owned());
        let mut waivers = waiver("audit/not-judged", "audit-log cp1").unwrap();
        assert_eq!(waivers.cover(&log), Some(0));
        let files = Finding {
            object: "files /etc/motd".to_owned(),
            ..Finding::on_machine(
                "w1",
                "integrity/unexplained-change".to_owned(),
                Severity::High,
                None,
            )
        };
        let mut waivers = waiver("integrity/unexplained-change", "files /etc/mot*").unwrap();
        assert_eq!((waivers.cover(&files), waivers.cover(&log)), (Some(0), None));
        let unknown = waiver("integrity/unexplaned-change", "files /etc/*").err().unwrap();
        assert!(unknown.to_string().contains("there is no detection"), "{unknown}");
    }
}
