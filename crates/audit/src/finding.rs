//! What a detection found, for people and for programs. What was sent or answered is never repeated: it may
//! hold secrets.

use std::borrow::Cow;
use std::fmt;

use ringfort_model::severity::Severity;
use serde::{Deserialize, Serialize};

use crate::detection::Detection;
use crate::event::Event;

/// Something that was found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The detection.
    pub detection: Cow<'static, str>,
    /// How grave it is.
    pub severity: Severity,
    /// When the request came, as the server wrote it.
    pub time: String,
    /// Who asked.
    pub user: String,
    /// As whom, where it was as somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated: Option<String>,
    /// From where: who was connected to the server.
    pub source: String,
    /// The credential that was shown, where it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// The pod whose token it is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What was done.
    pub verb: String,
    /// To what.
    pub object: String,
    /// What was found.
    pub said: String,
    /// What the judgement rests on, where that is not the stored object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests: Option<Cow<'static, str>>,
}

impl Finding {
    /// Gives what another machine found, as its own: without what a terminal would obey, however it came.
    #[must_use]
    pub fn by(self, machine: &str) -> Self {
        Self {
            detection: plain(&self.detection).into(),
            time: plain(&self.time),
            user: plain(&self.user),
            impersonated: None,
            source: machine.to_owned(),
            credential: None,
            pod: self.pod.as_deref().map(plain),
            verb: plain(&self.verb),
            object: plain(&self.object),
            said: plain(&self.said),
            rests: self.rests.map(|rests| plain(&rests).into()),
            severity: self.severity,
        }
    }

    pub(crate) fn new(
        detection: &'static Detection,
        event: &Event<'_>,
        said: &str,
        rests: Option<&'static str>,
    ) -> Self {
        let extra = &event.user.extra;
        Self {
            detection: detection.id.into(),
            severity: detection.severity,
            time: plain(event.time()),
            user: plain(&event.user.username),
            impersonated: event.impersonated_user.as_ref().map(|user| plain(&user.username)),
            source: plain(event.source()),
            credential: extra.credential().map(plain),
            pod: extra.pod().map(plain),
            verb: plain(&event.verb),
            object: plain(&object(event)),
            said: plain(said),
            rests: rests.map(Cow::Borrowed),
        }
    }
}

/// Names what a request is about.
pub(crate) fn object(event: &Event<'_>) -> String {
    let Some(of) = event.object_ref.as_ref().filter(|of| !of.resource.is_empty()) else {
        return event.path().to_owned();
    };
    let mut name = of.resource.to_string();
    if !of.subresource.is_empty() {
        name = format!("{name}/{}", &*of.subresource);
    }
    for part in [&of.namespace, &of.name].into_iter().filter(|part| !part.is_empty()) {
        name = format!("{name} {}", &**part);
    }
    name
}

/// Text as it may stand in a line: what a terminal would obey is written out, and nothing is long.
fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .take(MOST)
        .flat_map(|letter| match letter.is_control() {
            true => letter.escape_default().collect::<Vec<_>>(),
            false => vec![letter],
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        plain.push('…');
    }
    plain
}

const MOST: usize = 200;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'_ str, other: &'static str| match text.is_empty() {
            true => other.to_owned(),
            false => text.to_owned(),
        };
        write!(f, "{} {} {}: ", or(&self.time, "(no time)"), self.severity, self.detection)?;
        write!(f, "{}", or(&self.user, "(no user)"))?;
        if let Some(user) = &self.impersonated {
            write!(f, " as {user}")?;
        }
        if let Some(pod) = &self.pod {
            write!(f, " with the token of pod {pod}")?;
        }
        if !self.source.is_empty() {
            write!(f, " from {}", self.source)?;
        }
        write!(f, ": {} {}: {}", or(&self.verb, "(no verb)"), self.object, self.said)?;
        match &self.rests {
            Some(rests) => write!(f, " ({rests})"),
            None => Ok(()),
        }
    }
}
