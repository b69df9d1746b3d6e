//! Waivers of findings: who answers for what is known and meant, why, and until when. They are applied to what
//! was found, never inside detections, and the day is an argument.

use std::net::IpAddr;

use jiff::civil::Date;
use ringfort_model::net::Cidr;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::matches;
use crate::finding::Finding;
use crate::written::{self, Unclear, Wrong};

/// A decision that some findings of a detection are meant.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Waiver {
    /// The detection's id.
    pub detection: String,
    /// Who asks; everybody where it is left out. A `*` at the end stands for any rest.
    pub user: Option<String>,
    /// As whom, where it is as somebody else; nobody else where it is left out.
    pub impersonated: Option<String>,
    /// To what, as findings tell it; anything where it is left out. A `*` at the end stands for any rest.
    pub object: Option<String>,
    /// From where; from anywhere where it is left out.
    pub source: Option<Cidr>,
    /// Why this is right.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
}

const SHAPE: &str = "write `waivers: [{ detection: ID, user: NAME, object: \"pods/exec web shop-*\", source: 10.0.0.0/8, \
                     reason: …, owner: …, expires: YYYY-MM-DD }]`, with a user or an object at least";

/// Reads the waivers of a document.
///
/// # Errors
/// All that is wrong, with its places.
pub fn read(document: &Value, known: &[&str]) -> Result<Vec<Waiver>, Vec<Unclear>> {
    written::list(document, "waivers", SHAPE, |value| one(value, known))
}

fn one(value: &Value, known: &[&str]) -> Result<Waiver, Wrong> {
    let wrong = |below: &str, why: String| Err((below.to_owned(), why));
    let waiver = Waiver::deserialize(value)
        .map_err(|error| (String::new(), format!("this waiver cannot be read: {error}")))?;
    if !known.contains(&waiver.detection.as_str()) {
        return wrong("/detection", format!("there is no detection `{}`", waiver.detection));
    }
    for (name, text) in [("reason", &waiver.reason), ("owner", &waiver.owner)] {
        if text.trim().is_empty() {
            return wrong(&format!("/{name}"), format!("a waiver has no {name}"));
        }
    }
    let narrows = |pattern: &Option<String>| pattern.as_ref().is_some_and(|it| it.trim() != "*");
    if !narrows(&waiver.user) && !narrows(&waiver.object) {
        let why = "it names neither who nor what, and would hide whoever else does this".to_owned();
        return wrong("/detection", why);
    }
    Ok(waiver)
}

impl Waiver {
    /// Whether it holds on a day.
    pub fn holds(&self, today: Date) -> bool {
        self.expires >= today
    }

    /// Whether it is about a finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        let is_from = |range: Cidr| {
            finding.source.parse::<IpAddr>().is_ok_and(|source| range.contains(source))
        };
        self.detection == finding.detection
            && self.user.as_deref().is_none_or(|user| matches(user, &finding.user))
            && self.impersonated == finding.impersonated
            && self.object.as_deref().is_none_or(|object| matches(object, &finding.object))
            && self.source.is_none_or(is_from)
    }
}

/// Waivers, and how often each covered something.
#[derive(Debug, Default)]
pub struct Waivers(Vec<(Waiver, u64)>);

