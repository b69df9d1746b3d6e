//! Detections of a user's own: data with an expression in CEL in the place of code, and examples that have to be
//! what they say before one is asked.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use ringfort_expression::{Expression, Scope};
use ringfort_model::severity::Severity;

use crate::detection::{ANSWERED, Detection, Judge, Need, Of, Who};
use crate::engine::Engine;
use crate::envelope::{Found, each};
use crate::event::Level;
use crate::examples;
use crate::scene::Scene;
use crate::written::{self, Unclear, Wrong};

/// What stands before the names of these, so that none is taken for one of the catalogue.
const OWN: &str = "own/";
/// What stands for every resource.
const ANY: &str = "*";
/// The longest expression, in bytes.
const LONGEST: usize = 8 << 10;

const SHAPE: &str = "write `detections: [{ id: own/NAME, title: …, severity: high, because: …, needs: [{ verbs: [get], \
                     resources: [pods/exec] }], where: EXPRESSION, examples: { found: [[EVENT]], quiet: [[EVENT]] } }]`";

/// A detection as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    id: String,
    title: String,
    severity: Severity,
    because: String,
    #[serde(default)]
    attack: Vec<String>,
    needs: Vec<WrittenNeed>,
    #[serde(rename = "where")]
    condition: String,
    #[serde(default)]
    outcome: Outcome,
    examples: Examples,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenNeed {
    /// Also the cluster's own components, which are spared otherwise.
    #[serde(default)]
    components: bool,
    #[serde(default)]
    verbs: Vec<String>,
    /// `RESOURCE.GROUP`, `RESOURCE` of the core group, with `/PART` behind the resource; `*` alone for any.
    resources: Vec<String>,
    /// Whether bodies are read.
    #[serde(default)]
    bodies: bool,
}

/// Which requests are judged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    /// Those that did something.
    #[default]
    Done,
    /// Those that were refused or failed.
    Failed,
    /// All.
    Any,
}

/// Each a list of stories, and each story a list of abbreviated events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    found: Vec<Vec<Value>>,
    quiet: Vec<Vec<Value>>,
    #[serde(default)]
    evasion: Vec<Vec<Value>>,
}

/// How a detection of a user's own judges.
#[derive(Debug)]
pub(crate) struct Own {
    condition: Expression,
    outcome: Outcome,
    reads_object: bool,
    title: String,
}

impl Own {
    /// Says what was found, or why that cannot be said: an error is never an answer.
    pub(crate) fn judge(&self, scene: &Scene<'_>, failed: bool) -> Result<Option<String>, String> {
        let is_asked = match self.outcome {
            Outcome::Done => !failed,
            Outcome::Failed => failed,
            Outcome::Any => true,
        };
        if !is_asked {
            return Ok(None);
        }
        let mut scope = Scope::default();
        scope.bind("event", &event(scene));
        if self.reads_object {
            scope.bind("object", &scene.object().map_or(Value::Null, |object| object.json()));
        }
        Ok(self.condition.holds(&scope)?.then(|| self.title.clone()))
    }
}

/// What an expression can name of an event: always all of it, so that what is not there is empty and no error.
fn event(scene: &Scene<'_>) -> Value {
    let event = scene.event;
    let user = |user: &crate::event::User<'_>| {
        let groups: Vec<&str> = user.groups.iter().map(|group| &**group).collect();
        json!({
            "username": &*user.username,
            "groups": groups,
            "pod": user.extra.pod().unwrap_or_default(),
            "credential": user.extra.credential().unwrap_or_default(),
        })
    };
    let group = event.object_ref.as_ref().map_or("", |of| of.group());
    let addresses: Vec<&str> = event.source_ips.iter().map(|address| &**address).collect();
    json!({
        "verb": &*event.verb,
        "user": user(&event.user),
        "impersonated": event.impersonated_user.is_some(),
        "actor": user(event.actor()),
        "source": event.source(),
        "sourceIPs": addresses,
        "userAgent": &*event.user_agent,
        "uri": &*event.request_uri,
        "resource": event.resource(),
        "subresource": event.subresource(),
        "group": group,
        "namespace": event.namespace(),
        "name": event.name(),
        "code": event.response_status.code,
        "time": event.time(),
    })
}

/// Reads detections, and tries each with its examples.
///
/// They live as long as the program: a detection is asked by reference, whoever wrote it.
///
/// # Errors
/// All that is wrong, with its places; an example that is not what it says is.
pub fn read(document: &Value) -> Result<Vec<&'static Detection>, Vec<Unclear>> {
    let mut ids = BTreeSet::new();
    written::list(document, "detections", SHAPE, |value| {
        let detection = one(value)?;
        match ids.insert(detection.id) {
            true => Ok(detection),
            false => {
                Err(("/id".to_owned(), format!("there are two detections `{}`", detection.id)))
            }
        }
    })
}

fn one(value: &Value) -> Result<&'static Detection, Wrong> {
    let (detection, examples) = untried(value)?;
    try_examples(detection, &examples)?;
    Ok(detection)
}

