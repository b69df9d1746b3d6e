//! What has to be refused, tried on every API server.
//!
//! A refusal counts only if it comes from where it should: a missing right says nothing of a guard, and
//! an object that is written wrongly is refused by anybody.

use serde_json::Value;

use ringfort_model::act::{Act, Ask, Next, Seen, Speaker, Transcript};

use super::{Course, Gaps, Scene, course, fail, pass, words};

/// One try.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// What it is, in words that follow "somebody may".
    pub(crate) what: String,
    /// Who tries.
    pub(crate) speaker: Speaker,
    /// What is asked for.
    pub(crate) ask: Ask,
    /// Who has to refuse it.
    pub(crate) by: By,
}

/// Who refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// The authorizer: the right is missing.
    Authorization,
    /// An admission plugin or policy whose words hold this text.
    Admission(&'static str),
    /// The API's own validation, by these words: it comes before the parts of admission that only look.
    Validation(&'static str),
    /// Any part of admission.
    AnyAdmission,
    /// The authorizer, or the plugin that bounds nodes.
    NodeBounds,
    /// The authorizer, the rule that nobody gives what they do not hold, or any part of admission.
    AnyRefusal,
}

/// Words of a policy of the API or of a file.
pub(crate) const GUARD: By = By::Admission("ValidatingAdmissionPolicy");
/// Words of Pod Security.
pub(crate) const POD_SECURITY: By = By::Admission("violates PodSecurity");

/// An authorizer says who cannot do what; admission says what is forbidden and why.
fn lacks_right(message: &str) -> bool {
    message.contains(" cannot ") && message.contains("forbidden: User ")
}

impl By {
    /// Says that a request came further than it should have: who is told what is wrong with it, or is refused
    /// by what looks at it afterwards, has passed the authorizer; whom admission refuses, validation.
    fn was_passed(self, status: u16, message: &str) -> bool {
        match self {
            Self::Authorization => {
                let looked_at = matches!(status, 400 | 404 | 409 | 422);
                looked_at || (status == 403 && !lacks_right(message))
            }
            Self::Validation(_) => [GUARD, POD_SECURITY].iter().any(|by| by.is(status, message)),
            _ => false,
        }
    }

    fn is(self, status: u16, message: &str) -> bool {
        let lacks_right = lacks_right(message);
        let gives_more =
            status == 403 && message.contains("is attempting to grant RBAC permissions");
        let admission = (status == 403 || status == 422) && !lacks_right;
        match self {
            Self::Authorization => status == 403 && lacks_right,
            Self::Admission(words) | Self::Validation(words) => {
                admission && message.contains(words)
            }
            Self::NodeBounds => {
                let told = ["is not allowed to", "can only", "can not", "may not"];
                status == 403 && (lacks_right || told.iter().any(|words| message.contains(words)))
            }
            Self::AnyRefusal => {
                gives_more
                    || Self::Authorization.is(status, message)
                    || Self::AnyAdmission.is(status, message)
            }
            Self::AnyAdmission => {
                let told = [
                    "ValidatingAdmissionPolicy",
                    "violates PodSecurity",
                    "disallowed by cluster policy",
                ];
                admission && told.iter().any(|words| message.contains(words))
            }
        }
    }
}

impl Try {
    /// Asks whether an object could be created.
    pub(crate) fn create(what: impl Into<String>, speaker: Speaker, object: Value, by: By) -> Self {
        Self { what: what.into(), speaker, ask: Ask::WouldCreate(object), by }
    }
}

/// A proof that is nothing but tries: what is granted, what is refused, and what that shows.
pub(crate) fn all_refused(
    scene: &Scene,
    transcript: &Transcript,
    granted: &[(Speaker, Ask)],
    tries: &[Try],
    said: &str,
) -> Next {
    course(transcript, |course| {
        refused(course, scene, granted, tries)?;
        let (count, servers) = (tries.len(), scene.control_planes.len());
        let said = format!("{said} ({count} tries on each of {servers} servers)");
        Ok(pass(said, course.so_far()))
    })
}

const FIX: &str = "is every server's configuration the blueprint's? ringfort up";

/// Lets every API server refuse all tries, and first grant what differs from them in nothing but what
/// is tried.
pub(crate) fn refused(
    course: &mut Course<'_>,
    scene: &Scene,
    granted: &[(Speaker, Ask)],
    tries: &[Try],
) -> Result<(), Next> {
    let servers = || scene.control_planes.iter();
    let ask = |server: &_, speaker: &Speaker, ask: &Ask| Act::Ask {
        server: Clone::clone(server),
        speaker: speaker.clone(),
        ask: ask.clone(),
    };
    let good = servers().flat_map(|s| granted.iter().map(move |(who, what)| ask(s, who, what)));
    let mut gaps = Gaps::default();
    for (act, seen) in course.step(good.collect())? {
        if !matches!(seen, Seen::Object(_) | Seen::Objects(_) | Seen::Done) {
            gaps.add(format!("{}: what is in order was not granted: {}", place(act), words(seen)));
        }
    }
    let bad = servers().flat_map(|s| tries.iter().map(move |t| ask(s, &t.speaker, &t.ask)));
    for ((act, seen), tried) in course.step(bad.collect())?.iter().zip(tries.iter().cycle()) {
        let may = format!("{} may {}", tried.speaker.user(), tried.what);
        match seen {
            Seen::Refused { status, message } if tried.by.is(*status, message) => {}
            Seen::Refused { status, message } if tried.by.was_passed(*status, message) => {
                let said = format!("{}: {may}, and only what comes later refuses it", place(act));
                return Err(fail(said, FIX));
            }
            Seen::Object(_) | Seen::Objects(_) | Seen::Done | Seen::Absent => {
                return Err(fail(format!("{}: {may}", place(act)), FIX));
            }
            other => gaps.add(format!("{}: whether {may}: {}", place(act), words(other))),
        }
    }
    gaps.close()
}

fn place(act: &Act) -> String {
    match act {
        Act::Ask { server, .. } => server.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{By, GUARD, POD_SECURITY};

    #[test]
    fn a_refusal_counts_only_from_where_it_should_come() {
        let rbac =
            "secrets is forbidden: User \"a\" cannot list resource \"secrets\" in API group \"\"";
        let guard = "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' denied request: no";
        let security =
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces";
        let check = |by: By, status: u16, message: &str, expected: bool| {
            assert_eq!(by.is(status, message), expected, "{by:?} {message}");
        };
        check(By::Authorization, 403, rbac, true);
        check(By::Authorization, 403, guard, false);
        check(GUARD, 422, guard, true);
        check(GUARD, 403, rbac, false);
        check(GUARD, 500, guard, false);
        check(POD_SECURITY, 403, guard, false);
        check(By::AnyAdmission, 403, security, true);
        check(By::AnyAdmission, 422, "spec.containers: Required value", false);
        assert!(!By::Authorization.was_passed(403, rbac) && !GUARD.was_passed(422, guard));
        for (status, message) in [(403, guard), (422, "spec.request: Invalid value"), (404, "no")] {
            assert!(By::Authorization.was_passed(status, message), "{status} {message}");
        }
        assert!(!By::Authorization.was_passed(500, "etcd is away"));
        let validation = By::Validation("disallowed by cluster policy");
        assert!(validation.was_passed(403, security) && validation.was_passed(422, guard));
        assert!(!validation.was_passed(403, rbac));
    }
}