impl Waivers {
    /// Takes those that hold on a day; the others are given back.
    pub fn new(all: Vec<Waiver>, today: Date) -> (Self, Vec<Waiver>) {
        let (hold, ended): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.holds(today));
        (Self(hold.into_iter().map(|waiver| (waiver, 0)).collect()), ended)
    }

    /// Takes out those that hold no more on a day, and gives them back.
    pub fn end(&mut self, today: Date) -> Vec<Waiver> {
        let ended = self.0.extract_if(.., |(waiver, _)| !waiver.holds(today));
        ended.map(|(waiver, _)| waiver).collect()
    }

    /// Counts a finding for the first waiver that is about it, and gives that one's number.
    pub fn cover(&mut self, finding: &Finding) -> Option<usize> {
        let at = self.0.iter().position(|(waiver, _)| waiver.covers(finding))?;
        self.0[at].1 += 1;
        Some(at)
    }

    /// Gives each, with how often it covered something.
    pub fn all(&self) -> &[(Waiver, u64)] {
        &self.0
    }

    /// Gives how much was covered.
    pub fn covered(&self) -> u64 {
        self.0.iter().map(|(_, times)| times).sum()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use ringfort_model::severity::Severity;
    use serde_json::{Value, json};

    use super::{Waivers, read};
    use crate::finding::Finding;

    const ID: &str = "secrets/all-read";

    fn finding() -> Finding {
        Finding {
            user: "system:serviceaccount:backup:velero".to_owned(),
            verb: "list".to_owned(),
            object: "secrets shop".to_owned(),
            said: "all Secrets were read".to_owned(),
            ..Finding::on_machine("10.0.3.4", ID.to_owned(), Severity::High, None)
        }
    }

    fn written(more: &Value) -> Value {
        let mut one = json!({"detection": ID, "user": "system:serviceaccount:backup:*", "reason": "r",
            "owner": "o", "expires": "2026-05-31"});
        for (name, value) in more.as_object().unwrap() {
            match value.is_null() {
                true => one.as_object_mut().unwrap().remove(name),
                false => one.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        json!({ "waivers": [one] })
    }

    fn covers(more: &Value, change: fn(&mut Finding)) -> bool {
        let mut finding = finding();
        change(&mut finding);
        let all = read(&written(more), &[ID]).unwrap();
        let (mut waivers, _) = Waivers::new(all, date(2026, 5, 31));
        waivers.cover(&finding).is_some()
    }

    #[test]
    fn a_waiver_covers_what_it_names_and_nothing_beside() {
        let same = |_: &mut Finding| ();
        assert!(covers(&json!({}), same));
        assert!(covers(&json!({"object": "secrets *", "source": "10.0.0.0/8"}), same));
        assert!(!covers(&json!({"object": "secrets"}), same));
        assert!(!covers(&json!({"source": "10.1.0.0/16"}), same));
        assert!(!covers(&json!({"user": "system:serviceaccount:backup"}), same));
        assert!(!covers(&json!({}), |it| it.user = "eve".to_owned()));
        assert!(!covers(&json!({}), |it| it.detection = "secrets/other".into()));
        assert!(!covers(&json!({"source": "10.0.0.0/8"}), |it| it.source = "pipe".to_owned()));
        // Whoever may act as others is not waived with what is done in their names.
        assert!(!covers(&json!({}), |it| it.impersonated = Some("admin".to_owned())));
        assert!(covers(&json!({"impersonated": "admin"}), |it| {
            it.impersonated = Some("admin".to_owned());
        }));
        assert!(!covers(&json!({"impersonated": "admin"}), same));
    }

    #[test]
    fn what_ended_covers_nothing() {
        let all = read(&written(&json!({"expires": "2026-05-30"})), &[ID]).unwrap();
        let (mut waivers, ended) = Waivers::new(all, date(2026, 5, 31));
        assert_eq!((waivers.cover(&finding()), ended.len()), (None, 1));
        let all = read(&written(&json!({"expires": "2026-05-31"})), &[ID]).unwrap();
        let (mut waivers, _) = Waivers::new(all, date(2026, 5, 31));
        assert!(waivers.end(date(2026, 5, 31)).is_empty());
        assert_eq!(waivers.cover(&finding()), Some(0));
        assert_eq!(waivers.end(date(2026, 6, 1)).len(), 1);
        assert_eq!(waivers.cover(&finding()), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = [
            (written(&json!({"detection": "secrets/none"})), "/waivers/0/detection"),
            (written(&json!({"owner": " "})), "/waivers/0/owner"),
            (written(&json!({"reason": ""})), "/waivers/0/reason"),
            (written(&json!({"expires": "soon"})), "/waivers/0"),
            (written(&json!({"source": "10.0.0.1/8"})), "/waivers/0"),
            (written(&json!({"users": "a"})), "/waivers/0"),
            (written(&json!({"user": null})), "/waivers/0/detection"),
            (written(&json!({"user": "*"})), "/waivers/0/detection"),
            (json!({"waivers": [], "waiver": []}), "/waiver"),
            (json!({"waivers": {}}), ""),
            (json!([]), ""),
        ];
        for (document, pointer) in wrong {
            let unclear = read(&document, &[ID]).unwrap_err();
            assert_eq!(unclear[0].pointer, pointer, "{document}");
        }
    }
}