/// Reads a detection that was not tried yet.
fn untried(value: &Value) -> Result<(&'static Detection, Examples), Wrong> {
    let at = |below: &str, why: String| (below.to_owned(), why);
    let written = Written::deserialize(value)
        .map_err(|error| at("", format!("this detection cannot be read: {error}")))?;
    let name = written.id.strip_prefix(OWN).unwrap_or_default();
    let is_name =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        let why = format!(
            "{:?} is no name of an own detection such as {OWN}exec-in-production",
            written.id
        );
        return Err(at("/id", why));
    }
    for (below, text) in [("/title", &written.title), ("/because", &written.because)] {
        if text.trim().is_empty() {
            return Err(at(below, format!("a detection has no {}", &below[1..])));
        }
    }
    if written.needs.is_empty() || written.needs.iter().any(|need| need.resources.is_empty()) {
        return Err(at("/needs", "it names no resources that it is about".to_owned()));
    }
    let is_mixed = |need: &WrittenNeed| {
        need.resources.iter().any(|it| it.contains('*')) && need.resources != [ANY]
    };
    if written.needs.iter().any(is_mixed) {
        return Err(at("/needs", "a * among resources stands alone, for any of them".to_owned()));
    }
    // Bodies of everything would be Secrets' as well.
    if written.needs.iter().any(|need| need.bodies && need.resources == [ANY]) {
        return Err(at("/needs", "bodies are read of resources that are named".to_owned()));
    }
    if written.condition.len() > LONGEST {
        return Err(at("/where", format!("the expression is longer than {LONGEST} bytes")));
    }
    let condition = Expression::read(&written.condition);
    if let Some(why) = condition.fault() {
        return Err(at("/where", format!("the expression cannot be read: {why}")));
    }
    let reads_object = written.needs.iter().any(|need| need.bodies);
    let own =
        Own { condition, outcome: written.outcome, reads_object, title: written.title.clone() };
    Ok((leaked(&written, own), written.examples))
}

/// Makes what lives as long as the program.
fn leaked(written: &Written, own: Own) -> &'static Detection {
    let text = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let need = |need: &WrittenNeed| {
        let is_any = need.resources == [ANY];
        let resources: Vec<(&'static str, &'static str)> = need
            .resources
            .iter()
            .map(|resource| {
                let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
                let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
                let whole = if part.is_empty() {
                    resource.to_owned()
                } else {
                    format!("{resource}/{part}")
                };
                (text(group), text(&whole))
            })
            .collect();
        let verbs: Vec<&'static str> = need.verbs.iter().map(|verb| text(verb)).collect();
        Need {
            who: if need.components { Who::Anyone } else { Who::Others },
            verbs: verbs.leak(),
            of: if is_any { Of::AnyResource } else { Of::Resources(resources.leak()) },
            level: if need.bodies { Level::RequestResponse } else { Level::Metadata },
            stages: ANSWERED,
        }
    };
    let needs: Vec<Need> = written.needs.iter().map(need).collect();
    let attack: Vec<&'static str> = written.attack.iter().map(|number| text(number)).collect();
    Box::leak(Box::new(Detection {
        id: text(&written.id),
        title: text(&written.title),
        severity: written.severity,
        because: text(&written.because),
        attack: attack.leak(),
        needs: needs.leak(),
        doc: "",
        judge: Judge::Own(Box::leak(Box::new(own))),
    }))
}

/// Judges the examples by this detection alone.
fn try_examples(detection: &'static Detection, all: &Examples) -> Result<(), Wrong> {
    let kinds = [("found", &all.found), ("quiet", &all.quiet), ("evasion", &all.evasion)];
    for (kind, stories) in kinds {
        if stories.is_empty() && kind != "evasion" {
            return Err((
                format!("/examples/{kind}"),
                format!("there is no example that is {kind}"),
            ));
        }
        for (index, story) in stories.iter().enumerate() {
            let at = format!("/examples/{kind}/{index}");
            let is_found = finds(detection, story).map_err(|why| (at.clone(), why))?;
            if is_found == (kind == "quiet") {
                let comes = if is_found { "is found" } else { "finds nothing" };
                return Err((at, format!("this example under `{kind}` {comes}")));
            }
        }
    }
    Ok(())
}

/// Says whether a detection finds something in a story.
fn finds(detection: &'static Detection, story: &[Value]) -> Result<bool, String> {
    let (mut engine, mut findings, mut fault) = (Engine::new(&[detection]), Vec::new(), None);
    for short in story {
        for line in examples::whole(&short.to_string())? {
            each(line.as_bytes(), &mut |found| match found {
                Found::Event(event) => {
                    if let Some(why) = engine.judge(event, &mut findings) {
                        fault.get_or_insert(why.to_string());
                    }
                }
                Found::Fault(why) => {
                    fault.get_or_insert(why.to_string());
                }
                Found::Other => {}
            });
        }
    }
    match fault {
        Some(why) => Err(format!("this example cannot be judged: {why}")),
        None => Ok(!findings.is_empty()),
    }
}

