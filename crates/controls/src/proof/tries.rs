//! What has to be refused, tried on every API server.
//!
//! A refusal counts only if it comes from where it should: a missing right says nothing of a guard, and
//! an object that is written wrongly is refused by anybody.

use serde_json::{Value, json};

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
    /// The rule that nobody gives what they do not hold; it comes before validating admission.
    Escalation,
    /// Nobody has to, since the API has nothing of the name; or a guard comes first.
    Absence,
    /// The authorizer, as it answers to whom asks what they may (`SelfSubjectAccessReview`).
    Review,
}

/// The kind of object by which a user asks what it may.
const REVIEW: &str = "SelfSubjectAccessReview";

/// Words of a policy of the API or of a file.
pub(crate) const GUARD: By = By::Admission("ValidatingAdmissionPolicy");
/// Words of Pod Security.
pub(crate) const POD_SECURITY: By = By::Admission("violates PodSecurity");

/// How a server refuses to let somebody give what they do not hold.
const GIVES_MORE: &str = "is attempting to grant RBAC permissions not currently held";

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
            Self::Escalation => {
                let looked_at = matches!(status, 400 | 409 | 422);
                looked_at || Self::AnyAdmission.is(status, message)
            }
            _ => false,
        }
    }

    fn is(self, status: u16, message: &str) -> bool {
        let lacks_right = lacks_right(message);
        let admission = (status == 403 || status == 422) && !lacks_right;
        match self {
            Self::Authorization => status == 403 && lacks_right,
            Self::Admission(words) | Self::Validation(words) => {
                admission && message.contains(words)
            }
            Self::NodeBounds => {
                let told =
                    ["is not allowed to", "can only", "can not", "may not", "requested token"];
                status == 403 && (lacks_right || told.iter().any(|words| message.contains(words)))
            }
            Self::Escalation => status == 403 && message.contains(GIVES_MORE),
            Self::Absence => status == 404 || GUARD.is(status, message),
            Self::Review => false,
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

    /// Lets a user ask whether it has a right that cannot be tried without harm, or behind a guard.
    pub(crate) fn right(
        what: impl Into<String>,
        speaker: Speaker,
        verb: &str,
        (group, resource): (&str, &str),
    ) -> Self {
        Self::create(what, speaker, review(verb, (group, resource)), By::Review)
    }

    fn came(&self, seen: &Seen) -> Came {
        match seen {
            Seen::Refused { status, message } if self.by.is(*status, message) => Came::Refused,
            Seen::Refused { status, message } if self.by.was_passed(*status, message) => Came::Late,
            Seen::Object(review) if self.by == By::Review => match is_granted(review) {
                Some(true) => Came::Granted,
                Some(false) => Came::Refused,
                None => Came::Unclear,
            },
            Seen::Object(_) | Seen::Objects(_) | Seen::Done | Seen::Absent | Seen::Text(_) => {
                Came::Granted
            }
            _ => Came::Unclear,
        }
    }
}

/// What came of a try.
enum Came {
    /// It was refused by whom it should.
    Refused,
    /// It was refused, and only by what comes later.
    Late,
    /// It was granted.
    Granted,
    /// It was not told.
    Unclear,
}

/// The question whether whoever asks it has a right. A resource may be followed by a part of it, as in
/// `nodes/proxy`.
pub(crate) fn review(verb: &str, (group, resource): (&str, &str)) -> Value {
    let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
    json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": REVIEW,
        "spec": {"resourceAttributes": {
            "verb": verb, "group": group, "resource": resource, "subresource": part,
        }},
    })
}

/// Reads the answer to such a question: nothing where not every rule could be looked at.
fn is_granted(review: &Value) -> Option<bool> {
    let status = &review["status"];
    match status["allowed"].as_bool()? {
        true => Some(true),
        false => status["evaluationError"].is_null().then_some(false),
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
    course(transcript, |course| shown_refused(course, scene, granted, tries, said))
}

/// The same of a proof that has done something before.
pub(crate) fn shown_refused(
    course: &mut Course<'_>,
    scene: &Scene,
    granted: &[(Speaker, Ask)],
    tries: &[Try],
    said: &str,
) -> Result<Next, Next> {
    refused(course, scene, granted, tries)?;
    let (count, servers) = (tries.len(), scene.control_planes.len());
    let said = format!("{said} ({count} tries on each of {servers} servers)");
    Ok(pass(said, course.so_far()))
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
        let is_well = match seen {
            Seen::Object(object) if object["kind"] == REVIEW => is_granted(object) == Some(true),
            Seen::Object(_) | Seen::Objects(_) | Seen::Done => true,
            _ => false,
        };
        if !is_well {
            gaps.add(format!("{}: what is in order was not granted: {}", place(act), words(seen)));
        }
    }
    let bad = servers().flat_map(|s| tries.iter().map(move |t| ask(s, &t.speaker, &t.ask)));
    for ((act, seen), tried) in course.step(bad.collect())?.iter().zip(tries.iter().cycle()) {
        let may = format!("{} may {}", tried.speaker.user(), tried.what);
        match tried.came(seen) {
            Came::Refused => {}
            Came::Late => {
                let said = format!("{}: {may}, and only what comes later refuses it", place(act));
                return Err(fail(said, FIX));
            }
            Came::Granted => return Err(fail(format!("{}: {may}", place(act)), FIX)),
            Came::Unclear => {
                gaps.add(format!("{}: whether {may}: {}", place(act), words(seen)));
            }
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
    use ringfort_model::act::{Seen, Speaker};
    use serde_json::json;

    use super::{By, Came, GUARD, POD_SECURITY, Try};

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
    /// A guard that refuses afterwards says that the rule of roles did not.
    #[test]
    fn who_gives_more_than_it_holds_is_refused_by_the_rule_of_roles() {
        let rule = "clusterroles.rbac.authorization.k8s.io \"x\" is forbidden: user \"ringfort:admin\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"users\"], Verbs:[\"impersonate\"]}";
        let guard = "clusterroles \"x\" is forbidden: ValidatingAdmissionPolicy 'roles' with binding 'roles' denied request: no";
        let lacks = "clusterroles is forbidden: User \"a\" cannot create resource \"clusterroles\"";
        assert!(By::Escalation.is(403, rule) && !By::Escalation.was_passed(403, rule));
        assert!(!By::Escalation.is(403, guard) && By::Escalation.was_passed(403, guard));
        assert!(!By::Escalation.is(403, lacks) && !By::Escalation.was_passed(403, lacks));
        assert!(!GUARD.is(403, rule) && !By::AnyAdmission.is(403, rule));
    }

    #[test]
    fn a_right_that_was_not_wholly_looked_for_is_not_missing() {
        let right = Try::right("bind", Speaker::Admin, "bind", ("rbac", "roles"));
        let came = |status| right.came(&Seen::Object(json!({"status": status})));
        assert!(matches!(came(json!({"allowed": false})), Came::Refused));
        assert!(matches!(came(json!({"allowed": true})), Came::Granted));
        let half = json!({"allowed": false, "evaluationError": "no such role"});
        assert!(matches!(came(half), Came::Unclear));
        assert!(matches!(came(json!({})), Came::Unclear));
    }
}