/// Says of events, each by itself, whether a detection as it is written finds them. What cannot be judged is neither.
///
/// # Errors
/// What is wrong with the detection; its own examples are not tried.
pub(crate) fn found_among(
    detection: &Value,
    events: &[Value],
) -> Result<Vec<Option<bool>>, String> {
    let (detection, _) = untried(detection).map_err(|(_, why)| why)?;
    Ok(events.iter().map(|event| finds(detection, std::slice::from_ref(event)).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::read;

    fn written(change: &Value) -> Value {
        let mut one = json!({
            "id": "own/exec-in-production", "title": "Somebody entered production", "severity": "high",
            "because": "nobody has to", "attack": ["T1609"],
            "needs": [{"verbs": ["get", "create"], "resources": ["pods/exec"]}],
            "where": "event.namespace.startsWith('prod-') && !event.user.groups.exists(g, g == 'oncall')",
            "examples": {
                "found": [[{"verb": "get", "of": ":pods/exec prod-a/x"}]],
                "quiet": [[{"verb": "get", "of": ":pods/exec test/x"}],
                    [{"verb": "get", "of": ":pods/exec prod-a/x", "user": {"username": "a", "groups": ["oncall"]}}]],
            },
        });
        for (name, value) in change.as_object().unwrap() {
            one[name] = value.clone();
        }
        json!({ "detections": [one] })
    }

    #[test]
    fn a_detection_is_asked_once_its_examples_are_what_they_say() {
        let read = read(&written(&json!({}))).unwrap();
        assert_eq!((read.len(), read[0].id), (1, "own/exec-in-production"));
    }

    #[test]
    fn bodies_are_read_where_that_is_asked_for() {
        let of_objects = written(&json!({
            "needs": [{"verbs": ["create"], "resources": ["deployments.apps"], "bodies": true}],
            "where": "has(object.spec) && object.spec.replicas > 100",
            "examples": {
                "found": [[{"verb": "create", "of": "apps:deployments a/b", "responseObject": {"spec": {"replicas": 101}}}]],
                "quiet": [[{"verb": "create", "of": "apps:deployments a/b", "responseObject": {"spec": {"replicas": 3}}}]],
            },
        }));
        assert!(read(&of_objects).is_ok(), "{:?}", read(&of_objects));
    }

    #[test]
    fn any_resource_is_one_star_and_without_bodies() {
        let change = |resources: &Value, bodies: bool| {
            written(&json!({
                "needs": [{"verbs": ["get"], "resources": resources, "bodies": bodies}],
            }))
        };
        assert!(read(&change(&json!(["*"]), false)).is_ok());
        assert!(read(&change(&json!(["*"]), true)).is_err());
        assert!(read(&change(&json!(["*", "pods"]), false)).is_err());
        assert!(read(&change(&json!(["pods/*"]), false)).is_err());
    }

    #[test]
    fn refused_requests_are_judged_where_that_is_asked_for() {
        let refused = json!([[{"verb": "get", "of": ":pods/exec prod-a/x", "responseStatus": {"code": 403}}]]);
        let done = json!([[{"verb": "get", "of": ":pods/exec prod-a/x"}]]);
        let failed =
            written(&json!({"outcome": "failed", "examples": {"found": refused, "quiet": done}}));
        assert!(read(&failed).is_ok(), "{:?}", read(&failed));
        assert!(read(&written(&json!({"examples": {"found": refused, "quiet": done}}))).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let found = json!([[{"verb": "get", "of": ":pods/exec prod-a/x"}]]);
        let quiet = json!([[{"verb": "get", "of": ":pods/exec test/x"}]]);
        for (change, below) in [
            (json!({"id": "detect/exec"}), "/id"),
            (json!({"id": "own/A b"}), "/id"),
            (json!({"title": ""}), "/title"),
            (json!({"needs": []}), "/needs"),
            (json!({"where": "event.namespace =="}), "/where"),
            (json!({"where": "event.namespaced == 'a'"}), "/examples/found/0"),
            (json!({"where": "event.namespace"}), "/examples/found/0"),
            (json!({"where": "true"}), "/examples/quiet/0"),
            (json!({"where": "false"}), "/examples/found/0"),
            (json!({"examples": {"found": found, "quiet": []}}), "/examples/quiet"),
            (
                json!({"examples": {"found": found, "quiet": quiet, "evasion": quiet}}),
                "/examples/evasion/0",
            ),
            (
                json!({"examples": {"found": [[{"verb": "get", "of": "pods"}]], "quiet": quiet}}),
                "/examples/found/0",
            ),
            (json!({"severity": "grave"}), ""),
            (json!({"more": 1}), ""),
        ] {
            let unclear = read(&written(&change)).unwrap_err();
            assert_eq!(unclear[0].pointer, format!("/detections/0{below}"), "{change} {unclear:?}");
        }
        let twice = json!({"detections": [written(&json!({}))["detections"][0], written(&json!({}))["detections"][0]]});
        assert_eq!(read(&twice).unwrap_err()[0].pointer, "/detections/1/id");
    }
}
